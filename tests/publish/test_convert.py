"""Any disk as a fixed VHD, judged by qemu-img and by the disk's own content."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from build.errors import CallerError, MachineError
from build.progress import Progress
from build.vhd import EPOCH, LENGTH, MIB, Footer, read_footer
from publish.convert import Converted, convert, undo

SIZE = 65 * MIB
needs_qemu_img = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


@pytest.fixture(autouse=True)
def date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def raw_disk(path: Path, size: int = SIZE) -> Path:
    """A sparse raw disk with a boot signature, and a mark in its last bytes."""
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(510)
        file.write(b"\x55\xaa")
        file.seek(size - 4)
        file.write(b"last")
    return path


def qemu_img(*words: str | Path) -> str:
    return subprocess.run(["qemu-img", *map(str, words)], check=True, capture_output=True, text=True).stdout


def converted(path: Path, output: Path | None = None) -> Converted:
    return convert(path, output, Progress())


def footer_of(path: Path) -> Footer:
    footer = read_footer(path)
    assert footer
    return footer


def test_makes_a_raw_disk_a_vhd_in_place(tmp_path: Path) -> None:
    disk = raw_disk(tmp_path / "disk.raw")
    before, used = disk.read_bytes(), disk.stat().st_blocks
    made = converted(disk)
    assert (made.path, made.size, disk.stat().st_size) == (disk, SIZE, SIZE + LENGTH)
    assert disk.read_bytes()[:SIZE] == before
    assert (disk.stat().st_blocks - used) * 512 <= 4096
    assert footer_of(disk).timestamp == EPOCH


@needs_qemu_img
@pytest.mark.parametrize("size", [SIZE, SIZE + 512, SIZE - 512])
def test_makes_what_qemu_reads_at_its_exact_size(tmp_path: Path, size: int) -> None:
    disk = raw_disk(tmp_path / "disk.raw", size)
    converted(disk)
    whole = -(-size // MIB) * MIB
    assert json.loads(qemu_img("info", "-f", "vpc", "--output=json", disk))["virtual-size"] == whole


def test_changes_nothing_the_second_time(tmp_path: Path) -> None:
    disk = raw_disk(tmp_path / "disk.raw")
    converted(disk)
    before, when = disk.read_bytes(), disk.stat().st_mtime_ns
    assert "already" in converted(disk).done
    assert (disk.read_bytes(), disk.stat().st_mtime_ns) == (before, when)


def test_takes_the_vhd_in_a_folder_that_a_build_printed(tmp_path: Path) -> None:
    raw_disk(tmp_path / "disk.vhd")
    assert converted(tmp_path).path == tmp_path / "disk.vhd"


@pytest.mark.parametrize("size", [SIZE, SIZE + 512, SIZE + MIB - 512])
def test_undoes_what_it_did(tmp_path: Path, size: int) -> None:
    disk = raw_disk(tmp_path / "disk.raw", size)
    before = disk.read_bytes()
    converted(disk)
    assert undo(disk).size == size
    assert disk.read_bytes() == before


def test_keeps_what_was_written_behind_the_old_end_when_it_undoes(tmp_path: Path) -> None:
    disk = raw_disk(tmp_path / "disk.raw", SIZE + 512)
    converted(disk)
    with disk.open("r+b") as file:
        file.seek(SIZE + 1024)
        file.write(b"a backup of the partition table")
    assert undo(disk).size == SIZE + MIB


@needs_qemu_img
@pytest.mark.parametrize(
    ("format", "options"), [("qcow2", ""), ("vhdx", ""), ("vpc", "subformat=dynamic,force_size=on")]
)
def test_copies_other_formats_sparsely(tmp_path: Path, format: str, options: str) -> None:
    content = raw_disk(tmp_path / "content").read_bytes()
    disk = tmp_path / f"disk.{format}"
    qemu_img("convert", "-f", "raw", "-O", format, *(["-o", options] if options else []), tmp_path / "content", disk)
    before = disk.read_bytes()
    made = converted(disk)
    assert made.path == tmp_path / "disk.vhd"
    assert made.path.read_bytes()[:SIZE] == content
    assert made.path.stat().st_blocks * 512 < MIB
    assert disk.read_bytes() == before
    assert footer_of(made.path).current_size == SIZE


def test_makes_equal_bytes_of_equal_disks(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        disk = raw_disk(tmp_path / name)
        os.utime(disk, (1, len(digests)))
        converted(disk)
        digests.add(hashlib.sha256(disk.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_dates_the_file_by_the_source_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EPOCH + 86400))
    disk = raw_disk(tmp_path / "disk.raw")
    converted(disk)
    assert footer_of(disk).timestamp == EPOCH + 86400


@needs_qemu_img
def test_makes_a_vhd_whose_size_readers_would_mistake_anew(tmp_path: Path) -> None:
    disk = raw_disk(tmp_path / "disk.raw")
    footer = Footer(SIZE, uuid.UUID(int=7), EPOCH, creator=b"vpc ", geometry=(977, 8, 17), original_size=SIZE)
    with disk.open("ab") as end:
        end.write(bytes(footer))
    made = converted(disk)
    assert made.path == tmp_path / "disk.vhd"
    assert (footer_of(made.path).creator, footer_of(disk).creator) == (b"qem2", b"vpc ")


@needs_qemu_img
def test_writes_over_no_file(tmp_path: Path) -> None:
    raw_disk(tmp_path / "disk.raw")
    taken = tmp_path / "disk.vhd"
    taken.write_text("mine")
    with pytest.raises(CallerError, match="exists already"):
        converted(tmp_path / "disk.raw", taken)
    assert taken.read_text() == "mine"
    assert {one.name for one in tmp_path.iterdir()} == {"disk.raw", "disk.vhd"}


def test_undoes_nothing_of_what_is_no_vhd(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="no fixed VHD"):
        undo(raw_disk(tmp_path / "disk.raw"))


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_undoes_nothing_where_there_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(CallerError, match="is not a file"):
        undo(tmp_path / name)


def test_says_that_the_output_s_folder_is_missing(tmp_path: Path) -> None:
    disk = raw_disk(tmp_path / "disk.raw")
    with pytest.raises(CallerError, match="missing is no folder"):
        converted(disk, tmp_path / "missing/disk.vhd")


@pytest.mark.parametrize("work", [converted, undo], ids=["convert", "undo"])
def test_says_that_a_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[Path], Converted]
) -> None:
    disk = raw_disk(tmp_path / "disk.raw")
    if work is undo:
        converted(disk)

    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("publish.convert.os.pwrite", refused)
    monkeypatch.setattr("publish.convert.os.truncate", refused)
    with pytest.raises(MachineError, match=r"disk\.raw cannot be written: Read-only file system"):
        work(disk)


@needs_qemu_img
def test_leaves_nothing_of_a_copy_that_failed(tmp_path: Path) -> None:
    raw_disk(tmp_path / "content")
    disk = tmp_path / "disk.qcow2"
    qemu_img("convert", "-f", "raw", "-O", "qcow2", tmp_path / "content", disk)
    with disk.open("r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) // 2)
    with pytest.raises((MachineError, CallerError), match=r"disk\.qcow2"):
        converted(disk)
    assert {one.name for one in tmp_path.iterdir()} == {"content", "disk.qcow2"}


def test_refuses_what_is_no_disk(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no disk")
    with pytest.raises(CallerError, match="no partition table"):
        converted(tmp_path / "notes")
