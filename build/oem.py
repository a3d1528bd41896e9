"""The OEM partition of a Flatcar image: read and made anew with what the user adds, without a mount.

Ignition merges `base/base.ign` under whatever the machine is given as custom data; `config.ign` takes the place of
custom data, so it is written only when it was asked for. GRUB reads `grub.cfg` unless Secure Boot's own does without.
"""

import base64
import json
import os
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from build import btrfs
from build.errors import CallerError, MachineError
from build.gpt import Partition, read_table
from build.layout import NAMESPACE
from build.spec.value import Content
from build.workspace import Workspace

BTRFS, MKFS = "/usr/bin/btrfs", "/usr/sbin/mkfs.btrfs"
BASE, USER, GRUB = "base/base.ign", "config.ign", "grub.cfg"
CHUNK = 1 << 20


@dataclass(frozen=True)
class CustomizeOem:
    """What the user adds to it: `base` and `user` are Ignition configs, if any, `arguments` the kernel's.

    `image` is the image's name, from which the new file system's ids follow; `effects` are lines that tell people what
    `base` comes to.
    """

    image: str
    base: Content | None = None
    user: Content | None = None
    arguments: tuple[str, ...] = ()
    effects: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def describe(self) -> str:
        """What a plan shows."""
        lines = ["Make the OEM file system anew"]
        if self.base:
            lines += [f"    {BASE}, for the first boot, under the machine's custom data:"]
            lines += [f"        {line}" for line in self.effects]
        if self.user:
            secret = f" (secret from {self.user.secret})" if self.user.secret else ""
            lines.append(f"    {USER}: a config in place of the machine's custom data{secret}")
        if self.arguments:
            lines.append(f"    {GRUB}: kernel arguments {' '.join(self.arguments)}")
        return "\n".join(lines)

    def run(self, work: Workspace) -> None:
        """An earlier attempt's result is made anew from the same disk: reading it gives the same files."""
        slot = partition(work.disk, "OEM")
        old, new, files = work.file("oem.img"), work.file("oem.new"), work.file("oem")
        read_partition(work.disk, slot, old)
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        nothing_mounted(work.tools)
        work.tool(BTRFS, "restore", "-mSx", old, files)
        self._add(files)
        settle(files, work.epoch)
        self._make(work, files, slot, new)
        lay(work, new, slot)
        for path in (old, new):
            path.unlink()
        shutil.rmtree(files)

    def _make(self, work: Workspace, files: Path, slot: Partition, new: Path) -> None:
        own = uuid.uuid5(NAMESPACE, f"{self.image}/oem")
        new.unlink(missing_ok=True)
        with new.open("wb") as file:
            file.truncate(slot.size)
        ids = ("--uuid", str(own), "--device-uuid", str(uuid.uuid5(own, "device")))
        work.tool(MKFS, "--quiet", "--label", "OEM", *ids, "--rootdir", files, new)
        if new.stat().st_size != slot.size:  # it makes its file larger where it needs more
            raise CallerError(
                f"what is added takes more than the OEM partition's {slot.size >> 20} MiB",
                "have large files fetched at the first boot instead: Ignition takes URLs",
            )
        btrfs.normalize(new, work.epoch)

    def _add(self, files: Path) -> None:
        if self.base:
            text = merged(_text(files / BASE), self.base.read().decode())
            _put(files / BASE, text, 0o600 if self.base.secret else 0o644)
        if self.user:
            _put(files / USER, self.user.read().decode(), 0o600 if self.user.secret else 0o644)
        if self.arguments:
            words = " ".join(self.arguments)
            _put(files / GRUB, f'{_text(files / GRUB)}set linux_append="$linux_append {words}"\n')


def nothing_mounted(tools: Path) -> None:
    """Tell btrfs' programs, which refuse to go on without a list, that nothing is mounted in the tools tree."""
    mounts = tools / "proc/self/mounts"
    if not mounts.exists():
        mounts.parent.mkdir(parents=True, exist_ok=True)
        mounts.touch()


def merged(vendor: str, own: str) -> str:
    """The vendor's base config with ours under it. Both stay whole: the vendor's is merged in by a data URL."""
    if not vendor.strip():
        return own
    told: dict[str, Any] = json.loads(own)
    source = "data:;base64," + base64.b64encode(vendor.encode()).decode()
    told["ignition"] = {**told["ignition"], "config": {"merge": [{"source": source}]}}
    return json.dumps(told, indent=1, sort_keys=True) + "\n"


def partition(disk: Path, name: str) -> Partition:
    """The partition of this name. Raises MachineError where there is none: the image is no Flatcar."""
    with disk.open("rb") as file:
        found = [one for one in read_table(file, disk.stat().st_size).partitions if one.name == name]
    if len(found) != 1:
        raise MachineError(f"the image has {len(found)} partitions that are called {name}", "is it a Flatcar image?")
    return found[0]


def read_partition(disk: Path, slot: Partition, target: Path) -> None:
    """A partition as a sparse file of its own."""
    zeros = bytes(CHUNK)
    target.unlink(missing_ok=True)
    with disk.open("rb") as source, target.open("wb") as copy:
        source.seek(slot.offset)
        for at in range(0, slot.size, CHUNK):
            block = source.read(min(CHUNK, slot.size - at))
            if block != zeros[: len(block)]:
                copy.seek(at)
                copy.write(block)
        copy.truncate(slot.size)


def lay(work: Workspace, source: Path, slot: Partition) -> None:
    """Put a partition's content in place of what was there; what is zeros is a hole."""
    place = ("--offset", str(slot.offset), "--length", str(slot.size))
    work.tool("/usr/bin/fallocate", "--punch-hole", *place, work.disk)
    zeros = bytes(CHUNK)
    with source.open("rb") as file, work.disk.open("r+b") as target:
        at = slot.offset
        while block := file.read(CHUNK):
            if block != zeros[: len(block)]:
                target.seek(at)
                target.write(block)
            at += len(block)


def settle(folder: Path, epoch: int) -> None:
    """No time after `epoch` (seconds), the folders' included."""
    for path in [*sorted(folder.rglob("*"), reverse=True), folder]:
        when = min(path.lstat().st_mtime_ns, epoch * 10**9)
        os.utime(path, ns=(when, when), follow_symlinks=False)


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() and not path.is_symlink() else ""


def _put(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode)
    path.write_text(text)
    path.chmod(mode)
