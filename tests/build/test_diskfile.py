"""Which disk a file holds, by footer and magic, with qemu-img as the maker of foreign files."""

import json
import shutil
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from build.diskfile import open_image, overlay
from build.errors import CallerError
from build.vhd import DIFFERENCING, EPOCH, MIB, Footer

SIZE = 65 * MIB
"""Not a size that a geometry can tell exactly."""
FOOTER = Footer.build(SIZE, uuid.UUID(int=7), EPOCH)

needs_qemu_img = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def qemu_img(*words: str | Path) -> str:
    return subprocess.run(["qemu-img", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A raw disk with a boot signature at its start and a mark in its last sector."""
    disk = tmp_path / "disk, one.raw"
    with disk.open("wb") as file:
        file.truncate(SIZE)
        file.seek(510)
        file.write(b"\x55\xaa")
        file.seek(SIZE - 4)
        file.write(b"last")
    return disk


def converted(raw: Path, format: str, options: str) -> Path:
    disk = raw.with_name(f"other.{format}")
    qemu_img("convert", "-f", "raw", "-O", format, *(["-o", options] if options else []), raw, disk)
    return disk


def content_seen_through(overlaid: Path) -> bytes:
    whole = overlaid.with_suffix(".whole")
    qemu_img("convert", "-f", "qcow2", "-O", "raw", overlaid, whole)
    return whole.read_bytes()


def test_takes_a_file_without_footer_for_raw(raw: Path) -> None:
    disk = open_image(raw)
    assert (disk.format, disk.virtual_size) == ("raw", SIZE)


@pytest.mark.parametrize("creator", [b"qem2", b"win ", b"vpc ", b"qemu", b"tap\0", b"d2v ", b"CTXS", b"vbox"])
def test_reads_a_fixed_vhd_of_any_creator_whole(raw: Path, creator: bytes) -> None:
    with raw.open("ab") as end:
        end.write(bytes(replace(FOOTER, creator=creator, geometry=(977, 8, 17))))
    disk = open_image(raw)
    assert (disk.format, disk.virtual_size) == ("fixed-vhd", SIZE)
    assert f'{{"driver": "raw", "size": {SIZE}, ' in disk.source


@needs_qemu_img
@pytest.mark.parametrize(
    ("container", "options", "format"),
    [
        ("qcow2", "", "qcow2"),
        ("qcow2", "compat=0.10", "qcow2"),
        ("vhdx", "", "vhdx"),
        ("vpc", "subformat=dynamic,force_size=on", "dynamic-vhd"),
        ("vpc", "subformat=fixed,force_size=on", "fixed-vhd"),
    ],
)
def test_knows_what_qemu_made_and_shows_all_of_it(raw: Path, container: str, options: str, format: str) -> None:
    disk = open_image(converted(raw, container, options))
    assert (disk.format, disk.virtual_size) == (format, SIZE)
    seen = content_seen_through(overlay(disk, raw.with_name("overlay.qcow2"), SIZE + MIB))
    assert seen == raw.read_bytes() + bytes(MIB)


@needs_qemu_img
def test_grows_an_overlay_without_touching_the_image(raw: Path) -> None:
    before = raw.stat().st_mtime_ns
    grown = overlay(open_image(raw), raw.with_name("overlay.qcow2"), SIZE + (4 << 30))
    assert json.loads(qemu_img("info", "--output=json", grown))["virtual-size"] == SIZE + (4 << 30)
    assert raw.stat().st_mtime_ns == before


def test_refuses_an_overlay_smaller_than_the_image(raw: Path) -> None:
    with pytest.raises(CallerError, match="smaller than the image"):
        overlay(open_image(raw), raw.with_name("overlay.qcow2"), SIZE - MIB)


@needs_qemu_img
def test_refuses_a_qcow2_that_stands_on_another_file(raw: Path) -> None:
    child = raw.with_name("child.qcow2")
    qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", raw, child)
    with pytest.raises(CallerError, match="only a part of a disk"):
        open_image(child)


@pytest.mark.parametrize(
    ("footer", "message"),
    [
        (replace(FOOTER, disk_type=DIFFERENCING), "nothing without its parent"),
        (replace(FOOTER, disk_type=9), "unknown type 9"),
        (replace(FOOTER, current_size=SIZE + MIB), "cut or padded"),
    ],
)
def test_refuses_vhds_that_are_not_whole(raw: Path, footer: Footer, message: str) -> None:
    with raw.open("ab") as end:
        end.write(bytes(footer))
    with pytest.raises(CallerError, match=message):
        open_image(raw)


def test_refuses_a_footer_with_a_wrong_checksum(raw: Path) -> None:
    with raw.open("ab") as end:
        end.write(bytes(FOOTER)[:-1] + b"x")
    with pytest.raises(CallerError, match="checksum is wrong"):
        open_image(raw)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no partition table"),
        (b"Hello, this is a text.\n", "no partition table"),
        (bytes(510) + b"\x55\xaa" + bytes(MIB), "not a whole number of MiB"),
        (bytes(MIB), "no partition table"),
        (b"KDMV" + bytes(MIB - 4), "no partition table"),
        (b"vhdxfile" + bytes(MIB - 8), "damaged vhdx file"),
    ],
)
def test_refuses_what_is_not_a_disk(tmp_path: Path, content: bytes, message: str) -> None:
    if b"vhdx" in content and not shutil.which("qemu-img"):
        pytest.skip("qemu-img is not installed")
    file = tmp_path / "thing"
    file.write_bytes(content)
    with pytest.raises(CallerError, match=message):
        open_image(file)


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="is not a file"):
        open_image(tmp_path / "missing")
