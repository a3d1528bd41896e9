"""Packages kept in the cache, taken by their digest: wherever one comes from, only what the lock names counts."""

import os
import shutil
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from build.errors import Bug, MachineError
from build.fetch import Digest, large, with_path
from build.lock import LockedPackage

AT_ONCE = 4
"""Packages fetched side by side: archives take no more of one client."""
AT_ONCE_BYTES = 1 << 30
"""As many bytes are copied by one call."""
FEW = 5
"""As many missing packages are named in full."""


NO_CONTEXTS: Mapping[str, ssl.SSLContext] = MappingProxyType({})
LOCKED = "locked"
"""Where packages that only a lock vouches for are kept: apart, since no other build looks at their digests."""


def folder(cache: Path, shelf: str = LOCKED) -> Path:
    """Where packages are kept, apart by what vouches for them."""
    return cache / "packages" / shelf


def note_use(kept: Path, names: Iterable[str]) -> None:
    """Note that a build used the packages in these files: what none has used for long is removed."""
    for name in names:
        with suppress(FileNotFoundError):
            os.utime(kept / name)


def lay(file: Path, target: Path) -> None:
    """Let a file lie in another place as well: by a second name where both are on one file system, else as a copy."""
    if target.exists() and target.samefile(file):
        return
    with tempfile.TemporaryDirectory(prefix="laying-", dir=target.parent) as folder:
        fresh = Path(folder) / target.name
        try:
            fresh.hardlink_to(file)
        except OSError:
            shutil.copyfile(file, fresh)
        fresh.replace(target)  # at once: another build may be reading it


def lay_copy(file: Path, target: Path) -> None:
    """Let a copy of a file lie where a program writes into the files that it finds; none where it is gone meanwhile.

    Both share their blocks where the file system can do that (copy_file_range(2)).
    """
    with suppress(FileNotFoundError), file.open("rb") as source, target.open("wb") as copy:
        try:
            while os.copy_file_range(source.fileno(), copy.fileno(), AT_ONCE_BYTES):
                pass
        except OSError:  # from one kind of file system to another
            shutil.copyfile(file, target)


def deb_name(name: str, version: str, arch: str) -> str:
    """A package's name in apt's own cache of packages."""
    return f"{name}_{version.replace(':', '%3a')}_{arch}.deb"


def rpm_name(name: str, version: str, arch: str) -> str:
    """A package's name in repositories of rpm packages, which leaves the epoch out."""
    return f"{name}-{version.rpartition(':')[2]}.{arch}.rpm"


def file_name(package: LockedPackage) -> str:
    """A package's name in the cache, for .deb files as apt itself has it; for others that of the archive."""
    if not package.path.endswith(".deb"):
        return package.path.rpartition("/")[2]
    return deb_name(package.name, package.version, package.arch)


def gather(
    wanted: Iterable[LockedPackage],
    places: Mapping[str, tuple[str, ...]],
    cache: Path,
    *,
    offline: bool,
    contexts: Mapping[str, ssl.SSLContext] = NO_CONTEXTS,
) -> tuple[Path, ...]:
    """The files of these packages, in their order, each of them checked; what the cache lacks is fetched into it.

    It does not matter for which build the cache has a file: it is taken by its digest alone.

    `places` are base URLs by a package's source, best first; `contexts` show who this machine is where a source wants
    to know. Raises MachineError that names what is nowhere.
    """

    def one(package: LockedPackage) -> Path | str:
        urls = () if offline else tuple(with_path(place, package.path) for place in places[package.source])
        return _one(package, urls, cache, shelves, contexts.get(package.source))

    folder(cache).mkdir(parents=True, exist_ok=True)
    shelves = tuple(sorted(cache.glob("packages/*/")))
    packages = tuple(wanted)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        found = tuple(pool.map(one, packages))
    missing = [(package, told) for package, told in zip(packages, found, strict=True) if isinstance(told, str)]
    if missing:
        _refuse(missing, offline=offline)
    return tuple(path for path in found if isinstance(path, Path))


def _one(
    package: LockedPackage,
    urls: tuple[str, ...],
    cache: Path,
    shelves: tuple[Path, ...],
    context: ssl.SSLContext | None,
) -> Path | str:
    """Where the package lies now, or why it cannot be had."""
    digest = Digest("sha256", package.sha256)
    for shelf in shelves:
        with suppress(FileNotFoundError):
            if digest.of(shelf / file_name(package)):
                os.utime(shelf / file_name(package))
                return shelf / file_name(package)
    if not urls:
        return "nobody was asked"
    path = folder(cache) / file_name(package)
    try:
        large(urls, digest, context=context).rename(path)
    except MachineError as failure:
        return failure.what
    return path


def require_exactly(wanted: Iterable[LockedPackage], installed: Iterable[tuple[str, str, str]]) -> None:
    """Raise Bug where what is installed (name, version, architecture) is not what a lock says."""
    expected = {(one.name, one.version, one.arch) for one in wanted}
    if difference := expected.symmetric_difference(installed):
        names = ", ".join(sorted(" ".join(one) for one in difference)[:FEW])
        raise Bug(f"the tree and its lock differ in {len(difference)} packages: {names}", "write a new lock")


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
