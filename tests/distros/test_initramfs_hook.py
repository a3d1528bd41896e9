"""The hook that puts what azure-vm-utils' own hook misplaces where udev's rules look for it."""

import os
import subprocess
from pathlib import Path

from distros.debian import INITRAMFS_MISPLACED


def run_hook(initramfs: Path) -> None:
    subprocess.run(
        ["/bin/sh", "-c", INITRAMFS_MISPLACED.text], env={**os.environ, "DESTDIR": str(initramfs)}, check=True
    )


def misplace(initramfs: Path, program: str) -> None:
    """As `copy_exec PROGRAM $DESTDIR/PROGRAM` does."""
    file = Path(f"{initramfs}{initramfs}", program)
    file.parent.mkdir(parents=True)
    file.write_text(program)


def test_moves_each_program_and_leaves_nothing_of_the_folders_name(tmp_path: Path) -> None:
    initramfs = tmp_path / "initramfs"
    (initramfs / "bin").mkdir(parents=True)
    (initramfs / "sbin").mkdir()
    misplace(initramfs, "bin/cut")
    misplace(initramfs, "sbin/azure-nvme-id")
    run_hook(initramfs)
    found = sorted(str(file.relative_to(initramfs)) for file in initramfs.rglob("*"))
    assert found == ["bin", "bin/cut", "sbin", "sbin/azure-nvme-id"]


def test_leaves_busybox_what_it_is_where_its_names_are_hard_links(tmp_path: Path) -> None:
    initramfs = tmp_path / "initramfs"
    (initramfs / "bin").mkdir(parents=True)
    (initramfs / "bin/busybox").write_text("busybox")
    for name in ("sh", "cut"):
        (initramfs / "bin" / name).hardlink_to(initramfs / "bin/busybox")
    misplace(initramfs, "bin/cut")
    run_hook(initramfs)
    told = {name: (initramfs / "bin" / name).read_text() for name in ("busybox", "sh", "cut")}
    assert told == {"busybox": "busybox", "sh": "busybox", "cut": "bin/cut"}


def test_does_nothing_where_nothing_is_misplaced(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    run_hook(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["bin"]
