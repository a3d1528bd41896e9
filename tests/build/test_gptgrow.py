"""A partition table is mended from its whole copy, and only where nothing lies in the way."""

import shutil
from pathlib import Path

import pytest

from build.gpt import BIOS_BOOT, ESP, ROOT_X86_64, NotADisk, PartitionTable, read_table
from build.gptgrow import mend
from tests.harness.images import MIB, SECTORS, write_gpt

SIZE = 8 * MIB
PARTITIONS = [
    (14, BIOS_BOOT, SECTORS, SECTORS),
    (15, ESP, 2 * SECTORS, SECTORS),
    (1, ROOT_X86_64, 3 * SECTORS, SECTORS),
]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.truncate(SIZE)
        write_gpt(file, SIZE, PARTITIONS)
    return path


def table(disk: Path) -> PartitionTable:
    with disk.open("rb") as file:
        return read_table(file, disk.stat().st_size)


def blank(disk: Path, sector: int, sectors: int = 1) -> None:
    with disk.open("r+b") as file:
        file.seek(sector * 512)
        file.write(b"\xff" * 512 * sectors)


@pytest.mark.parametrize("sector", [1, 2, SIZE // 512 - 1, SIZE // 512 - 20])
def test_writes_a_damaged_copy_anew(disk: Path, sector: int) -> None:
    whole = disk.read_bytes()
    blank(disk, sector)
    assert table(disk).problems
    mend(disk, SIZE)
    assert disk.read_bytes() == whole


def test_moves_the_backup_to_a_new_end(disk: Path) -> None:
    before = table(disk)
    mend(disk, 9 * MIB)
    after = table(disk)
    assert (after.partitions, after.disk_guid, after.problems) == (before.partitions, before.disk_guid, ())
    assert not any(disk.read_bytes()[SIZE - 33 * 512 : SIZE])


def test_leaves_a_whole_table_as_it_is(disk: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(disk, tmp_path / "copy"))
    mend(disk, SIZE)
    assert disk.read_bytes() == copy.read_bytes()


def test_refuses_where_no_copy_is_whole(disk: Path) -> None:
    blank(disk, 2)
    blank(disk, SIZE // 512 - 2)
    before = disk.read_bytes()
    with pytest.raises(NotADisk, match="neither copy"):
        mend(disk, SIZE)
    assert disk.read_bytes() == before


@pytest.mark.parametrize("partition", [(2, ESP, 20, 10), (2, ESP, 4 * SECTORS, 4 * SECTORS)])
def test_never_writes_over_a_partition(disk: Path, partition: tuple[int, str, int, int]) -> None:
    with disk.open("r+b") as file:
        write_gpt(file, SIZE, [*PARTITIONS, partition])
    before = disk.read_bytes()
    with pytest.raises(NotADisk, match="a partition lies where"):
        mend(disk, SIZE)
    assert disk.read_bytes() == before
