"""Copies of an image with something broken in them, so that guests misbehave. Written past the file system's mount."""

import re
import subprocess
import tempfile
from collections.abc import Mapping
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
    names = [word for word in debugfs(disk, "ls -p /boot").split("/") if word.startswith("initrd.img")]
    with tempfile.NamedTemporaryFile() as rubbish:
        rubbish.write(bytes(range(256)) * 256)
        rubbish.flush()
        for name in names:
            debugfs(disk, f"rm /boot/{name}", "cd /boot", f"write {rubbish.name} {name}")


def without(disk: Path, *paths: str) -> None:
    """Files are missing."""
    rewritten(disk, dict.fromkeys(paths))


def rewritten(disk: Path, files: Mapping[str, str | None]) -> None:
    """Files have this text, or are missing (None); their folders must be there. They are root's, and readable for all
    but private keys."""
    with tempfile.TemporaryDirectory() as room:
        commands = []
        for number, (path, text) in enumerate(files.items()):
            commands.append(f"rm {path}")
            if text is not None:
                piece = Path(room, str(number))
                piece.write_text(text)
                commands += [
                    f"write {piece} {path}",
                    f"sif {path} mode {'0100600' if path.endswith('_key') else '0100644'}",
                ]
        debugfs(disk, *commands)


def mask(disk: Path, unit: str) -> None:
    """systemd cannot start the unit."""
    debugfs(disk, f"symlink /etc/systemd/system/{unit} /dev/null")


def fill(disk: Path) -> None:
    """All free blocks of the root file system belong to one file."""
    free = re.search(r"^Free blocks: +(\d+)", debugfs(disk, "stats -h"), re.MULTILINE)
    assert free
    rewritten(disk, {"/var/log/old.log": ""})
    debugfs(disk, f"fallocate /var/log/old.log 0 {int(free[1]) - 64}")


def debugfs(disk: Path, *commands: str) -> str:
    """What debugfs says to these commands on the root file system, whether they did anything or not."""
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
