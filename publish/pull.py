"""Bringing a disk of Azure here: only what is used of it is read, into a sparse fixed VHD.

A snapshot, a managed disk or a staged blob shows its used ranges; reading them piece by piece can be gone on with.
"""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from build.cache import FULL
from build.errors import CallerError, MachineError
from build.progress import Progress
from build.vhd import COOKIE, EPOCH, LENGTH, MIB, Footer
from publish import refusals
from publish.address import Address
from publish.blocks import CHUNK, Extent, Ranges
from publish.convert import identity
from publish.meter import Meter
from publish.pageblob import PageBlob
from publish.transfer import carry

RECORD = ".ranges"
"""Ends the name of the file that says which pieces are here already."""
BATCH = 4
"""Pieces that wait for the disk together."""


@dataclass(frozen=True)
class Origin:
    """What is brought here. `known_by` tells it from every other disk, and from what it was before it changed;
    `may_change` says that it may do so while it is read, which the service then has to notice."""

    known_by: Mapping[str, str]
    may_change: bool = False


def pull(origin: Origin, address: Address, output: Path, progress: Progress) -> Path:
    """What lies at that address, as the fixed VHD `output`; one that was begun of the very same is gone on with.

    Raises CallerError where `output` exists, the address leads to no disk or it changes meanwhile, MachineError where
    there is no room for it or nothing comes through, SubscriptionError where access is refused.
    """
    if output.exists():
        raise CallerError(f"{output} exists already", "name another file with --output")
    if not output.absolute().parent.is_dir():
        raise CallerError(f"{output.parent} is no folder", "make it, or name another file with --output")
    with refusals.told("disk"):
        state = address.blob.state()
        if state is None:
            raise CallerError("there is no disk at that address", "is the id right, and does it still exist?")
        if state.length <= LENGTH or state.length % LENGTH:
            raise CallerError(f"what is there has {state.length} bytes and is no disk", "name a disk, not another blob")
        there = address.blob.ranges()
    etag = state.etag if origin.may_change else ""
    known_by = {**origin.known_by, "length": str(state.length), "etag": etag}
    partial = output.with_name(f".{output.name}.partial")
    try:
        _read(known_by, address, there, partial, progress)
        _seal(partial, state.length)
        partial.rename(output)
        _record(partial).unlink(missing_ok=True)
    except OSError as refusal:
        hint = "make room; what is here is kept" if refusal.errno in FULL else "name another file with --output"
        raise MachineError(f"{output} cannot be written: {refusal.strerror}", hint) from None
    return output


def _read(known_by: Mapping[str, str], address: Address, there: Ranges, partial: Path, progress: Progress) -> None:
    """Read what is missing."""
    here = _here(partial, known_by, progress)
    pieces = [one for one in _pieces(there) if one.offset not in here]
    _room(partial, sum(one.length for one in pieces))
    with (
        partial.open("r+b" if here else "w+b", buffering=0) as file,
        _record(partial).open("a" if here else "w") as told,
    ):
        os.truncate(partial, int(known_by["length"]))
        if not here:
            told.write(f"{json.dumps(known_by)}\n")
            told.flush()
        name = partial.name[1:].removesuffix(".partial")
        meter = Meter(f"Reading {name}", sum(one.length for one in pieces), progress)
        with Landing(file.fileno(), told.fileno()) as landing:
            blob, etag = address.blob, known_by["etag"]
            carry("disk", pieces, lambda one: _move(blob, etag, landing, one), meter, renew=address.renew)


def _move(blob: PageBlob, etag: str, landing: "Landing", one: Extent) -> int:
    landing.put(one.offset, blob.read(one, etag))
    return one.length


class Landing:
    """Pieces as they arrive: the record says of one that it is here only after the disk has it."""

    def __init__(self, file: int, record: int) -> None:
        self.file, self.record = file, record
        self._lock = threading.Lock()
        self._waiting: list[int] = []

    def __enter__(self) -> "Landing":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._settle()

    def put(self, offset: int, data: bytes) -> None:
        """Write a piece. Raises OSError where there is no room for all of it."""
        left = memoryview(data)
        while left:
            written = os.pwrite(self.file, left, offset)
            offset, left = offset + written, left[written:]
        with self._lock:
            self._waiting.append(offset - len(data))
            if len(self._waiting) >= BATCH:
                self._settle()

    def _settle(self) -> None:
        os.fsync(self.file)
        os.write(self.record, "".join(f"{one}\n" for one in self._waiting).encode())
        self._waiting.clear()


def _here(partial: Path, known_by: Mapping[str, str], progress: Progress) -> set[int]:
    """Offsets of pieces that an earlier run has read of the very same; none, and it goes, where it was of another."""
    record = _record(partial)
    if not partial.exists() or not record.exists():
        return set()
    try:
        first, *lines = record.read_text().split("\n")
        if json.loads(first) == known_by:
            # The last line may be cut short where the machine died.
            return {int(line) for line in lines[:-1]}
    except ValueError:
        pass
    progress.note(f"what {partial.name} holds is of another disk, or of this one as it was: it begins anew")
    return set()


def _pieces(there: Ranges) -> Iterator[Extent]:
    """The used ranges in pieces that one request can carry, cut at whole multiples so that each run cuts alike."""
    for one in there:
        start = one.offset
        while start < one.end:
            end = min(one.end, start - start % CHUNK + CHUNK)
            yield Extent(start, end - start)
            start = end


def _seal(partial: Path, length: int) -> None:
    """See to it that the file is a fixed VHD: exports of disks are, other blobs get their footer."""
    with partial.open("r+b") as file:
        file.seek(length - LENGTH)
        if file.read(LENGTH).startswith(COOKIE):
            return
        if length % MIB:
            raise CallerError("what was read is no disk: no footer, and no whole number of MiB", "name a disk")
        file.seek(0)
        footer = Footer.build(length, identity(length, file.read(MIB)), EPOCH)
        file.seek(length)
        file.write(bytes(footer))
        file.flush()
        os.fsync(file.fileno())


def _room(partial: Path, needed: int) -> None:
    state = os.statvfs(partial.absolute().parent)
    free = state.f_bavail * state.f_frsize
    if free < needed:
        raise MachineError(
            f"{partial.parent} has {free // MIB} MiB free, and {needed // MIB} must be read",
            "make room, or choose --output",
        )


def _record(partial: Path) -> Path:
    return partial.with_name(partial.name + RECORD)
