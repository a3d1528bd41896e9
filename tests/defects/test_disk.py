"""Defects planted on a disk: each is caught by its own checks and by no other, whatever form the disk has."""

import struct
import subprocess
import uuid
from pathlib import Path

import pytest

from build.command import find
from build.vhd import Footer
from harness.diskfacts import checksum
from harness.inspect import inspect
from tests.harness import images
from tests.harness.images import ROOT
from tests.harness.planted import (
    MIB,
    Change,
    cut,
    evidence,
    failed,
    fill,
    footer,
    gpt,
    in_root,
    on_esp,
    padded,
    patch,
    replace_in_fstab,
    second_root,
    seed_on_esp,
    shorter,
    used_and_deleted,
)

S = images.SECTORS
BIOS, ESP = (14, images.BIOS_BOOT, 1 * S, 1 * S), (15, images.ESP, 2 * S, 4 * S)
LINUX = (1, images.LINUX_ROOT, 6 * S, 17 * S)
SWAP = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"
LVM = "E6D6D379-F507-44C2-A23C-238F2A3DF928"
OTHER = str(uuid.uuid4())
DISK_DEFECTS: list[tuple[str, set[str], Change]] = [
    ("no footer", {"vhd.fixed"}, lambda disk: cut(disk, images.SIZE)),
    ("type 7", {"vhd.type"}, footer(disk_type=7)),
    ("length", {"vhd.length"}, padded),
    ("cut", {"vhd.length", "part.table"}, shorter),
    ("cookie", {"vhd.cookie"}, patch(-512, b"conectiy")),
    ("checksum", {"vhd.checksum"}, patch(-400, b"\1")),
    ("geometry", {"vhd.geometry"}, footer(creator=b"vpc ", geometry=(47, 16, 63))),
    ("backup header", {"part.table"}, patch(images.SIZE - 512 + 30, b"\xff")),
    ("backup entries", {"part.table"}, patch(images.SIZE - 512 * 20, b"\xff")),
    ("first MiB", {"part.first-mib", "part.align"}, gpt((2, OTHER, 64, 64), BIOS, ESP, LINUX)),
    ("align", {"part.align"}, gpt((14, images.BIOS_BOOT, S, S - 1), (16, OTHER, 2 * S - 1, 1), ESP, LINUX)),
    ("root last", {"part.root-last"}, gpt(BIOS, ESP, LINUX, (3, OTHER, 23 * S, 8))),
    ("lvm", {"lvm.avoid", "part.root-last", "inspect.other partitions"}, gpt(BIOS, ESP, LINUX, (3, LVM, 23 * S, 8))),
    ("two roots", {"part.root-single", "part.root-last"}, second_root),
    ("swap", {"swap.none-on-os-disk", "part.root-last"}, gpt(BIOS, ESP, LINUX, (3, SWAP, 23 * S, 8))),
    ("no boot code", {"grub.bios-code"}, patch(0, bytes(440))),
    ("boot code elsewhere", {"grub.bios-code"}, patch(0x5C, struct.pack("<Q", 5))),
    ("no core", {"grub.bios-code"}, patch(MIB, bytes(512 * 9))),
    ("block list", {"grub.bios-code"}, patch(MIB + 0x1F4, struct.pack("<Q", 2))),
    ("core too long", {"grub.bios-code"}, patch(MIB + 0x1FC, struct.pack("<H", 4000))),
    ("core cut", {"grub.bios-code"}, patch(MIB + 512, bytes(512 * 8))),
    ("no fallback", {"efi.fallback"}, on_esp("mdel", "::EFI/BOOT/BOOTX64.EFI")),
    ("no stub", {"efi.cfg-path"}, on_esp("mdel", "::EFI/debian/grub.cfg")),
    (
        "stub elsewhere",
        {"efi.cfg-path"},
        on_esp("mcopy", "-o", "PIECE", "::EFI/debian/grub.cfg", content=images.STUB.replace(ROOT, OTHER)),
    ),
    (
        "stub to nothing",
        {"efi.cfg-path"},
        on_esp("mcopy", "-o", "PIECE", "::EFI/debian/grub.cfg", content=images.STUB.replace("/boot/grub", "/boot/g")),
    ),
    ("no menu", {"grub.menu"}, in_root("rm /boot/grub/grub.cfg")),
    ("full root", {"fs.room"}, fill),
    ("deleted files", {"disk.sparse"}, used_and_deleted),
    ("resized", {"vhd.resize-raw"}, footer(original_size=images.SIZE - MIB)),
    ("fstab root", {"fstab.root-match", "fstab.verify"}, replace_in_fstab(f"UUID={OTHER} / ext4 defaults 0 1\n")),
    ("fstab missing disk", {"fstab.verify"}, replace_in_fstab(f"{images.FSTAB}UUID={OTHER} /data ext4 defaults 0 1\n")),
    ("fstab cdrom", {"fstab.verify"}, replace_in_fstab(f"{images.FSTAB}/dev/cdrom /media/c udf noauto 0 0\n")),
    ("fstab swap", {"swap.none-on-os-disk"}, replace_in_fstab(f"{images.FSTAB}/dev/mapper/s none swap sw 0 0\n")),
    ("unreadable root", {"inspect.root"}, patch(6 * MIB + 1024, bytes(1024))),
    ("seed on ESP", {"clean.esp-random-seed"}, seed_on_esp),
]


@pytest.mark.parametrize(("ids", "change"), [row[1:] for row in DISK_DEFECTS], ids=[row[0] for row in DISK_DEFECTS])
def test_catches_a_damaged_disk(disk: Path, ids: set[str], change: Change) -> None:
    change(disk)
    assert failed(inspect(disk)) == ids


def test_says_which_alignment_is_wrong(disk: Path) -> None:
    cut(disk, images.SIZE)
    with disk.open("ab") as file:
        file.write(bytes(4096) + bytes(Footer(images.SIZE + 4096, uuid.UUID(ROOT), 1700000000)))
    report = inspect(disk)
    assert {"vhd.align", "part.table"} == failed(report)
    assert "4096 over a whole MiB" in evidence(report)


@pytest.mark.parametrize("form", ["vpc", "qcow2", "vhdx"])
def test_judges_what_other_formats_hold(disk: Path, tmp_path: Path, form: str) -> None:
    other = tmp_path / f"disk.{form}"
    cut(disk, images.SIZE)
    options = ["-o", "force_size=on"] if form == "vpc" else []
    command = [find("qemu-img"), "convert", "-f", "raw", "-O", form, *options, disk, other]
    subprocess.run(command, check=True)
    assert failed(inspect(other)) == {"vhd.fixed"}


def test_says_of_a_differencing_disk_only_what_its_container_tells(disk: Path) -> None:
    footer(disk_type=4, data_offset=512)(disk)
    report = inspect(disk)
    assert failed(report) == {"vhd.fixed", "inspect.disk"}
    assert "nothing without its parent" in evidence(report)


def converted(disk: Path, form: str, *options: str) -> Path:
    """The raw disk as a file of another format."""
    other = disk.with_suffix(f".{form}")
    subprocess.run([find("qemu-img"), "convert", "-f", "raw", "-O", form, *options, disk, other], check=True)
    return other


def test_opens_no_file_that_a_qcow2_names(disk: Path) -> None:
    cut(disk, images.SIZE)
    part = disk.with_suffix(".part")
    command = ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(disk), str(part)]
    subprocess.run([find("qemu-img"), *command], check=True)
    report = inspect(part)
    assert failed(report) == {"vhd.fixed", "inspect.disk"}
    assert "stands on another file" in evidence(report)


def test_opens_no_parent_of_a_vhdx(disk: Path) -> None:
    cut(disk, images.SIZE)
    other = converted(disk, "vhdx")
    raw = other.read_bytes()
    parameters = uuid.UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B").bytes_le
    entry = raw.index(parameters)
    table = raw.rindex(b"metadata", 0, entry)
    flags = table + int.from_bytes(raw[entry + 16 : entry + 20], "little") + 4
    patch(flags, bytes([raw[flags] | 2]))(other)
    report = inspect(other)
    assert failed(report) == {"vhd.fixed", "inspect.disk"}
    assert "differencing VHDX" in evidence(report)


@pytest.mark.parametrize("form", ["vpc", "qcow2", "vhdx"])
def test_judges_the_container_of_what_cannot_be_unpacked(disk: Path, form: str) -> None:
    cut(disk, images.SIZE)
    other = converted(disk, form, *(["-o", "force_size=on"] if form == "vpc" else []))
    damage = {"vpc": (512, bytes(1024)), "qcow2": (40, b"\xff" * 8), "vhdx": (64 << 10, bytes(1 << 20))}
    patch(*damage[form])(other)
    report = inspect(other)
    assert {"vhd.fixed", "inspect.disk"} <= failed(report)
    assert [one.id for one in report.unread] == ["inspect.disk"]


def test_believes_the_footer_and_not_the_geometry_of_a_dynamic_disk(disk: Path) -> None:
    """The last MiB, with the backup of the partition table, lies behind what the geometry of such a disk reaches."""
    cut(disk, images.SIZE)
    other = converted(disk, "vpc", "-o", "force_size=on")
    for at in (0, -512):
        with other.open("r+b") as file:
            file.seek(at, 2 if at else 0)
            raw = bytearray(file.read(512))
            raw[28:32], raw[56:60] = b"vpc ", struct.pack(">HBB", 47, 16, 63)
            raw[64:68] = checksum(bytes(raw))
            file.seek(at, 2 if at else 0)
            file.write(raw)
    assert failed(inspect(other)) == {"vhd.fixed", "vhd.geometry"}


@pytest.mark.parametrize("form", ["vpc", "qcow2"])
def test_has_findings_of_an_empty_disk_in_any_format(tmp_path: Path, form: str) -> None:
    other = tmp_path / f"empty.{form}"
    subprocess.run([find("qemu-img"), "create", "-q", "-f", form, other, "24M"], check=True)
    assert {"vhd.fixed", "part.table", "inspect.root"} <= failed(inspect(other))


def test_finds_a_footer_over_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty.vhd"
    with empty.open("wb") as file:
        file.truncate(images.SIZE)
        file.seek(0, 2)
        file.write(bytes(Footer.build(images.SIZE, uuid.UUID(ROOT), 1700000000)))
    report = inspect(empty)
    assert {"part.table", "inspect.root"} <= failed(report)
    assert not report.passed
