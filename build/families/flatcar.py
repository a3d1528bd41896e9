"""The family of images that a distribution publishes whole: fetched, verified, grown; what a user adds is Ignition's.

There is no tree of packages: the system is one read-only partition, and stays as it was signed. The image is never
booted before it is published: its first-boot flag and its disk's fixed id are what makes Ignition run.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from build import archive, fetch, ignition, keys, signatures, wholefile
from build.errors import CallerError, MachineError, RecipeError
from build.families.source import Sources
from build.flatcar import CheckSystem
from build.gpt import SECTOR
from build.ignition import require_possible
from build.layout import LARGEST, MIB
from build.oem import CustomizeOem
from build.published import FetchImage, GrowDisk, Published, UnpackImage
from build.spec.steps import steps as spec_steps
from build.spec.value import Spec
from build.workspace import Workspace
from distros.recipe import PublishedImage, Recipe

TOOLS: tuple[str, ...] = ("btrfs-progs",)
VERSION = "FLATCAR_VERSION="
BARE = Path("/")
"""No keyring of this family lies in the tools tree."""


def states(recipe: Recipe, sources: Sources, note: Callable[[str], None]) -> tuple[Published, ...]:
    """The newest published image: its version, and the signed list of its digests.

    Raises MachineError where it is out of reach, CallerError where a mirror's signature does not hold.
    """
    assert recipe.image
    image = _signed_by(recipe.image, sources)
    version_url = _at(image.version, sources.mirror)
    kept = archive.folder() / f"newest-{sha256(version_url.encode()).hexdigest()[:24]}"
    if sources.offline:
        if not kept.is_file():
            raise MachineError(f"{version_url} has never been asked for here", "build once without --offline")
        version, digest = json.loads(kept.read_text())
    else:
        version = version_of(fetch.small(version_url).decode("utf-8", "replace"), version_url)
        url = _at(image.url.format(version=version), sources.mirror)
        listed = fetch.small(image.digests.format(url=url, version=version))
        digest = sha256(listed).hexdigest()
        wholefile.write(archive.folder() / digest, listed)
        wholefile.write(kept, json.dumps([version, digest]).encode())
    server, _, file = image.url.partition("/{version}/")
    published = Published(
        *(_at(server, sources.mirror), recipe.release, file, version, digest, 0, image.keyring, image.signed_by),
        signature=image.signature,
        mirror=sources.mirror is not None,
    )
    return (replace(published, date=_checked(published, BARE)),)


def version_of(text: str, url: str) -> str:
    """The version that a version.txt names. Raises MachineError where it names none that could be in an address."""
    found = [line.removeprefix(VERSION).strip().strip('"') for line in text.splitlines() if line.startswith(VERSION)]
    if len(found) != 1 or not found[0] or set(found[0]) - set("0123456789."):
        raise MachineError(f"{url} names no version", "is it the release server of this distribution?")
    return found[0]


def _signed_by(image: PublishedImage, sources: Sources) -> PublishedImage:
    return replace(image, keyring=sources.keyring, signed_by=()) if sources.keyring else image


def _at(url: str, mirror: str | None) -> str:
    """The address, or the same path at the mirror."""
    return url if mirror is None else mirror.rstrip("/") + urlsplit(url).path


def _checked(published: Published, tools: Path) -> int:
    """When the list of digests was signed, in seconds; its signature holds then."""
    keyring = keys.located(published.keyring, tools)
    return signatures.clear(published.list, keyring, published.keys, published.blame).date


def read_state(told: Mapping[str, Any]) -> Published:
    """The state that JSON held."""
    return Published(**{**told, "keys": tuple(told["keys"])})


def verify(state: Published, tools: Path, *, mirror: bool) -> None:
    """Check the signed list once more. Raises CallerError for a mirror, else MachineError."""
    if not state.list.is_file() or sha256(state.list.read_bytes()).hexdigest() != state.sha256:
        state.list.unlink(missing_ok=True)
        raise MachineError(f"{state.list} is damaged, and removed now", "run the build again")
    _checked(state, tools)


def steps(recipe: Recipe, image: str, size: int, spec: Spec, states: tuple[Published, ...]) -> tuple[Any, ...]:
    """All that is done: `image` is the image's name, `size` the disk's in bytes.

    Raises CallerError where the size does not fit, or the spec asks for what such an image cannot have.
    """
    if size % MIB or size > LARGEST or size < SECTOR:
        raise CallerError(f"a disk of {size} bytes is none that Azure takes", f"whole MiB, at most {LARGEST >> 30} GiB")
    require_possible(spec)
    (published,) = states
    told = (step.describe() for step in spec_steps(replace(spec, first_boot=None)))
    effects = tuple(line for one in told for line in one.splitlines())
    oem = CustomizeOem(image, ignition.base(spec), spec.first_boot, spec.arguments, effects)
    return (
        FetchImage(published),
        UnpackImage(),
        CheckSystem(recipe.distro, published.version),
        *((oem,) if oem.base or oem.user or oem.arguments else ()),
        GrowDisk(size),
    )


def packages(recipe: Recipe, names: tuple[str, ...], states: tuple[Any, ...]) -> Any:
    """There are none to install. Always raises RecipeError."""
    raise RecipeError(f"{recipe.name} is not made of packages")


def additions(recipe: Recipe, names: tuple[str, ...], states: tuple[Any, ...]) -> Any:
    """Nothing can be added to an image that is built on. Always raises CallerError."""
    raise CallerError(f"{recipe.name} cannot be built on an image: it is one", "leave out --base")


def installed(recipe: Recipe, work: Workspace) -> tuple[tuple[str, str, str], ...]:
    """What can be known of a system without a package database: itself and its kernel."""
    kernels = [path.rsplit("/", 1)[1] for path in work.glob("/usr/lib/modules/*")]
    (version,) = (line.partition("=")[2] for line in _release(work) if line.startswith("VERSION_ID="))
    found = [(recipe.distro, version.strip('"'), recipe.arch), *(("linux", kernel, recipe.arch) for kernel in kernels)]
    return tuple(sorted(found))


def _release(work: Workspace) -> list[str]:
    return work.path("/usr/lib/os-release").read_text().splitlines()


__all__ = [
    "TOOLS",
    "additions",
    "installed",
    "packages",
    "read_state",
    "require_possible",
    "states",
    "steps",
    "verify",
    "version_of",
]
