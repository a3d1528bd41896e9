"""Which of a disk's volumes is the root, and the others mounted on it as its fstab says: one tree of files.

What is there and cannot be read is told along with the tree, in words; nothing is left out in silence.
"""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from harness.btrfs import BtrfsTree
from harness.diskfacts import DiskFacts
from harness.etc import Mount, read_fstab
from harness.ext import ExtTree
from harness.fat import FatTree
from harness.filesystem import FileSystem
from harness.tree import Mounted, Tree, Unreadable
from harness.volume import Volume
from harness.xfs import XfsTree

_NOT_FILES = ("swap", "lvm")
"""What holds no files of its own: LVM's logical volumes are volumes themselves."""
_MOST_MOUNTS = 64
_MOST_SUBVOLUMES = 64


@dataclass(frozen=True)
class Root:
    """The image's files, the file system that the root lies on, and what of the disk could not be read."""

    tree: Tree
    filesystem: FileSystem
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Opened:
    volume: Volume
    tree: Tree


def read_root(disk: DiskFacts, scratch: Path) -> Root:
    """The root file system, with what its fstab mounts. Raises Unreadable where there is none that can be read."""
    opened, reasons = _open_all(disk, scratch)
    rooted = next((one for one in opened if is_root(one.tree)), None)
    if rooted is None:
        why = "; ".join(reasons) or "no partition holds a Linux root"
        raise Unreadable(f"the root file system cannot be inspected: {why}")
    mounts: dict[str, Tree] = {}
    for mount in read_fstab(rooted.tree.read_text("/etc/fstab"))[:_MOST_MOUNTS]:
        try:
            other = _mounted(mount, rooted, opened, scratch)
        except Unreadable as broken:
            reasons.append(f"{mount.point}: {broken.what}")
            continue
        if other is not None:
            mounts[posixpath.normpath(mount.point)] = other
    tree = Mounted(rooted.tree, mounts) if mounts else rooted.tree
    return Root(tree, rooted.volume.filesystem, tuple(reasons))


def is_root(tree: Tree) -> bool:
    """Whether a tree is the root of a Linux system."""
    return tree.exists("/etc/fstab") or tree.exists("/etc/os-release")


def _open_all(disk: DiskFacts, scratch: Path) -> tuple[list[_Opened], list[str]]:
    opened, reasons = [], list(disk.volume_problems)
    for volume in disk.volumes:
        if not volume.linux or volume.filesystem.kind in _NOT_FILES:
            continue
        try:
            opened.append(_Opened(volume, _open(volume, scratch)))
        except Unreadable as broken:
            reasons.append(broken.what if broken.what.startswith(volume.name) else f"{volume.name}: {broken.what}")
    return opened, reasons


def _open(volume: Volume, scratch: Path) -> Tree:
    opener = next((opener for kind, opener in _OPENERS.items() if volume.filesystem.kind.startswith(kind)), None)
    if opener is None:
        raise Unreadable(f"{volume.name} holds {volume.filesystem.kind or 'nothing known'}, which cannot be inspected")
    return opener(volume, scratch)


def _open_ext(volume: Volume, scratch: Path) -> Tree:
    return ExtTree(*volume.whole(scratch), scratch)


def _open_xfs(volume: Volume, scratch: Path) -> Tree:
    return XfsTree(volume)


def _open_fat(volume: Volume, scratch: Path) -> Tree:
    return FatTree(*volume.whole(scratch), scratch)


def _open_btrfs(volume: Volume, scratch: Path) -> Tree:
    """The subvolume that is the root where one is, or else the one that is mounted without a word.

    The kernel's command line may name another than the default one; the root's own fstab says the same.
    """
    default = BtrfsTree(volume, scratch)
    if is_root(default):
        return default
    others = (default.of(number) for number in islice(default.subvolumes(), _MOST_SUBVOLUMES))
    return next((tree for tree in others if is_root(tree) and _names_itself(tree)), default)


def _names_itself(tree: BtrfsTree) -> bool:
    """Whether its fstab says that this very subvolume is the root; a snapshot of the root does not."""
    chosen = [one for one in read_fstab(tree.read_text("/etc/fstab")) if one.point == "/"]
    return any(tree.of(_subvolume(one)).subvolume == tree.subvolume for one in chosen if _subvolume(one) is not None)


_OPENERS: Mapping[str, Callable[[Volume, Path], Tree]] = {
    "ext": _open_ext,
    "xfs": _open_xfs,
    "btrfs": _open_btrfs,
    "vfat": _open_fat,
}
"""Readers by the beginning of the file system's kind."""


def _mounted(mount: Mount, root: _Opened, opened: list[_Opened], scratch: Path) -> Tree | None:
    """What lies at a mount point, None where it is none of this disk's or the root itself."""
    if not mount.point.startswith("/") or posixpath.normpath(mount.point) == "/":
        return None
    found = next((one for one in opened if one.volume.is_meant_by(mount.source)), None)
    if found is None:
        return None
    if isinstance(found.tree, BtrfsTree):
        return found.tree.of(_subvolume(mount))
    return None if found is root else found.tree


def _subvolume(mount: Mount) -> str | int | None:
    """Which subvolume a line of fstab mounts (btrfs(5)): by path, by id, or None for the default one."""
    for option in mount.options:
        name, equals, value = option.partition("=")
        if equals and name == "subvolid" and value.isdigit():
            return int(value)
        if equals and name == "subvol":
            return value
    return None
