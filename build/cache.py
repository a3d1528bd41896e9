"""The cache: what builds keep for the next one, in one folder, locked per key."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build.command import run
from build.errors import MachineError
from build.privileges import entry


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
def locked(key: str) -> Iterator[None]:
    """Hold the lock of this key; wait while another build holds it. The lock goes with the process."""
    path = folder() / "locks" / key
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
    if not path.exists() and not path.is_symlink():
        return
    if path.is_dir() and not path.is_symlink() and os.geteuid() != 0:
        run(*entry(), "rm", "-rf", "--one-file-system", "--", path)
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
