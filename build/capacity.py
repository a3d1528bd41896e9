"""How large a file system must be to hold a tree, told before it is made."""

import os
import stat
from pathlib import Path

MIB = 1 << 20
BLOCK = 4096
INODE_SHARE = 256 / 16384
"""Of an ext4 file system its inode tables take an inode of 256 bytes for each 16 KiB (mke2fs.conf's default)."""
TABLES_SHARE = 1 / 256
"""Bitmaps, group descriptors and those reserved for growing, rounded up."""
JOURNAL = 64 * MIB
"""mke2fs's journal for file systems of 2 to 16 GiB; smaller ones get less."""
LONGEST_ENTRY = 64
"""Bytes that a name takes in its folder, on the large side."""
ROOM = 128 * MIB
"""What a first boot writes before the file system has grown: keys, logs, states."""


def least_root(tree: Path) -> int:
    """The smallest ext4 file system in bytes, in whole MiB, that holds this tree and lets it boot."""
    needed = (content(tree) + JOURNAL + ROOM) / (1 - INODE_SHARE - TABLES_SHARE)
    return int(-(-needed // MIB)) * MIB


def content(tree: Path) -> int:
    """Bytes of the blocks that a tree's files, folders and long links take; names of one file count once."""
    seen: set[int] = set()
    total = 0
    for folder, folders, names in os.walk(tree):
        total += _blocks((len(folders) + len(names) + 2) * LONGEST_ENTRY)
        for name in names:
            status = os.lstat(f"{folder}/{name}")
            if status.st_ino not in seen:
                seen.add(status.st_ino)
                total += _blocks(status.st_size) if stat.S_ISREG(status.st_mode) or status.st_size >= 60 else 0
    return total


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
