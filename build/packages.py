"""Packages kept in the cache, taken by their digest: wherever one comes from, only what the lock names counts."""

import hashlib
import http.client
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from build.archive import TIMEOUT
from build.errors import MachineError
from build.lock import LockedPackage

AT_ONCE = 4
"""Packages fetched side by side: archives take no more of one client."""
FEW = 5
"""As many missing packages are named in full."""


def folder(cache: Path, release: str) -> Path:
    """Where the packages of a release are kept."""
    return cache / "packages" / release


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
    wanted: Iterable[LockedPackage], places: Mapping[str, tuple[str, ...]], kept: Path, *, offline: bool
) -> tuple[Path, ...]:
    """The files of these packages, in their order, each of them checked; what the cache lacks is fetched into it.

    `places` are base URLs by a package's source, best first. Raises MachineError that names what is nowhere.
    """
    kept.mkdir(parents=True, exist_ok=True)
    packages = tuple(wanted)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        found = tuple(pool.map(lambda one: _one(one, () if offline else places[one.source], kept), packages))
    missing = [(package, told) for package, told in zip(packages, found, strict=True) if isinstance(told, str)]
    if missing:
        _refuse(missing, offline=offline)
    return tuple(path for path in found if isinstance(path, Path))


def _one(package: LockedPackage, places: tuple[str, ...], kept: Path) -> Path | str:
    """Where the package lies now, or why it cannot be had."""
    path = kept / file_name(package)
    if _is_it(path, package):
        os.utime(path)
        return path
    reasons = []
    for place in places:
        try:
            _fetch(f"{place}/{package.path}", package, path)
            return path
        except (OSError, ValueError, http.client.HTTPException) as refusal:
            reasons.append(f"{place}: {_why(refusal)}")
    return "; ".join(reasons)


def _is_it(path: Path, package: LockedPackage) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == package.sha256
    except FileNotFoundError:
        return False


def _fetch(url: str, package: LockedPackage, target: Path) -> None:
    """Raises ValueError where what comes is not what the lock names."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".fetched-") as fresh:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            shutil.copyfileobj(answer, fresh, 1 << 20)
        fresh.flush()
        if not _is_it(Path(fresh.name), package):
            raise ValueError("what it has is not what the lock names")
        Path(fresh.name).chmod(0o644)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetched-") as beside:
            whole = Path(beside) / "whole"
            whole.hardlink_to(fresh.name)
            whole.rename(target)


def _why(refusal: Exception) -> str:
    if isinstance(refusal, urllib.error.HTTPError):
        return f"HTTP {refusal.code} {refusal.reason}"
    return str(getattr(refusal, "reason", refusal) or type(refusal).__name__)


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
