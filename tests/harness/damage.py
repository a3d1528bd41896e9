"""Copies of an image with something broken in them, so that guests misbehave. Written past the file system's mount."""

import subprocess
import tempfile
from pathlib import Path

from build.command import find, run
from build.gpt import BIOS_BOOT, ESP, ROOT_X86_64, Partition, read_table

FOOTER = 512


def copy(image: Path, target: Path) -> Path:
    """A sparse copy of an image's disk, which no manifest describes."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", image / "disk.vhd", target], check=True)
    return target


def without_bios_loader(disk: Path) -> None:
    """No code in the boot sector, none in the BIOS boot partition."""
    core = _partition(disk, BIOS_BOOT)
    with disk.open("r+b") as file:
        file.write(bytes(440))
        file.seek(core.offset)
        file.write(bytes(core.size))


def without_uefi_loader(disk: Path) -> None:
    """The ESP without the loader that firmware falls back to."""
    offset = _partition(disk, ESP).offset
    run("mdel", "-i", f"{disk}@@{offset}", "::/EFI/BOOT/BOOTX64.EFI")


def with_broken_initramfs(disk: Path) -> None:
    """The kernel finds no root, and panics."""
    names = [word for word in _debugfs(disk, "ls -p /boot").split("/") if word.startswith("initrd.img")]
    with tempfile.NamedTemporaryFile() as rubbish:
        rubbish.write(bytes(range(256)) * 256)
        rubbish.flush()
        for name in names:
            _debugfs(disk, f"rm /boot/{name}", "cd /boot", f"write {rubbish.name} {name}")


def without(disk: Path, *paths: str) -> None:
    """Files are missing."""
    _debugfs(disk, *(f"rm {path}" for path in paths))


def _debugfs(disk: Path, *commands: str) -> str:
    root = _partition(disk, ROOT_X86_64)
    done = subprocess.run(
        [find("debugfs"), "-w", "-f", "-", f"{disk}?offset={root.offset}"],
        input="\n".join(commands),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _partition(disk: Path, kind: str) -> Partition:
    with disk.open("rb") as file:
        return read_table(file, disk.stat().st_size - FOOTER).of_type(kind)[0]
