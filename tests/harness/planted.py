"""Defects to plant in a tree or on a disk, as functions of its path; and what a report found of them."""

import re
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from build.command import find
from build.vhd import Footer
from harness.report import Report, Status
from tests.harness import images
from tests.harness.images import ARGS, ROOT, SECTORS, VERSION, put

MIB = 1 << 20
Change = Callable[[Path], None]
"""Of a tree by its folder, of a disk by its file."""


def failed(report: Report) -> set[str]:
    return {verdict.id for verdict in report.verdicts if verdict.status is Status.FAILED}


def evidence(report: Report) -> str:
    return "\n".join(line for verdict in report.verdicts for line in (verdict.reason, *verdict.evidence))


def write(path: str, text: str = "x") -> Change:
    return lambda root: put(root, path, text)


def add(path: str, text: str) -> Change:
    return lambda root: put(root, path, (root / path).read_text() + text)


def swap(path: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        before = (root / path).read_text()
        assert old in before
        put(root, path, before.replace(old, new))

    return change


def remove(*paths: str) -> Change:
    def change(root: Path) -> None:
        for path in paths:
            (root / path).unlink()

    return change


def cmdline(word: str, without: str = "") -> Change:
    words = ARGS.replace(without, "") if without else ARGS
    return swap("boot/grub/grub.cfg", ARGS, f"{words} {word}")


def ramdisk(modules: str) -> Change:
    return lambda root: (root / f"boot/initrd.img-{VERSION}").write_bytes(images.initrd(modules)) and None


def link(path: str, target: str) -> Change:
    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).unlink(missing_ok=True)
        (root / path).symlink_to(target)

    return change


def footer(**changes: object) -> Change:
    def change(disk: Path) -> None:
        values = vars(Footer.build(images.SIZE, uuid.UUID(ROOT), 1700000000)) | changes
        patch(-512, bytes(Footer(**values)))(disk)  # type: ignore[arg-type]

    return change


def patch(at: int, content: bytes) -> Change:
    def change(disk: Path) -> None:
        with disk.open("r+b") as file:
            file.seek(at, 2 if at < 0 else 0)
            file.write(content)

    return change


def gpt(*partitions: tuple[int, str, int, int]) -> Change:
    def change(disk: Path) -> None:
        with disk.open("r+b") as file:
            images.write_gpt(file, images.SIZE, list(partitions))

    return change


def on_esp(*words: str, content: str = "") -> Change:
    def change(disk: Path) -> None:
        piece = disk.with_suffix(".piece")
        piece.write_text(content)
        image = f"{disk}@@{2 * MIB}"
        call = [words[0], "-i", image, *[str(piece) if word == "PIECE" else word for word in words[1:]]]
        call[0] = find(call[0])
        subprocess.run(call, check=True, capture_output=True, env={"MTOOLS_SKIP_CHECK": "1"})

    return change


def in_root(command: str) -> Change:
    def change(disk: Path) -> None:
        subprocess.run(
            [find("debugfs"), "-w", "-R", command, f"{disk}?offset={6 * MIB}"], check=True, capture_output=True
        )

    return change


def shorter(disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(-512, 2)
        tail = file.read()
        file.truncate(images.SIZE - 4096)
        file.seek(0, 2)
        file.write(tail)


def padded(disk: Path) -> None:
    """A sector of nothing between the disk and its footer."""
    with disk.open("r+b") as file:
        file.seek(-512, 2)
        tail = file.read()
        file.write(tail)
        file.seek(images.SIZE)
        file.write(bytes(512))


def second_root(disk: Path) -> None:
    """Another file system behind the root, with the same UUID."""
    layout = [(number, kind, at * SECTORS, size * SECTORS) for number, kind, at, size in images.LAYOUT]
    gpt(*layout, (3, str(uuid.uuid4()), 23 * SECTORS, 1024))(disk)
    options = f"offset={23 * MIB},lazy_itable_init=1"
    words = ["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-U", ROOT, "-E", options, str(disk), "512K"]
    subprocess.run([find(words[0]), *words[1:]], check=True, capture_output=True)


def fill(disk: Path) -> None:
    """Give all free blocks of the root file system to a file of the image."""
    stats = subprocess.run(
        [find("debugfs"), "-R", "stats -h", f"{disk}?offset={6 * MIB}"], check=True, capture_output=True, text=True
    )
    free = re.search(r"^Free blocks: +(\d+)", stats.stdout, re.MULTILINE)
    assert free
    in_root(f"fallocate /etc/hostname 1 {int(free[1]) - 8}")(disk)


def used_and_deleted(disk: Path) -> None:
    """Delete a file that has filled most of the root file system."""
    piece = disk.with_suffix(".piece")
    piece.write_bytes(b"deleted" * MIB)
    in_root(f"write {piece} /large")(disk)
    in_root("rm /large")(disk)
    piece.unlink()


def replace_in_fstab(line: str) -> Change:
    def change(disk: Path) -> None:
        piece = disk.with_suffix(".piece")
        piece.write_text(line)
        in_root("rm /etc/fstab")(disk)
        in_root(f"write {piece} /etc/fstab")(disk)

    return change


def cut(disk: Path, size: int) -> None:
    with disk.open("r+b") as file:
        file.truncate(size)


def seed_on_esp(disk: Path) -> None:
    on_esp("mmd", "::loader")(disk)
    on_esp("mcopy", "PIECE", "::loader/random-seed", content="seed")(disk)
