"""A small disk in Flatcar's shape, made by the real tools: what Kiln's steps say of it, and what they make of it."""

import json
import os
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from build import archive, cache, tools
from build.families import flatcar
from build.flatcar import CheckSystem
from build.oem import BTRFS, MKFS, CustomizeOem, lay, nothing_mounted, partition, read_partition
from build.spec.value import shown
from build.workspace import Workspace
from distros.debian import TOOLS

MIB = 1 << 20
EPOCH = 1_700_000_000
VERSION = "1.2.3"
FIXED = "00000000-0000-0000-0000-000000000001"
TABLE = f"""\
label: gpt
label-id: {FIXED}
first-lba: 2048
1 : start=2048, size=64MiB, type=U, name=EFI-SYSTEM
3 : size=128MiB, type=5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6, name=USR-A
6 : size=128MiB, type=L, name=OEM
9 : size=8MiB, type=3884DD41-8582-4404-B9A8-E9B84F2DF50E, name=ROOT
"""
SIZE = 332 * MIB
VENDORS = {
    "grub.cfg": 'set oem_id="azure"\n',
    "base/base.ign": '{"ignition": {"version": "3.3.0"}}',
    "sysext/a.raw": "raw",
}
LINK = ("sysext/current.raw", "a.raw")


def main(letter: Mapping[str, Any]) -> int:
    """Make the disk, without its flag or of another version where the letter says so; run its step twice.

    Writes what came of it to `result`: "check" the paths that were read, "oem" the OEM partition's files and what makes
    up the disk.
    """
    os.umask(0o022)
    (state,) = archive.releases((TOOLS,), offline=os.environ.get("KILN_TEST_OFFLINE") == "1")
    with cache.faults_explained(), Path(letter["log"]).open("a") as log:
        tree = tools.make(state, flatcar.TOOLS, log, mirror=False, offline=False)
        work = Workspace(tree, f"flatcar-disk-{secrets.token_hex(4)}", cache.folder(), log, EPOCH)
        work.folder.mkdir(parents=True)
        try:
            _make(work, letter.get("version", VERSION), flagged=letter.get("flagged", True))
            told = TRIALS[letter["trial"]](work, letter)
        finally:
            cache.remove(work.folder)
    Path(letter["result"]).write_text(json.dumps(told))
    return 0


def _make(work: Workspace, version: str, *, flagged: bool) -> None:
    with work.disk.open("wb") as file:
        file.truncate(SIZE)
    work.tool("/usr/sbin/sfdisk", "--quiet", "--no-tell-kernel", work.disk, text=TABLE)
    usr, oem = work.file("own-usr"), work.file("own-oem")
    _write(usr, {"lib/os-release": f"ID=flatcar\nVERSION_ID={version}\n", "lib/modules/6.6.1/modules.dep": ""})
    _write(oem, VENDORS)
    (oem / LINK[0]).symlink_to(LINK[1])
    nothing_mounted(work.tools)
    for name, folder in (("USR-A", usr), ("OEM", oem)):
        _fill(work, name, MKFS, "--quiet", "--label", name, "--rootdir", folder)
    esp = _fill(work, "EFI-SYSTEM", "/usr/sbin/mkfs.vfat", "-F", "32")
    work.tool("/usr/bin/mmd", "-i", esp, "::flatcar")
    if flagged:
        work.file("flag").touch()
        work.tool("/usr/bin/mcopy", "-i", esp, work.file("flag"), "::flatcar/first_boot")
    lay(work, esp, partition(work.disk, "EFI-SYSTEM"))


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _fill(work: Workspace, name: str, *argv: str | Path) -> Path:
    """Have a program make a file system in a partition; returns it as a file of its own."""
    slot = partition(work.disk, name)
    image = work.file(f"{name}.img")
    with image.open("wb") as file:
        file.truncate(slot.size)
    work.tool(*argv, image)
    lay(work, image, slot)
    return image


def _check(work: Workspace, letter: Mapping[str, Any]) -> list[str]:
    for _ in range(2):
        CheckSystem("flatcar", VERSION).run(work)
    return work.glob("/usr/lib/**/*")


def _oem(work: Workspace, letter: Mapping[str, Any]) -> dict[str, Any]:
    base, user = (shown(letter[name]) if name in letter else None for name in ("base", "user"))
    if letter.get("too_large"):
        user = shown("x" * partition(work.disk, "OEM").size)
    step = CustomizeOem("image", base, user, tuple(letter.get("arguments", ())))
    fresh = work.file("fresh")
    fresh.write_bytes(work.disk.read_bytes())
    digests = []
    for _ in range(2):
        work.disk.write_bytes(fresh.read_bytes())
        step.run(work)
        digests.append(sha256(work.disk.read_bytes()).hexdigest())
    image, files = work.file("made.img"), work.file("made")
    read_partition(work.disk, partition(work.disk, "OEM"), image)
    files.mkdir()
    work.tool(BTRFS, "check", "--readonly", image)
    work.tool(BTRFS, "restore", "-mSx", image, files)
    return {
        "digests": digests,
        "files": {str(path.relative_to(files)): _told(path) for path in sorted(files.rglob("*"))},
    }


def _told(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return path.read_text() if path.is_file() else "folder"


TRIALS = {"check": _check, "oem": _oem}
