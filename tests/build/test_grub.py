"""GRUB's BIOS parts: the fields that are patched, and nothing else."""

import struct
import subprocess
from pathlib import Path

import pytest

from build.errors import RecipeError
from build.grub import FAKE_PROBE, embedded_core, patched_boot_sector

BOOT = bytes(range(256)) * 2
TABLE = bytes(0x1B8) + bytes(range(100, 172))


def test_points_the_core_image_at_its_own_second_sector() -> None:
    core = embedded_core(bytes(512) + b"rest", 2048, 4096)
    assert len(core) == 1024
    assert struct.unpack_from("<Q", core, 0x1F4) == (2049,)
    assert core[512:516] == b"rest"


def test_changes_nothing_else_in_the_core_image() -> None:
    before = BOOT + BOOT
    after = embedded_core(before, 1, 1 << 20)
    assert before[:0x1F4] + before[0x1FC:] == after[:0x1F4] + after[0x1FC:]


def test_refuses_a_core_image_that_would_run_into_the_next_partition() -> None:
    with pytest.raises(RecipeError, match="takes 1536 bytes, its place has 1024"):
        embedded_core(bytes(1025), 1, 1024)


@pytest.mark.parametrize("sector", [1, 2048, 1 << 33])
def test_points_the_boot_sector_at_the_core_image(sector: int) -> None:
    patched = patched_boot_sector(BOOT, TABLE, sector)
    assert struct.unpack_from("<Q", patched, 0x5C) == (sector,)
    assert patched[0x64] == 0xFF
    assert patched[0x66:0x68] == b"\x90\x90"


def test_keeps_the_disks_own_table_and_parameter_block() -> None:
    disk = bytes(reversed(range(256))) * 2
    patched = patched_boot_sector(BOOT, disk, 1)
    assert len(patched) == 512
    assert patched[0x1B8:] == disk[0x1B8:]
    assert patched[0x03:0x5A] == disk[0x03:0x5A]
    assert patched[:0x03] == BOOT[:0x03]
    assert patched[0x68:0x1B8] == BOOT[0x68:0x1B8]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--device", "/dev/sda1", "--target=fs_uuid"], "@UUID@"),
        (["--target=partmap", "/"], "@PARTMAP@"),
        (["-t", "fs", "/boot"], "ext2"),
        (["--target=device", "/"], "/dev/disk/by-uuid/@UUID@"),
        (["--target=cryptodisk_uuid", "/"], ""),
    ],
)
def test_answers_as_grub_probe_would_in_the_booted_machine(tmp_path: Path, words: list[str], answer: str) -> None:
    probe = tmp_path / "probe"
    probe.write_text(FAKE_PROBE)
    said = subprocess.run(["/bin/sh", probe, *words], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == answer
