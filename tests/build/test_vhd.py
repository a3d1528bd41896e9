"""The VHD footer: our own bytes, other creators' bytes, and QEMU as the judge of both."""

import json
import shutil
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import CallerError
from build.vhd import DYNAMIC, EPOCH, FIXED, LENGTH, MIB, Footer, append_footer, read_footer

IDENTITY = uuid.UUID("8a5b0a3c-6f0e-4d0a-9a37-0c3a8f1d2e4b")
WHEN = EPOCH + 86400

needs_qemu_img = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as disk:
        disk.truncate(size)
    return path


def size_by_qemu(path: Path) -> int:
    told = subprocess.run(
        ["qemu-img", "info", "-f", "vpc", "--output=json", path], check=True, capture_output=True, text=True
    )
    return int(json.loads(told.stdout)["virtual-size"])


def test_reads_back_what_it_wrote() -> None:
    footer = Footer.build(30 << 30, IDENTITY, WHEN)
    assert len(bytes(footer)) == LENGTH
    assert Footer.parse(bytes(footer)) == footer


def test_writes_the_bytes_of_the_specification() -> None:
    raw = bytes(Footer.build(64 * MIB, IDENTITY, WHEN))
    assert raw[:16] == b"conectix\0\0\0\2\0\1\0\0"
    assert raw[16:24] == b"\xff" * 8
    assert int.from_bytes(raw[24:28], "big") == 86400
    assert raw[28:32] == b"qem2"
    assert int.from_bytes(raw[48:56], "big") == 64 * MIB
    assert int.from_bytes(raw[60:64], "big") == FIXED
    assert raw[68:84] == IDENTITY.bytes
    assert not any(raw[85:])


def test_is_deterministic() -> None:
    assert bytes(Footer.build(MIB, IDENTITY, WHEN)) == bytes(Footer.build(MIB, IDENTITY, WHEN))


@pytest.mark.parametrize("size", [0, -MIB, MIB - 1, MIB + 512])
def test_refuses_sizes_that_azure_refuses(size: int) -> None:
    with pytest.raises(CallerError, match="whole number of MiB"):
        Footer.build(size, IDENTITY, WHEN)


def test_refuses_times_that_the_format_cannot_hold() -> None:
    with pytest.raises(CallerError, match="before 2000"):
        Footer.build(MIB, IDENTITY, EPOCH - 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[:-1], "conectix is missing"),
        (lambda raw: b"x" + raw[1:], "conectix is missing"),
        (lambda raw: raw[:48] + b"\1" + raw[49:], "checksum is wrong"),
        (lambda raw: raw[:64] + b"\0\0\0\0" + raw[68:], "checksum is wrong"),
    ],
)
def test_refuses_damaged_footers(damage, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CallerError, match=message):
        Footer.parse(damage(bytes(Footer.build(MIB, IDENTITY, WHEN))))


def test_appends_in_place_and_leaves_the_file_sparse(tmp_path: Path) -> None:
    disk = sparse(tmp_path / "disk.vhd", 30 << 30)
    footer = append_footer(disk, IDENTITY, WHEN)
    assert disk.stat().st_size == (30 << 30) + LENGTH
    assert disk.stat().st_blocks * 512 <= 4096
    assert read_footer(disk) == footer


def test_does_not_append_twice(tmp_path: Path) -> None:
    disk = sparse(tmp_path / "disk.vhd", MIB)
    append_footer(disk, IDENTITY, WHEN)
    with pytest.raises(CallerError, match="whole number of MiB"):
        append_footer(disk, IDENTITY, WHEN)


@pytest.mark.parametrize("size", [0, 511, 512, MIB])
def test_finds_no_footer_where_there_is_none(tmp_path: Path, size: int) -> None:
    assert read_footer(sparse(tmp_path / "disk.raw", size)) is None


@needs_qemu_img
@pytest.mark.parametrize("size", [MIB, 3 * MIB, 1023 * MIB, 30 << 30, 127 << 30, 2040 << 30])
def test_gives_the_size_that_qemu_reads(tmp_path: Path, size: int) -> None:
    disk = sparse(tmp_path / "disk.vhd", size)
    append_footer(disk, IDENTITY, WHEN)
    assert size_by_qemu(disk) == size


@needs_qemu_img
@pytest.mark.parametrize(
    "creator", [b"qem2", b"win ", b"vpc ", b"qemu", b"tap\0", b"d2v ", b"CTXS", b"vbox", b"wa\0\0"]
)
def test_has_a_geometry_that_makes_every_creator_exact(tmp_path: Path, creator: bytes) -> None:
    size = 1023 * MIB
    disk = sparse(tmp_path / "disk.vhd", size)
    with disk.open("ab") as end:
        end.write(bytes(replace(Footer.build(size, IDENTITY, WHEN), creator=creator)))
    assert size_by_qemu(disk) == size


@needs_qemu_img
@pytest.mark.parametrize(
    ("options", "creator", "disk_type"),
    [
        ("subformat=fixed,force_size=on", b"qem2", FIXED),
        ("subformat=fixed", b"qemu", FIXED),
        ("subformat=dynamic,force_size=on", b"qem2", DYNAMIC),
        ("subformat=dynamic", b"qemu", DYNAMIC),
    ],
)
def test_reads_the_footers_of_qemu(tmp_path: Path, options: str, creator: bytes, disk_type: int) -> None:
    disk = tmp_path / "disk.vhd"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vpc", "-o", options, disk, "64M"], check=True)
    footer = read_footer(disk)
    assert footer is not None
    assert (footer.creator, footer.disk_type) == (creator, disk_type)
    assert footer.current_size >= 64 * MIB
    assert bytes(footer)[:64] == disk.read_bytes()[-LENGTH:][:64]
