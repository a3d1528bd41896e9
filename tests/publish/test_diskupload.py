"""A managed disk, filled by its own address: what is there already, and an address whose time is over."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import BlobClient

from build.errors import CallerError, MachineError
from build.progress import Progress
from build.vhd import LENGTH
from publish import diskupload, pageblob
from publish.address import Address
from publish.blocks import Extent
from publish.guard import Guard, anything
from publish.playground.azure import Playground
from publish.playground.strict import Answer, Exchange
from publish.source import Source, read
from tests.publish.images import PIECE, SIZE, disk

pytestmark = pytest.mark.real
PIECES = 24


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return read(disk(tmp_path / "x.vhd", PIECES))


def address(playground: Playground, url: str, *seconds: int, guard: Guard = anything) -> Address:
    """The disk's address, which counts for so long, each time that it is asked for."""
    left = list(seconds)

    def reach() -> BlobClient:
        granted = playground.blobs.address(url, left.pop(0) if len(left) > 1 else left[0], write=True)
        return pageblob.by_address(granted, str(playground.certificate.authority), guard)

    return Address(reach, 1e9)


def made(playground: Playground, length: int = SIZE + 512) -> str:
    return playground.blobs.make_disk(f"disk{len(playground.gate.exchanges)}", length)


def content(playground: Playground, url: str) -> bytes:
    blob = address(playground, url, 3600).blob
    return bytes(blob.client.download_blob().readall())


def test_writes_zeros_where_something_is(playground: Playground, source: Source) -> None:
    url = made(playground)
    there = address(playground, url, 3600)
    there.blob.put(b"\1" * 4096, PIECE, None)
    done = diskupload.upload(source, there, Progress(), verify="full")
    assert content(playground, url) == source.path.read_bytes()
    assert done.cleared


def test_goes_on_where_an_earlier_run_ended(playground: Playground, source: Source) -> None:
    url = made(playground)
    there = address(playground, url, 3600)
    there.blob.put(source.path.read_bytes()[:PIECE], 0, None)
    done = diskupload.upload(source, there, Progress())
    assert done.sent == (PIECES - 1) * PIECE
    assert "were there from an earlier run" in done.done
    assert content(playground, url) == source.path.read_bytes()


def test_asks_for_another_address_when_its_time_is_over(playground: Playground, source: Source) -> None:
    url = made(playground)
    seen: list[Exchange] = []

    def later(one: Exchange, before: int) -> Answer | None:
        if one.operation == "Put Page":
            seen.append(one)
        if len(seen) == 10:
            playground.gate.clock = lambda: datetime.now(UTC) + timedelta(seconds=120)
        return None

    playground.gate.faults.append(later)
    try:
        there = address(playground, url, 60, 36000)
        there._got -= 60  # it was not renewed just now
        diskupload.upload(source, there, Progress())
    finally:
        playground.gate.clock = lambda: datetime.now(UTC)
    assert content(playground, url) == source.path.read_bytes()


@pytest.mark.parametrize("length", [SIZE // 2 + 512, SIZE * 2 + 512])
def test_refuses_a_disk_of_another_size(playground: Playground, source: Source, length: int) -> None:
    there = address(playground, made(playground, length), 3600)
    with pytest.raises(CallerError, match="the managed disk is of"):
        diskupload.upload(source, there, Progress())


def test_writes_no_footer_once_another_may_fill_it(playground: Playground, source: Source) -> None:
    """A disk's address knows no numbers that fence: its one writer is held by the lock alone."""
    url, asked = made(playground), list[str]()

    def guard(what: str) -> None:
        asked.append(what)
        if len(asked) > PIECES:
            raise MachineError("no longer held")

    there = address(playground, url, 3600, guard=guard)
    with pytest.raises(MachineError, match="no longer held"):
        diskupload.upload(source, there, Progress())
    assert all("sig=" not in one for one in asked)
    assert not there.blob.ranges().touch(Extent(SIZE, LENGTH))
    assert there.blob.ranges().hold(Extent(0, PIECE))
