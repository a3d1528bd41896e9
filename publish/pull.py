"""Bringing a disk of Azure here: only what is used of it is read, into a sparse fixed VHD.

A snapshot, a managed disk or a staged blob shows its used ranges; reading them piece by piece can be gone on with.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

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


def pull(disk: str, address: Address, output: Path, progress: Progress) -> Path:
    """The disk of that id, at that address, as the fixed VHD `output`; one that was begun is gone on with.

    Raises CallerError where `output` exists or the address leads to no disk, MachineError where there is no room for
    it or nothing comes through, SubscriptionError where access is refused.
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
    partial = output.with_name(f".{output.name}.partial")
    try:
        _read({"disk": disk, "length": state.length}, address, there, partial, progress)
        _seal(partial, state.length)
    except OSError as refusal:
        raise MachineError(
            f"{output} cannot be written: {refusal.strerror}", "make room; what is here is kept"
        ) from None
    partial.rename(output)
    _record(partial).unlink(missing_ok=True)
    return output


def _read(whose: dict[str, object], address: Address, there: Ranges, partial: Path, progress: Progress) -> None:
    """Read what is missing. What a piece holds is on disk before the record says that it is here."""
    record = _record(partial)
    here = _here(record, whose) if partial.exists() else set()
    pieces = [one for one in _pieces(there) if one.offset not in here]
    _room(partial, sum(one.length for one in pieces))
    with partial.open("r+b" if partial.exists() else "w+b", buffering=0) as file, record.open("a") as told:
        os.truncate(partial, int(str(whose["length"])))
        if not here:
            told.truncate(0)
            told.write(f"{json.dumps(whose)}\n")
        blob: PageBlob = address.blob

        def move(one: Extent) -> int:
            os.pwrite(file.fileno(), blob.read(one), one.offset)
            os.write(told.fileno(), f"{one.offset}\n".encode())
            return one.length

        told.flush()
        meter = Meter(
            f"Reading {partial.name[1:].removesuffix('.partial')}", sum(one.length for one in pieces), progress
        )
        carry("disk", pieces, move, meter, renew=address.renew)
        os.fsync(file.fileno())


def _here(record: Path, whose: dict[str, object]) -> set[int]:
    """Offsets of pieces that an earlier run has read of this very disk; none where it was another."""
    try:
        first, *lines = record.read_text().splitlines()
        if json.loads(first) != whose:
            return set()
        return {int(line) for line in lines if line.isdigit()}
    except (OSError, ValueError):
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
