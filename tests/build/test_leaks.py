"""Finding words in a tree: in plain files, packed ones, links, and an initramfs."""

import bz2
import gzip
import lzma
import subprocess
from pathlib import Path

import pytest

from tests.build.leaks import files_with, find_words
from tests.harness.images import cpio

SECRET = b"a secret"
TEXT = b"before " + SECRET + b" behind\n"


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-q"], input=content, capture_output=True, check=True).stdout


PACKERS = {"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd}


@pytest.mark.parametrize("form", PACKERS)
def test_finds_what_a_file_holds_however_it_is_packed(tmp_path: Path, form: str) -> None:
    (tmp_path / "file").write_bytes(PACKERS[form](TEXT))
    (tmp_path / "other").write_bytes(PACKERS[form](b"nothing\n"))
    assert list(find_words(tmp_path, {SECRET, b"another"})) == [("/file", SECRET)]


@pytest.mark.parametrize("form", PACKERS)
def test_finds_what_an_initramfs_holds_behind_its_microcode(tmp_path: Path, form: str) -> None:
    inner = PACKERS[form](cpio({"etc/token": TEXT}))
    (tmp_path / "initrd").write_bytes(cpio({"microcode.bin": b"code"}) + bytes(512) + inner + bytes(100))
    assert list(find_words(tmp_path, {SECRET})) == [("/initrd", SECRET)]


def test_finds_every_word_and_where_links_lead(tmp_path: Path) -> None:
    (tmp_path / "both").write_bytes(TEXT + b"another")
    (tmp_path / "link").symlink_to("/home/another")
    found = [("/both", SECRET), ("/both", b"another"), ("/link", b"another")]
    assert list(find_words(tmp_path, {SECRET, b"another"})) == found


def test_finds_files_that_hold_a_word_in_a_folder_and_in_a_disk_with_holes(tmp_path: Path) -> None:
    disk = tmp_path / "disks/disk.vhd"
    disk.parent.mkdir()
    with disk.open("wb") as file:
        file.seek(64 << 20)
        file.write(TEXT)
        file.truncate(128 << 20)
    (tmp_path / "log").write_bytes(b"nothing")
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("nowhere")
    assert list(files_with({SECRET, b"another"}, tmp_path)) == [disk]
    assert list(files_with({SECRET}, disk)) == [disk]
    assert list(files_with({SECRET}, tmp_path, since=disk.stat().st_ctime + 1)) == []
