"""Scratch folders that are not left for good, however their owner ends.

Each is locked while its owner lives. Nothing tidies up after a kill -9, but whoever needs the next one removes those
whose lock is free.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "kiln-scratch-"


@contextmanager
def scratch_folder(below: Path | None = None) -> Iterator[Path]:
    """A new folder, below the system's folder for such things or `below`, until the block is left."""
    base = Path(tempfile.gettempdir()) if below is None else below
    remove_leftovers(base.glob(f"{PREFIX}*"))
    folder, lock = _locked_folder(base)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Remove those of these folders whose owner is gone; another user's stay."""
    for folder in folders:
        if (lock := _lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def is_used(folder: Path) -> bool:
    """Whether a scratch folder in this one has an owner who lives."""
    for one in folder.glob(f"{PREFIX}*"):
        if (lock := _lock(one)) is None:
            return True
        os.close(lock)
    return False


def _locked_folder(base: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        lock = _lock(folder)
        if lock is not None and folder.exists():
            return folder, lock
        if lock is not None:  # someone took it for left over before we had locked it
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None where another has it, or the folder is not ours."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
