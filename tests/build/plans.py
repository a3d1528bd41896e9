"""Plans without archives: every recipe that can be built, with states of its sources that nobody asked for."""

from typing import Any

from build.archive import Release
from build.families import FAMILIES
from build.families.rpm import Metadata
from build.plan import BuildPlan, Choices, package_names, plan
from distros import Recipe, all_recipes
from distros.recipe import Archive, Repository

EPOCH = 1_700_000_000
GIB = 1 << 30
BUILDABLE = [recipe for recipe in all_recipes() if recipe.grub and recipe.family in FAMILIES]
"""Every recipe of which a plan of packages can be made."""


def states(recipe: Recipe, digest: str = "a" * 64) -> tuple[Any, ...]:
    """A state of each of the recipe's sources, as its family would tell it."""
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


def choices(
    generation: str = "both", kind: str = "generalized", provisioner: str = "cloud-init", kernel: str = ""
) -> Choices:
    """What a caller chose, with the identity that a specialized image has."""
    identity = ("web-1", "operator", "ssh-ed25519 AAAA me") if kind == "specialized" else ()
    return Choices(generation, kind, provisioner, kernel, 30 * GIB, *identity)


def defaults(recipe: Recipe) -> Choices:
    """The choices of a caller who makes none."""
    return choices(generation=list(recipe.boot_packages)[-1], kernel=next(iter(recipe.kernels)))


def described(recipe: Recipe) -> str:
    """The plan of an image that is asked for without any choice, as text without what changes from day to day."""
    chosen = defaults(recipe)
    build: BuildPlan = plan(recipe, chosen, states(recipe), EPOCH)
    lines = [f"Image {build.image}: {recipe.title}"]
    for one, state in zip(_named(recipe), states(recipe), strict=True):
        lines += [f"From {state.url} {state.suite}", f"    keys {' '.join(one.keys)} in {one.keyring}"]
    lines += ["Packages by name", *(f"    {name}" for name in sorted(package_names(recipe, chosen)))]
    lines += [f"Kernel arguments: {' '.join(recipe.cmdline)}"]
    lines += [line for step in build.steps for line in step.describe().splitlines()]
    return "\n".join(lines) + "\n"


def _named(recipe: Recipe) -> list[Archive | Repository]:
    """The archive of each state."""
    return [one for one in recipe.archives for _ in (one.suites if isinstance(one, Archive) else (one.name,))]
