"""Defects of whole disks: too small, too large, without what their generation boots by, or Flatcar's booted before."""

import struct
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from build.vhd import Footer
from harness.flatcar import FIXED_DISK_ID
from harness.inspect import inspect
from tests.harness import images
from tests.harness.images import MIB, ROOT, SECTORS
from tests.harness.planted import Change, failed, gpt, on_esp

GIB = 1 << 30
LAYOUT = [(number, kind, at * SECTORS, size * SECTORS) for number, kind, at, size in images.LAYOUT]
FLATCAR = {1: "EFI-SYSTEM", 3: "USR-A", 4: "USR-B", 6: "OEM", 9: "ROOT"}
USR = "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6"
FLATCAR_LAYOUT = [(1, images.ESP, 2, 4), (3, USR, 6, 1), (4, USR, 7, 1), (6, USR, 8, 1), (9, images.LINUX_ROOT, 9, 14)]
ROOT_BEFORE_OEM = [*FLATCAR_LAYOUT[:3], (6, USR, 22, 1), (9, images.LINUX_ROOT, 8, 14)]


def _grown(size: int, table: Callable[[Path, int], None]) -> Change:
    """Make the disk `size` bytes long, all of the rest a hole."""

    def change(disk: Path) -> None:
        with disk.open("r+b") as file:
            file.truncate(images.SIZE)
            file.truncate(size)
        table(disk, size)
        with disk.open("ab") as file:
            file.write(bytes(Footer.build(size, uuid.UUID(ROOT), 1700000000)))

    return change


def _as_gpt(disk: Path, size: int) -> None:
    with disk.open("r+b") as file:
        images.write_gpt(file, size, LAYOUT)


def _as_mbr(disk: Path, size: int) -> None:
    entries = b"".join(
        struct.pack("<B3sB3sII", 0, b"", kind, b"", at * SECTORS, length * SECTORS)
        for kind, at, length in ((0xEF, 2, 4), (0x83, 6, 17))
    )
    with disk.open("r+b") as file:
        file.seek(446)
        file.write(entries.ljust(64, b"\0") + b"\x55\xaa" + bytes(512 * 33))


@pytest.mark.parametrize(
    ("ids", "size", "table"),
    [
        ({"vhd.size-legacy"}, 1024 * GIB, _as_gpt),
        ({"disk.gen1-2tib", "vhd.size-legacy"}, 2049 * GIB, _as_mbr),
        ({"disk.gen2-4tib", "vhd.size-legacy"}, 4096 * GIB, _as_gpt),
    ],
)
def test_catches_a_disk_that_is_too_large(
    disk: Path, ids: set[str], size: int, table: Callable[[Path, int], None]
) -> None:
    _grown(size, table)(disk)
    assert failed(inspect(disk)) == ids


def test_catches_a_disk_that_is_too_small(tree: Path, tmp_path: Path) -> None:
    assert failed(inspect(images.good_disk(tmp_path, tree, room=12))) == {"vhd.size-min"}


@pytest.mark.parametrize(
    ("ids", "generation", "change"),
    [
        ({"disk.gen1-table"}, 1, lambda disk: None),
        ({"efi.esp"}, 2, gpt(LAYOUT[0], LAYOUT[2])),
        ({"efi.esp", "inspect.esp"}, 2, lambda disk: _blank(disk, 2 * MIB, 4 * MIB)),
        ({"grub.bios-code", "disk.gen1-table"}, 1, gpt(*LAYOUT[1:])),
    ],
)
def test_catches_what_a_generation_cannot_boot_by(disk: Path, ids: set[str], generation: int, change: Change) -> None:
    change(disk)
    assert failed(inspect(disk, generations=(generation,))) == ids


def _blank(disk: Path, offset: int, length: int) -> None:
    subprocess.run(["fallocate", "-p", "-o", str(offset), "-l", str(length), disk], check=True)


def _flatcar(partitions: list[tuple[int, str, int, int]] = FLATCAR_LAYOUT, identity: str = FIXED_DISK_ID) -> Change:
    def change(disk: Path) -> None:
        on_esp("mmd", "::flatcar")(disk)
        on_esp("mcopy", "PIECE", "::flatcar/first_boot", content="")(disk)
        layout = [(number, kind, at * SECTORS, size * SECTORS) for number, kind, at, size in partitions]
        with disk.open("r+b") as file:
            images.write_gpt(file, images.SIZE, layout, identity, FLATCAR)

    return change


def _booted(disk: Path) -> None:
    _flatcar()(disk)
    on_esp("mdel", "::flatcar/first_boot")(disk)


@pytest.mark.parametrize(
    ("ids", "change"),
    [
        (set(), _flatcar()),
        ({"ign.first-boot"}, _booted),
        ({"ign.disk-id"}, _flatcar(identity=ROOT)),
        ({"ign.root-last"}, _flatcar(ROOT_BEFORE_OEM)),
    ],
)
def test_catches_a_flatcar_that_was_changed(disk: Path, ids: set[str], change: Change) -> None:
    change(disk)
    assert failed(inspect(disk, generations=(2,))) == ids
