"""Packed files: each form gives the same disk, with holes; what cannot be unpacked is refused."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from build import packed
from build.errors import CallerError
from build.packed import unpacked

DISK = bytes(3 << 20) + b"content" + bytes(5 << 20)


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress, bz2.compress], ids=["xz", "gzip", "bzip2"])
def test_unpacks_a_disk_with_its_holes(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "disk"
    file.write_bytes(pack(DISK))
    disk = unpacked(file, tmp_path / "unpacked")
    assert disk.read_bytes() == DISK
    assert disk.stat().st_blocks * 512 < len(DISK) / 2
    file.write_bytes(pack(DISK)[:-20])
    with pytest.raises(CallerError, match="cannot be unpacked"):
        unpacked(file, tmp_path / "unpacked")


@pytest.mark.parametrize("content", [b"", b"QFI\xfb", DISK], ids=["empty", "qcow2", "raw"])
def test_takes_what_is_not_packed_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "disk"
    file.write_bytes(content)
    assert unpacked(file, tmp_path / "unpacked") == file
    assert not (tmp_path / "unpacked").exists()


def test_says_how_to_unpack_what_it_cannot(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(packed.ZSTD + b"\0\0")
    with pytest.raises(CallerError, match="zstd") as refusal:
        unpacked(tmp_path / "disk", tmp_path / "unpacked")
    assert "zstd -d" in refusal.value.hint


def test_stops_at_a_file_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "LARGEST", 1 << 20)
    (tmp_path / "disk").write_bytes(gzip.compress(DISK))
    with pytest.raises(CallerError, match="more than"):
        unpacked(tmp_path / "disk", tmp_path / "unpacked")
