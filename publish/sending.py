"""Bringing a page blob to a file's content: the pages that are missing, those that must be zero, the footer at last.

The footer is the commit mark: without it neither Azure nor Kiln takes a blob for a disk.
"""

import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from build.digest import BLOCK
from build.errors import CallerError, KilnError, MachineError
from build.progress import Progress
from build.vhd import LENGTH
from publish import refusals
from publish.blocks import Extent, Ranges, extents
from publish.meter import Meter
from publish.pageblob import PageBlob
from publish.person import whoami
from publish.source import Source
from publish.transfer import carry

VERIFY = ("ranges", "sample", "full")
SAMPLE = 32
"""Pieces that `sample` reads back."""
LARGEST_CLEAR = 1 << 30
"""Bytes that one request makes zero: those are not sent, but a service takes its time for them."""
WRITER = "writer"
"""Names who fills a blob, in its metadata."""
FENCED = "SequenceNumberConditionNotMet"
"""What a writer is told whose number is not the newest."""


@dataclass(frozen=True)
class Work:
    """What is to be done: pieces to send, and pieces to make zero."""

    send: tuple[Extent, ...]
    clear: tuple[Extent, ...]

    @property
    def length(self) -> int:
        """Bytes that will be sent."""
        return sum(one.length for one in self.send)


def missing(source: Source, there: Ranges, most: int = LARGEST_CLEAR) -> Work:
    """What a blob lacks whose blocks are right wherever something is: one write is whole or not at all."""
    lacking = [one for one in source.blocks.numbers if not there.hold(_block(one, source.size))]
    return Work(tuple(extents(lacking, source.size)), stale(source, there, most))


def everything(source: Source) -> Work:
    """All data of the file, whatever a blob holds."""
    return Work(tuple(extents(source.blocks.numbers, source.size)), ())


def wrong(source: Source, numbers: Iterable[int], there: Ranges) -> Work:
    """What must go of a blob that holds something else in the blocks with these numbers, and its footer with them."""
    footer = Extent(source.size, LENGTH)
    held = [one for one in numbers if there.touch(_block(one, source.size))]
    pieces = (*extents(held, source.size, LARGEST_CLEAR), *stale(source, there))
    return Work((), (*((footer,) if there.touch(footer) else ()), *pieces))


def _block(number: int, size: int) -> Extent:
    return Extent(number * BLOCK, min(BLOCK, size - number * BLOCK))


def stale(source: Source, there: Ranges, most: int = LARGEST_CLEAR) -> tuple[Extent, ...]:
    """Where a blob has something, and the file nothing but zeros, in pieces of at most `most` bytes.

    The footer's page is another matter.
    """
    wanted = Ranges.of((number * BLOCK, min((number + 1) * BLOCK, source.size)) for number in source.blocks.numbers)
    found = _without(Ranges.of(_cut(there, source.size)), wanted)
    return tuple(piece for one in found for piece in _pieces(one, most))


def _cut(there: Ranges, size: int) -> Iterator[tuple[int, int]]:
    return ((one.offset, min(one.end, size)) for one in there if one.offset < size)


def _without(there: Ranges, wanted: Ranges) -> Iterator[Extent]:
    """The parts of `there` that no part of `wanted` covers."""
    pieces = list(wanted)
    at = 0
    for one in there:
        start = one.offset
        while at < len(pieces) and pieces[at].end <= start:
            at += 1
        number = at
        while start < one.end:
            piece = pieces[number] if number < len(pieces) else None
            end = min(one.end, piece.offset) if piece else one.end
            if start < end:
                yield Extent(start, end - start)
            start = max(start, end if not piece else piece.end)
            number += 1


def _pieces(one: Extent, most: int) -> Iterator[Extent]:
    for start in range(one.offset, one.end, most):
        yield Extent(start, min(most, one.end - start))


def send(
    source: Source,
    blob: PageBlob,
    work: Work,
    fence: int | None,
    progress: Progress,
    renew: Callable[[], bool] = lambda: False,
    *,
    zeros: bool = False,
) -> None:
    """Do the work, all but the footer; with `zeros` pages are written over with them, else taken off the blob.

    Raises CallerError where the file was changed, else as `transfer.carry` does."""
    what = f"upload of {source.path.name}"
    with source.path.open("rb", buffering=0) as file:

        def move(one: Extent) -> int:
            data = os.pread(file.fileno(), one.length, one.offset)
            if len(data) != one.length:
                raise CallerError(f"{source.path} became shorter while it was read", "let it be, and run it again")
            blob.put(data, one.offset, fence)
            return one.length

        def clear(one: Extent) -> int:
            if zeros:
                blob.put(bytes(one.length), one.offset, fence)
            else:
                blob.clear(one, fence)
            return 0

        meter = Meter(f"Uploading {source.path.name}", work.length, progress)
        with _fenced(blob):
            if work.clear:
                carry(what, work.clear, clear, meter, renew=renew)
            carry(what, work.send, move, meter, renew=renew)
    source.require_unchanged()


def commit(source: Source, blob: PageBlob, fence: int | None, renew: Callable[[], bool] = lambda: False) -> None:
    """Write the footer: from now on the blob is a disk."""

    def move(one: Extent) -> int:
        blob.put(source.footer, one.offset, fence)
        return 0

    with _fenced(blob):
        last = [Extent(source.size, LENGTH)]
        carry(f"upload of {source.path.name}", last, move, Meter("", 0, Progress()), renew=renew)


def verify(
    source: Source,
    blob: PageBlob,
    how: str,
    progress: Progress,
    renew: Callable[[], bool] = lambda: False,
    *,
    zeroed: tuple[Extent, ...] = (),
) -> None:
    """Compare the blob with the file: by its ranges, and by what is read back of it (one of VERIFY). `zeroed` is where
    zeros were written, which count as something there.

    Raises MachineError where they differ.
    """
    what = f"verification of {source.path.name}"
    with refusals.told(what):
        there = blob.ranges()
    wanted = list(extents(source.blocks.numbers, source.size))
    whole = [*wanted, Extent(source.size, LENGTH)]
    lacking = next((one for one in whole if not there.hold(one)), None)
    known = Ranges.of((one.offset, one.end) for one in zeroed)
    extra = [one for one in stale(source, there) if not known.hold(one)]
    if lacking or extra:
        where = (lacking or extra[0]).offset
        raise MachineError(f"{blob.url} differs from {source.path} at {where}", "upload it again")
    _read_back(source, blob, _chosen(wanted, how, source.digest), progress, renew)


def _chosen(wanted: list[Extent], how: str, seed: str) -> list[Extent]:
    """What is read back: nothing, some pieces (the same for the same content, the first always), or all."""
    if how == "full":
        return wanted
    if how == "ranges" or not wanted:
        return []
    return [wanted[0], *random.Random(seed).sample(wanted[1:], min(SAMPLE, len(wanted) - 1))]


def _read_back(
    source: Source, blob: PageBlob, pieces: list[Extent], progress: Progress, renew: Callable[[], bool]
) -> None:
    if not pieces:
        return
    meter = Meter(f"Reading back {source.path.name}", sum(one.length for one in pieces), progress)
    with source.path.open("rb", buffering=0) as file:

        def move(one: Extent) -> int:
            if blob.read(one) != os.pread(file.fileno(), one.length, one.offset):
                raise MachineError(f"{blob.url} differs from {source.path} at {one.offset}", "upload it again")
            return one.length

        carry(f"verification of {source.path.name}", pieces, move, meter, renew=renew)


@contextmanager
def _fenced(blob: PageBlob) -> Iterator[None]:
    """Says in one line that another writer took over."""
    try:
        yield
    except KilnError as failure:
        if FENCED not in failure.what:
            raise
        raise overtaken(blob) from None


def overtaken(blob: PageBlob) -> CallerError:
    """What is said to a writer whom another one has shut out, with that one's name where it has signed already."""
    try:
        with refusals.told(blob.url):
            state = blob.state()
    except KilnError:  # who it was comes second
        state = None
    who = state.metadata.get(WRITER, "") if state else ""
    named = f" by {who}" if who not in ("", whoami()) else ""
    return CallerError(
        f"another upload of {blob.url}{named} began, and this one was shut out",
        "let the other one finish, then run this again",
    )
