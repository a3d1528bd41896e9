"""What must be known of a file before it is replaced or removed: that nothing hangs on it which would be lost.

A file that is written anew keeps its owner, its mode and its SELinux label. All else that a file can have (further
names, ACLs, capabilities, flags as of `chattr`) cannot be carried over with certainty: such files are left alone.
"""

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from harness.ext import ExtTree, ask
from harness.fix.repair import Unsafe
from harness.tree import Entry, Mounted, Tree, Unreadable

LABEL = "security.selinux"
STORED = "system.data"
"""How debugfs shows a small file's own content within its inode."""
PLAIN = re.compile(r"[\w./@+,:=~%-]+", re.ASCII)
"""Paths that debugfs takes as they stand."""
KNOWN_FLAGS = 0x80000 | 0x1000 | 0x10000000
"""Flags that say how an inode is stored: extents, indexed folder, data within the inode."""
_LINKS = re.compile(r"\bLinks: (\d+)")
_FLAGS = re.compile(r"\bFlags: 0x([0-9a-f]+)")
_ATTRIBUTE = re.compile(r"^  ([a-z]+\.\S+) \(\d+\)", re.MULTILINE)
_LABEL_TEXT = re.compile(rf"^  {re.escape(LABEL)} \(\d+\) = (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """Where a file lies: the file system at a byte `offset` of the disk, and its path there.

    `entry` is None for a file that is to be made; `like` is then the inode whose label it gets, if files there have
    labels; 0 otherwise.
    """

    tree: ExtTree
    path: str
    entry: Entry | None
    like: int = 0


def prove(tree: Tree, path: str, disk: Path) -> Place:
    """The place of a file, link or empty folder that may be replaced or removed, or of a file that may be made.

    `path` is a real one, `disk` the image's file, on which its file system must lie by itself. Raises Unsafe where
    that cannot be done with certainty.
    """
    part, inside = _part(tree, path)
    if not isinstance(part, ExtTree):
        raise Unsafe(f"{path} lies on a file system that is not written offline: only ext2, ext3 and ext4 are")
    if part.disk != disk:
        raise Unsafe(f"{path} lies on a volume that is not in one piece on the disk")
    if not PLAIN.fullmatch(inside):
        raise Unsafe(f"{path!r} has a name that is not written offline")
    entry = part.lstat(inside)
    if entry is None:
        return Place(part, inside, None, _like(part, inside))
    if entry.is_folder:
        return Place(part, inside, entry)
    said = _said(part, entry.inode)
    if entry.is_file and int(_first(_LINKS, said, path)) != 1:
        raise Unsafe(f"{path} has other names (hard links), which would keep the old content")
    if flags := int(_first(_FLAGS, said, path), 16) & ~KNOWN_FLAGS:
        raise Unsafe(f"{path} has flags ({flags:#x}) that would be lost")
    if others := sorted(set(_ATTRIBUTE.findall(said)) - {LABEL, STORED}):
        raise Unsafe(f"{path} has attributes that would be lost: {', '.join(others)}")
    return Place(part, inside, entry)


def has_label(place: Place) -> bool:
    """Whether the file, or what a new one is like, has a SELinux label."""
    inode = place.entry.inode if place.entry else place.like
    return bool(inode) and LABEL in _ATTRIBUTE.findall(_said(place.tree, inode))


def _part(tree: Tree, path: str) -> tuple[Tree, str]:
    """The tree that is mounted there, and the path in it."""
    if isinstance(tree, Mounted):
        for point in sorted(tree.mounts, key=len, reverse=True):
            if path.startswith(f"{point}/"):
                return tree.mounts[point], path[len(point) :]
        return tree.root, path
    return tree, path


def _like(tree: ExtTree, path: str) -> int:
    """A neighbour whose label a new file gets: all files of its folder must have the same. Raises Unsafe."""
    folder = posixpath.dirname(path)
    if not tree.is_folder(folder):
        raise Unsafe(f"there is no folder {folder}")
    inodes = [one.inode for one in tree.children(folder).values() if one.is_file]
    texts = ask(tree.disk, tree.offset, (f"stat <{inode}>" for inode in inodes)) if inodes else []
    labels = {_LABEL_TEXT.findall(text)[0] if _LABEL_TEXT.search(text) else "" for text in texts}
    above = _said(tree, _inode(tree, folder))
    if (labels - {""} and len(labels) > 1) or (not labels and LABEL in _ATTRIBUTE.findall(above)):
        raise Unsafe(f"which SELinux label {path} should get cannot be told by its neighbours")
    return inodes[0] if labels - {""} else 0


def _inode(tree: ExtTree, folder: str) -> int:
    entry = tree.stat(folder)
    return entry.inode if entry and entry.inode else 2


def _said(tree: ExtTree, inode: int) -> str:
    try:
        return ask(tree.disk, tree.offset, (f"stat <{inode}>",))[0]
    except Unreadable as broken:
        raise Unsafe(broken.what) from None


def _first(pattern: re.Pattern[str], said: str, path: str) -> str:
    found = pattern.search(said)
    if found is None:
        raise Unsafe(f"debugfs does not tell what {path} is")
    return found[1]
