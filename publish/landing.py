"""Pieces of a disk as they arrive in a file, and the record beside it that says which ones are here.

The record may say too little and never too much, whenever power fails: it goes before a file is begun anew, a piece is
named once the disk has it, and a line that was cut short counts for nothing.
"""

import errno
import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from build.errors import CallerError
from build.progress import Progress

RECORD = ".ranges"
"""Ends the name of the record."""
BATCH = 4
"""Pieces that wait for the disk together."""


class Landing:
    """A file that fills. `here` are the offsets of the pieces that an earlier run has brought."""

    def __init__(self, file: int, record: int, here: frozenset[int] = frozenset()) -> None:
        self.here = here
        self._file, self._record = file, record
        self._lock = threading.Lock()
        self._waiting: list[int] = []
        self._lost = False

    def put(self, offset: int, data: bytes) -> None:
        """Write a piece. Raises OSError where there is no room for all of it, or the disk fails."""
        left, at = memoryview(data), offset
        while left:
            written = os.pwrite(self._file, left, at)
            at, left = at + written, left[written:]
        with self._lock:
            self._waiting.append(offset)
            if len(self._waiting) >= BATCH:
                self._settle()

    def settle(self) -> None:
        """Have the disk take what has arrived, and say that it is here. Raises OSError where the disk fails."""
        with self._lock:
            self._settle()

    def _settle(self) -> None:
        # A disk says once that it lost something, and then that all is well: of what came until now nothing is certain.
        if self._lost or not self._waiting:
            return
        self._lost = True
        os.fsync(self._file)
        told = "".join(f"{one}\n" for one in self._waiting).encode()
        if os.write(self._record, told) != len(told):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._waiting.clear()
        self._lost = False


@contextmanager
def begun(partial: Path, known_by: Mapping[str, str], length: int, progress: Progress) -> Iterator[Landing]:
    """`partial`, `length` bytes long, as an earlier run has left it where that was of the very same, else empty.

    It is this process's alone until the end, even by another name. Raises CallerError where another has it, OSError.
    """
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        _alone(partial, descriptor)
        here = _here(partial, known_by, progress)
        if not here:
            _begin_anew(partial, descriptor, known_by)
        os.truncate(descriptor, length)
        with record(partial).open("ab", buffering=0) as told:
            landing = Landing(file.fileno(), told.fileno(), here)
            try:
                yield landing
            except BaseException:
                with suppress(OSError):  # what went wrong first is told
                    landing.settle()
                raise
            landing.settle()


def _alone(partial: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = partial.stat().st_ino == os.fstat(descriptor).st_ino
    except (BlockingIOError, FileNotFoundError):
        mine = False
    if not mine:
        # Where the file has its last name by now, another run has just finished it.
        raise CallerError(f"another run reads into {partial}", "let it finish, or name another file with --output")


def _here(partial: Path, known_by: Mapping[str, str], progress: Progress) -> frozenset[int]:
    """Offsets of pieces that an earlier run has read of the very same; none where it read another, or nobody knows."""
    if not record(partial).exists():
        return frozenset()
    raw = record(partial).read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    try:
        first, *lines = whole.decode().splitlines() or [""]
        if json.loads(first) == known_by:
            found = frozenset(map(int, lines))
            # What comes next must not lengthen a line that was cut short.
            os.truncate(record(partial), len(whole))
            return found
    except ValueError:
        pass
    progress.note(f"what {partial.name} holds is of another disk, or of this one as it was: it begins anew")
    return frozenset()


def _begin_anew(partial: Path, descriptor: int, known_by: Mapping[str, str]) -> None:
    record(partial).unlink(missing_ok=True)
    _settle_folder(partial.parent)
    os.truncate(descriptor, 0)
    os.fsync(descriptor)
    record(partial).write_text(f"{json.dumps(known_by)}\n")
    _settle_folder(partial.parent)


def finish(partial: Path, output: Path) -> None:
    """Give the file its last name, all of it on the disk. Raises OSError."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.rename(output)
    record(partial).unlink(missing_ok=True)
    _settle_folder(output.parent)


def _settle_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def record(partial: Path) -> Path:
    """The record beside that file."""
    return partial.with_name(partial.name + RECORD)
