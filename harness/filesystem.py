"""Which file system a partition holds, by its superblock: kind, UUID and label, as blkid would tell them."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

Read = Callable[[int, int], bytes]
"""Reads bytes: offset and length; fewer come where the disk ends."""


@dataclass(frozen=True)
class FileSystem:
    """A file system, or what else a partition holds: ext4, xfs, btrfs, vfat, swap, lvm, luks, or "" if unknown.

    `size` and `free` are bytes, all that it holds and what is left of them; 0 where its superblock does not tell.
    """

    kind: str
    uuid: str = ""
    label: str = ""
    size: int = 0
    free: int = 0


def identify(read: Read, offset: int) -> FileSystem:
    """What lies at this byte offset; reads less than 70 KiB."""
    head = read(offset, 8192).ljust(8192, b"\0")
    for look in (_ext, _xfs, _vfat, _other):
        if found := look(head):
            return found
    return _btrfs(read(offset + 0x10000, 4096).ljust(4096, b"\0"))


def _ext(head: bytes) -> FileSystem | None:
    block = head[1024:2048]
    if block[56:58] != b"\x53\xef":
        return None
    extents = _number(block[0x60:0x64]) & 0x40
    journal = _number(block[0x5C:0x60]) & 0x4
    kind = "ext4" if extents else "ext3" if journal else "ext2"
    high = 1 << 32 if _number(block[0x60:0x64]) & 0x80 else 0  # the feature 64bit
    blocks = _number(block[0x4:0x8]) + high * _number(block[0x150:0x154])
    left = _number(block[0xC:0x10]) + high * _number(block[0x158:0x15C])
    unit = 1024 << _number(block[0x18:0x1C])
    return FileSystem(kind, _uuid(block[0x68:0x78]), _text(block[0x78:0x88]), blocks * unit, left * unit)


def _xfs(head: bytes) -> FileSystem | None:
    if not head.startswith(b"XFSB"):
        return None
    unit, blocks, left = (int.from_bytes(head[start:end], "big") for start, end in ((4, 8), (8, 16), (144, 152)))
    return FileSystem("xfs", _uuid(head[32:48]), _text(head[108:120]), blocks * unit, left * unit)


def _vfat(head: bytes) -> FileSystem | None:
    if head[510:512] != b"\x55\xaa":
        return None
    for mark, serial, label in ((82, 67, 71), (54, 39, 43)):
        if head[mark : mark + 3] == b"FAT":
            number = int.from_bytes(head[serial : serial + 4], "little")
            return FileSystem("vfat", f"{number >> 16:04X}-{number & 0xFFFF:04X}", _text(head[label : label + 11]))
    return None


def _other(head: bytes) -> FileSystem | None:
    if head[4086:4096] in (b"SWAPSPACE2", b"SWAP-SPACE"):
        return FileSystem("swap", _uuid(head[1036:1052]), _text(head[1052:1068]))
    if b"LABELONE" in (head[at : at + 8] for at in range(0, 2048, 512)):
        return FileSystem("lvm")
    if head.startswith(b"LUKS\xba\xbe"):
        return FileSystem("luks", _text(head[168:208]))
    return None


def _btrfs(block: bytes) -> FileSystem:
    if block[64:72] != b"_BHRfS_M":
        return FileSystem("")
    size, used = _number(block[112:120]), _number(block[120:128])
    return FileSystem("btrfs", _uuid(block[32:48]), _text(block[299:555]), size, size - used)


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _uuid(raw: bytes) -> str:
    return str(uuid.UUID(bytes=raw))


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace").strip()
