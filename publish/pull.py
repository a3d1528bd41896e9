"""Bringing a disk of Azure here: only what is used of it is read, into a sparse fixed VHD.

A snapshot, a managed disk or a staged blob shows its used ranges; reading them piece by piece can be gone on with.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from build.cache import FULL
from build.errors import CallerError, MachineError
from build.progress import Progress
from build.vhd import COOKIE, EPOCH, LENGTH, MIB, Footer
from publish import landing, refusals
from publish.address import Address
from publish.blocks import CHUNK, Extent, Ranges
from publish.convert import identity
from publish.landing import Landing
from publish.meter import Meter
from publish.pageblob import PageBlob
from publish.transfer import carry


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
    with _faults_explained(output):
        _require_free(output)
    with refusals.told("disk"):
        state = address.blob.state()
        if state is None:
            raise CallerError("there is no disk at that address", "is the id right, and does it still exist?")
        if state.length <= LENGTH or state.length % LENGTH:
            raise CallerError(f"what is there has {state.length} bytes and is no disk", "name a disk, not another blob")
        there = address.blob.ranges()
    etag = state.etag if origin.may_change else ""
    known_by = {**origin.known_by, "length": str(state.length), "etag": etag}
    filling = output.with_name(f".{output.name}.partial")
    with _faults_explained(output), landing.begun(filling, known_by, state.length, progress) as file:
        _read(etag, address, there, file, output, progress)
        _seal(filling, state.length)
        landing.finish(filling, output)
    return output


@contextmanager
def _faults_explained(output: Path) -> Iterator[None]:
    """Say in one line why the file system did not take it."""
    try:
        yield
    except OSError as refusal:
        hint = "make room; what is here is kept" if refusal.errno in FULL else "name another file with --output"
        raise MachineError(f"{output} cannot be written: {refusal.strerror or refusal}", hint) from None


def _require_free(output: Path) -> None:
    if output.exists():
        raise CallerError(f"{output} exists already", "name another file with --output")
    if not output.absolute().parent.is_dir():
        raise CallerError(f"{output.parent} is no folder", "make it, or name another file with --output")


def _read(etag: str, address: Address, there: Ranges, file: Landing, output: Path, progress: Progress) -> None:
    """Read what is missing."""
    pieces = [one for one in _pieces(there) if one.offset not in file.here]
    length = sum(one.length for one in pieces)
    _room(output.absolute().parent, length)
    meter = Meter(f"Reading {output.name}", length, progress)
    carry("disk", pieces, partial(_move, address.blob, etag, file), meter, renew=address.renew)
    file.settle()


def _move(blob: PageBlob, etag: str, file: Landing, one: Extent) -> int:
    file.put(one.offset, blob.read(one, etag))
    return one.length


def _pieces(there: Ranges) -> Iterator[Extent]:
    """The used ranges in pieces that one request can carry, cut at whole multiples so that each run cuts alike."""
    for one in there:
        start = one.offset
        while start < one.end:
            end = min(one.end, start - start % CHUNK + CHUNK)
            yield Extent(start, end - start)
            start = end


def _seal(filling: Path, length: int) -> None:
    """See to it that the file is a fixed VHD: exports of disks are, other blobs get their footer."""
    with filling.open("r+b") as file:
        file.seek(length - LENGTH)
        if file.read(LENGTH).startswith(COOKIE):
            return
        if length % MIB:
            raise CallerError("what was read is no disk: no footer, and no whole number of MiB", "name a disk")
        file.seek(0)
        footer = Footer.build(length, identity(length, file.read(MIB)), EPOCH)
        file.seek(length)
        file.write(bytes(footer))


def _room(folder: Path, needed: int) -> None:
    state = os.statvfs(folder)
    free = state.f_bavail * state.f_frsize
    if free < needed:
        raise MachineError(
            f"{folder} has {free // MIB} MiB free, and {needed // MIB} must be read",
            "make room, or choose --output",
        )
