"""Free blocks of a real ext file system: zeros where it is new, what was deleted where it was used."""

import subprocess
from pathlib import Path

import pytest

from build.command import find
from harness.extfree import sample

OFFSET = 1 << 20


def reader(file: Path):  # type: ignore[no-untyped-def]
    def read(offset: int, length: int) -> bytes:
        with file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(length)

    return read


def made(folder: Path, *options: str) -> Path:
    """A file system of 40 MiB at an offset, with a large file of which no byte is zero."""
    (folder / "tree").mkdir()
    (folder / "tree" / "large").write_bytes(b"\xff" * (16 << 20))
    disk = folder / "disk"
    with disk.open("wb") as file:
        file.truncate(OFFSET + (40 << 20))
    where = ("-E", f"offset={OFFSET}", "-d", str(folder / "tree"))
    subprocess.run([find("mke2fs"), "-q", "-F", *options, *where, str(disk), "40M"], check=True)
    return disk


@pytest.mark.parametrize("options", [("-t", "ext4"), ("-t", "ext4", "-b", "4096"), ("-t", "ext2", "-b", "1024")])
def test_tells_used_free_space_from_unused(tmp_path: Path, options: tuple[str, ...]) -> None:
    disk = made(tmp_path, *options)
    looked, full = sample(reader(disk), OFFSET)
    assert looked > 100
    assert full == 0
    subprocess.run([find("debugfs"), "-w", "-R", "rm /large", f"{disk}?offset={OFFSET}"], check=True)
    looked, full = sample(reader(disk), OFFSET)
    assert 0.3 < full / looked < 0.9


@pytest.mark.parametrize("options", [("-t", "ext4", "-O", "bigalloc"), ("-t", "ext4", "-O", "meta_bg,^resize_inode")])
def test_leaves_layouts_alone_that_it_does_not_know(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert sample(reader(made(tmp_path, *options)), OFFSET) == (0, 0)


def test_finds_nothing_where_there_is_no_file_system(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(bytes(4096))
    assert sample(reader(tmp_path / "empty"), 0) == (0, 0)
