"""The cache: what builds keep for the next one, in one folder, locked per key."""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from build.command import run
from build.errors import KilnError, MachineError
from build.privileges import entry

FULL = (errno.ENOSPC, errno.EDQUOT)
UNUSED = 30 * 24 * 3600
"""Seconds after which a tree, a package or a package list that no build has used goes."""
FULL_HINT = "free some space, or name other folders in KILN_CACHE and --output; what was finished is kept"


def folder() -> Path:
    """`$KILN_CACHE`, or kiln/ in the XDG cache folder; made if missing."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(os.environ.get("KILN_CACHE") or Path(base) / "kiln").absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as refusal:
        raise MachineError(
            f"the cache folder {path} cannot be made: {refusal.strerror}", "name another one in KILN_CACHE"
        ) from None
    return path


@contextmanager
def locked(key: str, *, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock of this key; wait while another build holds it. The lock goes with the process.

    `waiting` is told where that takes a while.
    """
    with _lock(key) as file:
        if waiting and not _taken(file.fileno()):
            waiting(f"another build holds {key}: waiting for its end")
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock(key: str) -> IO[str]:
    path = folder() / "locks" / key
    path.parent.mkdir(exist_ok=True)
    return path.open("w")


def _taken(descriptor: int) -> bool:
    """Try to lock without waiting."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def faults_explained() -> Iterator[None]:
    """Say of the operating system's refusals in plain words who must act."""
    try:
        yield
    except shutil.Error as refusal:
        # Of shutil.copytree: for each file that could not be copied its reason, as text.
        reason = str(refusal.args[0][0][-1])
        full = any(os.strerror(code) in reason for code in FULL)
        hint = FULL_HINT if full else "the folders of KILN_CACHE and --output must be readable and writable"
        raise MachineError(reason, hint) from refusal
    except OSError as refusal:
        if isinstance(refusal, ConnectionError | TimeoutError) or refusal.errno is None:
            raise
        where = f": {refusal.filename}" if refusal.filename else ""
        hint = FULL_HINT if refusal.errno in FULL else "the folders of KILN_CACHE and --output must be writable"
        raise MachineError(f"{refusal.strerror}{where}", hint) from refusal
    except KilnError as failure:
        if isinstance(failure, MachineError) or os.strerror(errno.ENOSPC) not in failure.what:
            raise
        line = next(line for line in failure.what.splitlines() if os.strerror(errno.ENOSPC) in line)
        raise MachineError(line.strip(), FULL_HINT) from failure


def sweep() -> None:
    """Remove what killed builds left half made in the cache, and what no build has used for long.

    A package that another build holds by a second name stays there; one that vanishes before it was taken is fetched
    again.
    """
    for release in folder().glob("packages/*/"):
        _date_packages(release)
    for path in (one for kind in KEPT for one in folder().glob(kind)):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - UNUSED:
                remove(path)
    for path in [*folder().glob("tools/*.partial"), *folder().glob("trees/*.partial.*")]:
        with _lock(f"{path.parent.name}-{path.name.split('.')[0]}") as file:
            if _taken(file.fileno()):
                remove(path)


KEPT = ("trees/*.tar.zst", "packages/*/*", "lists/*")
"""What goes when it is not used; its time is that of its last use."""


def _date_packages(release: Path) -> None:
    """Date what lies there from before uses were noted: apt gives a file the time at which its archive got it."""
    mark = release / ".dated"
    if mark.exists():
        return
    for path in release.iterdir():
        with suppress(FileNotFoundError):
            os.utime(path)
    mark.touch()


def clean(*, output: Path | None = None) -> list[Path]:
    """Remove the cache, and the images below `output` where it is given; returns what was removed.

    Trees hold files of other owners where an ordinary user built them: they are removed by the same door as they
    were made through.
    """
    gone = [path for path in (folder(), output) if path is not None and path.exists()]
    for path in gone:
        remove(path)
    return gone


def remove(path: Path) -> None:
    """Remove a file or a tree, whoever of this user's subordinate ids owns what is in it."""
    if not os.path.lexists(path):
        return
    if path.is_dir() and not path.is_symlink() and os.geteuid() != 0:
        run(*entry(), "rm", "-rf", "--one-file-system", "--", path)
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
