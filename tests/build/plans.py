"""Plans without archives: every recipe that can be built, with states of its sources that nobody asked for."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from build.archive import Release
from build.families import FAMILIES
from build.families.rpm.state import Metadata
from build.plan import BuildPlan, Choices, package_names, plan
from build.published import Published
from distros import Recipe, all_recipes
from distros.recipe import Archive, Repository

EPOCH = 1_700_000_000
GIB = 1 << 30
RECIPES = [recipe for recipe in all_recipes() if recipe.family in FAMILIES]
"""Every recipe of which a plan can be made."""
BUILDABLE = [recipe for recipe in RECIPES if recipe.image is None]
"""Those whose images are made of packages."""


def states(recipe: Recipe, digest: str = "a" * 64) -> tuple[Any, ...]:
    """A state of each of the recipe's sources, as its family would tell it."""
    if recipe.image:
        return (_published(recipe, digest),)
    found: list[Release | Metadata] = []
    for one in recipe.archives:
        if isinstance(one, Archive):
            found += [Release(one.url, suite, one.components, one.keyring, digest, EPOCH) for suite in one.suites]
        else:
            found.append(_metadata(one, recipe.arch, digest))
    return tuple(found)


def _metadata(one: Repository, arch: str, digest: str) -> Metadata:
    return Metadata(
        one.name,
        digest,
        EPOCH,
        one.keyring,
        one.keys,
        one.signed_metadata,
        one.metadata_keys,
        one.sha1_key,
        one.access,
        one.url.replace("{arch}", arch),
    )


def _published(recipe: Recipe, digest: str) -> Published:
    assert recipe.image
    folder, _, file = recipe.image.url.partition("/{version}/")
    named = recipe.image.keyring, recipe.image.signed_by, recipe.image.signature
    return Published(folder, recipe.release, file, "1.2.3", digest, EPOCH, *named)


def choices(
    generation: str = "both", kind: str = "generalized", provisioner: str = "cloud-init", kernel: str = ""
) -> Choices:
    """What a caller chose, with the identity that a specialized image has."""
    identity = ("web-1", "operator", "ssh-ed25519 AAAA me") if kind == "specialized" else ()
    return Choices(generation, kind, provisioner, kernel, 30 * GIB, *identity)


def defaults(recipe: Recipe) -> Choices:
    """The choices of a caller who makes none."""
    provisioner, kernel = (next(iter(names)) for names in (recipe.provisioning, recipe.kernels))
    return choices([*recipe.boot_packages][-1], provisioner=provisioner, kernel=kernel)


def described(recipe: Recipe) -> str:
    """The plan of an image that is asked for without any choice, as text without what changes from day to day.

    Servers are numbered: their names stand in the recipe alone, and who changes one there changes no plan.
    """
    chosen = defaults(recipe)
    build: BuildPlan = plan(recipe, chosen, states(recipe), EPOCH)
    lines = [f"Image {build.image}: {recipe.title}", *_sources(recipe)]
    if names := sorted(package_names(recipe, chosen)):
        lines += ["Packages by name", *(f"    {name}" for name in names)]
    lines += [f"Kernel arguments: {' '.join(recipe.cmdline)}"]
    lines += [line for step in build.steps for line in step.describe().splitlines()]
    return "\n".join(lines) + "\n"


def _sources(recipe: Recipe) -> Iterator[str]:
    """Where all of it comes from, and whose signature counts."""
    found = states(recipe)
    servers = list(dict.fromkeys(urlsplit(state.url).netloc for state in found))
    for state, (keys, keyring) in zip(found, _trusted(recipe), strict=True):
        at = urlsplit(state.url)
        yield f"From {at.scheme}://[server {servers.index(at.netloc) + 1}]{at.path} {state.suite}"
        yield f"    keys {' '.join(keys)} in {keyring}"


def _trusted(recipe: Recipe) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keys that count and their keyring, for each state."""
    if recipe.image:
        yield recipe.image.signed_by, recipe.image.keyring
    for one in recipe.archives:
        for _ in one.suites if isinstance(one, Archive) else (one.name,):
            yield one.keys, one.keyring
