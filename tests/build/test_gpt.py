"""Partition tables: good ones are described, damaged ones said to be so, garbage never crashes or hangs a reader."""

import contextlib
import io
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from build.gpt import BIOS_BOOT, ESP, MBR_SWAP, ROOT_X86_64, NotADisk, PartitionTable, read_table
from tests.harness.images import SECTORS, write_gpt

SIZE = 8 << 20
LAST = SIZE // 512 - 1
PARTITIONS = [
    (14, BIOS_BOOT, SECTORS, SECTORS),
    (15, ESP, 2 * SECTORS, SECTORS),
    (1, ROOT_X86_64, 3 * SECTORS, SECTORS),
]


def gpt_disk(partitions: list[tuple[int, str, int, int]] = PARTITIONS) -> bytearray:
    file = io.BytesIO(bytes(SIZE))
    write_gpt(file, SIZE, partitions)
    return bytearray(file.getvalue())


def mbr_sector(*slots: tuple[int, int, int, int], signature: int = 0) -> bytes:
    """Slots are status, type, first sector, sectors."""
    table = b"".join(struct.pack("<B3xB3xII", status, kind, at, count) for status, kind, at, count in slots)
    return struct.pack("<440xIH", signature, 0) + table.ljust(64, b"\0") + b"\x55\xaa"


def read(disk: bytes | bytearray) -> PartitionTable:
    return read_table(io.BytesIO(bytes(disk)), len(disk))


def test_describes_a_gpt() -> None:
    table = read(gpt_disk())
    assert (table.kind, table.problems, table.protective_status) == ("gpt", (), 0)
    assert [(one.number, one.type, one.start, one.sectors) for one in table.partitions] == sorted(PARTITIONS)
    assert table.of_type(ESP)[0].name == "part 15"


def test_describes_an_mbr_with_its_logical_partitions() -> None:
    disk = bytearray(SIZE)
    disk[:512] = mbr_sector((0x80, 0x83, 2048, 2048), (0, 0x05, 4096, 8192), signature=0xCAFE)
    disk[4096 * 512 : 4097 * 512] = mbr_sector((0, 0x83, 63, 1000), (0, 0x05, 2048, 2048))
    disk[6144 * 512 : 6145 * 512] = mbr_sector((0, 0x82, 63, 1000))
    table = read(disk)
    assert (table.kind, table.disk_guid, table.problems) == ("mbr", "0000CAFE", ())
    assert [(one.number, one.start, one.bootable) for one in table.partitions] == [
        (1, 2048, True),
        (5, 4159, False),
        (6, 6207, False),
    ]
    assert table.of_type(MBR_SWAP)[0].number == 6


@pytest.mark.parametrize(
    ("at", "content", "problem"),
    [
        (512 + 20, b"\1", "GPT header at sector 1: wrong checksum"),
        (512, b"E", ""),
        (1024 + 40, b"\7", "partition entries at sector 2: wrong checksum"),
        (LAST * 512, b"X", f"backup GPT header at the last sector ({LAST}): no signature"),
        (450, b"\0", "no protective MBR"),
    ],
)
def test_reads_the_other_copy_of_a_damaged_table_and_says_so(at: int, content: bytes, problem: str) -> None:
    disk = gpt_disk()
    disk[at : at + len(content)] = content
    table = read(disk)
    assert len(table.partitions) == 3
    assert problem in "; ".join(table.problems)


def test_notices_a_disk_that_grew_behind_its_backup() -> None:
    assert "no signature" in read(gpt_disk() + bytes(1 << 20)).problems[0]


@pytest.mark.parametrize(
    ("partitions", "problem"),
    [
        ([(1, ESP, 2048, 2048), (2, ESP, 3000, 2048)], "partitions 1 and 2 overlap"),
        ([(1, ESP, 2048, 1 << 20)], "behind the disk's last sector"),
        ([(1, ESP, 2048, 0)], "partition 1 is empty"),
    ],
)
def test_notices_partitions_that_cannot_be(partitions: list[tuple[int, str, int, int]], problem: str) -> None:
    assert problem in "; ".join(read(gpt_disk(partitions)).problems)


def test_leaves_a_chain_that_goes_round_in_circles() -> None:
    disk = bytearray(SIZE)
    disk[:512] = mbr_sector((0, 0x05, 4096, 8192))
    disk[4096 * 512 : 4097 * 512] = mbr_sector((0, 0x83, 63, 100), (0, 0x05, 2048, 2048))
    disk[6144 * 512 : 6145 * 512] = mbr_sector((0, 0x83, 63, 100), (0, 0x05, 2048, 2048))
    assert "circles" in "; ".join(read(disk).problems)


@pytest.mark.parametrize(
    ("disk", "what"),
    [
        (b"", "no partition table"),
        (bytes(4096), "no partition table"),
        (mbr_sector(), "is empty"),
        (b"\xeb\x3c\x90mkfs.fat".ljust(446, b"\0") + b"text" * 16 + b"\x55\xaa", "holds no partition table"),
        (mbr_sector((0, 0xEE, 1, 1)), "no readable partition table"),
    ],
)
def test_refuses_what_has_no_table(disk: bytes, what: str) -> None:
    with pytest.raises(NotADisk, match=what):
        read(disk)


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@given(some.lists(some.tuples(some.integers(0, 8191), some.binary(min_size=1, max_size=64)), max_size=12))
@example([(512 + 80, b"\xff\xff\xff\xff\xff\xff\xff\xff")])
def test_survives_damage(wounds: list[tuple[int, bytes]]) -> None:
    disk = gpt_disk()
    for at, content in wounds:
        disk[at : at + len(content)] = content
    file = Counting(bytes(disk))
    with contextlib.suppress(NotADisk):
        read_table(file, len(disk))
    assert file.count < 8 << 20


@given(some.binary(max_size=4096))
def test_survives_garbage(noise: bytes) -> None:
    disk = noise[:510].ljust(510, b"\0") + b"\x55\xaa" + noise[510:]
    try:
        read(disk)
    except NotADisk as refused:
        assert refused.what and refused.status == 2
