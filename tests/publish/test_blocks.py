"""Blocks, extents and ranges: what is sent, what is made zero, and what is left alone."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.digest import BLOCK, content_digest
from build.errors import CallerError
from publish.blocks import CHUNK, Blocks, Extent, Ranges, extents
from publish.sending import everything, missing, stale, wrong
from publish.source import Source, read
from tests.publish.images import PIECE, SIZE, disk, written

numbers = st.sets(st.integers(0, 400)).map(sorted)


def source(held: list[int]) -> Source:
    packed = b"".join(Blocks.entry(number, b"x") for number in held)
    return Source(Path("x"), 401 * BLOCK, "", b"", Blocks(packed), (0, 0, 0))


def covered(pieces: list[Extent]) -> set[int]:
    return {offset // BLOCK for one in pieces for offset in range(one.offset, one.end, BLOCK)}


@given(numbers)
def test_covers_exactly_the_blocks_that_hold_something(held: list[int]) -> None:
    made = list(extents(held, 401 * BLOCK))
    assert covered(made) == set(held)
    assert all(0 < one.length <= CHUNK for one in made)
    assert all(before.end <= after.offset for before, after in pairwise(made))


@given(numbers, numbers)
def test_sends_what_is_missing_and_clears_what_is_too_much(held: list[int], there: list[int]) -> None:
    one = source(held)
    ranges = Ranges.of((number * BLOCK, (number + 1) * BLOCK) for number in there)
    work = missing(one, ranges)
    assert covered(list(work.clear)) == set(there) - set(held)
    assert set(held) - set(there) <= covered(list(work.send)) <= set(held)
    assert covered(list(everything(one).send)) == set(held)


@given(numbers, st.integers(0, 400 * BLOCK // 512))
def test_never_clears_the_footer(held: list[int], sector: int) -> None:
    one = source(held)
    footer = Ranges.of(iter([(one.size, one.size + 512)]))
    assert stale(one, footer) == ()


@given(numbers, numbers)
def test_tells_what_changed_between_two_disks(before: list[int], after: list[int]) -> None:
    numbers, gone = source(after).blocks.changed_from(source(before).blocks)
    assert (set(numbers), set(gone)) == (set(after) - set(before), set(before) - set(after))


@given(numbers)
def test_reads_back_what_it_wrote(held: list[int]) -> None:
    blocks = source(held).blocks
    assert Blocks.read(blocks.written()) == blocks


@pytest.mark.parametrize("raw", [b"", b"x", b"\x1f\x8b"])
def test_refuses_a_damaged_list(raw: bytes) -> None:
    with pytest.raises(CallerError):
        Blocks.read(raw)


def test_reads_a_file_once_for_all_that_is_asked_of_it(tmp_path: Path) -> None:
    file = disk(tmp_path / "x.vhd", pieces=5)
    one = read(file)
    assert (one.size, one.digest, len(one.blocks)) == (SIZE, content_digest(file, SIZE), 5 * PIECE // BLOCK)
    assert one.footer == file.read_bytes()[SIZE:]


def test_sends_only_changed_blocks(tmp_path: Path) -> None:
    before = read(disk(tmp_path / "a.vhd"))
    file = disk(tmp_path / "b.vhd")
    written(file, 0, b"changed")
    after = read(file)
    numbers, gone = after.blocks.changed_from(before.blocks)
    assert (numbers, gone) == ([0], [])
    there = Ranges.of((one.offset, one.end) for one in extents(before.blocks.numbers, SIZE))
    work = wrong(after, numbers, there)
    assert (work.send, work.clear) == ((), (Extent(0, BLOCK),))
    left = Ranges.of((max(start, BLOCK), end) for start, end in zip(there.starts, there.ends, strict=True))
    assert missing(after, left).send == (Extent(0, BLOCK),)


def test_notices_a_file_that_changes_meanwhile(tmp_path: Path) -> None:
    file = disk(tmp_path / "x.vhd")
    one = read(file)
    written(file, 1, b"x")
    with pytest.raises(CallerError, match="was changed while it was read"):
        one.require_unchanged()


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda raw: raw[:-512], "it has no footer"),
        (lambda raw: raw[: len(raw) - 1024] + raw[-512:], "is cut or padded"),
        (lambda raw: raw[:100], "it has no footer"),
    ],
)
def test_takes_fixed_vhds_alone(damage: object, what: str, tmp_path: Path) -> None:
    file = disk(tmp_path / "x.vhd")
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(CallerError, match=what):
        read(file)
