"""Packages kept in the cache, taken by their digest: wherever one comes from, only what the lock names counts."""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from build.errors import MachineError
from build.fetch import Digest, large
from build.lock import LockedPackage

AT_ONCE = 4
"""Packages fetched side by side: archives take no more of one client."""
FEW = 5
"""As many missing packages are named in full."""


LOCKED = "locked"
"""Where packages that only a lock vouches for are kept: apart, since no other build looks at their digests."""


def folder(cache: Path, shelf: str = LOCKED) -> Path:
    """Where packages are kept, apart by what vouches for them."""
    return cache / "packages" / shelf


def note_use(kept: Path, installed: Iterable[tuple[str, str, str]]) -> None:
    """Note that a build used these packages (name, version, architecture): what none has used for long is removed."""
    for name, version, arch in installed:
        with suppress(FileNotFoundError):
            os.utime(kept / deb_name(name, version, arch))


def deb_name(name: str, version: str, arch: str) -> str:
    """A package's name in apt's own cache of packages."""
    return f"{name}_{version.replace(':', '%3a')}_{arch}.deb"


def file_name(package: LockedPackage) -> str:
    """A package's name in the cache, for .deb files as apt itself has it; for others that of the archive."""
    if not package.path.endswith(".deb"):
        return package.path.rpartition("/")[2]
    return deb_name(package.name, package.version, package.arch)


def gather(
    wanted: Iterable[LockedPackage], places: Mapping[str, tuple[str, ...]], cache: Path, *, offline: bool
) -> tuple[Path, ...]:
    """The files of these packages, in their order, each of them checked; what the cache lacks is fetched into it.

    It does not matter for which build the cache has a file: it is taken by its digest alone.

    `places` are base URLs by a package's source, best first. Raises MachineError that names what is nowhere.
    """
    folder(cache).mkdir(parents=True, exist_ok=True)
    shelves = tuple(sorted(cache.glob("packages/*/")))
    packages = tuple(wanted)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        found = tuple(pool.map(lambda one: _one(one, () if offline else places[one.source], cache, shelves), packages))
    missing = [(package, told) for package, told in zip(packages, found, strict=True) if isinstance(told, str)]
    if missing:
        _refuse(missing, offline=offline)
    return tuple(path for path in found if isinstance(path, Path))


def _one(package: LockedPackage, places: tuple[str, ...], cache: Path, shelves: tuple[Path, ...]) -> Path | str:
    """Where the package lies now, or why it cannot be had."""
    digest = Digest("sha256", package.sha256)
    for shelf in shelves:
        with suppress(FileNotFoundError):
            if digest.of(shelf / file_name(package)):
                os.utime(shelf / file_name(package))
                return shelf / file_name(package)
    if not places:
        return "nobody was asked"
    path = folder(cache) / file_name(package)
    try:
        large([f"{place}/{package.path}" for place in places], digest).rename(path)
    except MachineError as failure:
        return failure.what
    return path


def _refuse(missing: list[tuple[LockedPackage, str]], *, offline: bool) -> None:
    names = [f"{package.name} {package.version} ({package.arch})" for package, _ in missing]
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    what = f"the lock names what is not to be had: {', '.join(names[:FEW])}{more}"
    if offline:
        raise MachineError(f"{what}: the cache lacks it", "build once without --offline")
    raise MachineError(
        f"{what} ({missing[0][1]})",
        "name a mirror that still has it with --mirror URL, give the cache of a machine that built it, or write a new "
        "lock with --write-lock",
    )
