"""What `mkfs.btrfs --rootdir` makes different each time, made equal: ids without meaning and the times of making.

Only what the on-disk format says lies there is touched (btrfs.readthedocs.io, "On-disk Format"): every node of the
file system, found by its id and believed by its checksum. All numbers are little endian.
"""

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from build.errors import Bug

SUPER_AT = (64 << 10, 64 << 20)
"""Where a super block and its copy lie, in bytes; further copies are behind 256 GiB."""
SUPER_LENGTH = 4096
MAGIC = b"_BHRfS_M"
STEP = 4096
"""Nodes begin at multiples of this many bytes."""
CRC32C = 0
HEADER = 101
ITEM = struct.Struct("<QBQII")
POINTER = 33
"""Bytes of an item's head in a leaf (its key, offset and size), and of a pointer in a node above the leaves."""
INODE_ITEM, ROOT_ITEM, DEV_EXTENT, UUID_ITEM = 1, 132, 204, 251
ROOT_TIMES, ROOT_UUID = 327, 247


@dataclass(frozen=True)
class _Ids:
    """The file system's id, the one for its nodes' chunk tree, and the one for its only subvolume."""

    own: bytes
    chunk_tree: bytes
    subvolume: bytes


def normalize(image: Path, epoch: int) -> None:
    """Give a file system that lies in `image` ids that follow from its own, and no time after `epoch` (seconds).

    Raises Bug where it is none that can be read.
    """
    with image.open("r+b") as file:
        content = bytearray(file.read())
        super_block = content[SUPER_AT[0] : SUPER_AT[0] + SUPER_LENGTH]
        if super_block[64:72] != MAGIC or struct.unpack_from("<H", super_block, 196)[0] != CRC32C:
            raise Bug(f"{image.name} holds no btrfs with crc32c checksums")
        own = uuid.UUID(bytes=bytes(super_block[32:48]))
        ids = _Ids(own.bytes, uuid.uuid5(own, "chunk tree").bytes, uuid.uuid5(own, "subvolume").bytes)
        (length,) = struct.unpack_from("<I", super_block, 148)
        count = 0
        for at in range(0, len(content) - length + 1, STEP):
            if content[at + 32 : at + 48] != ids.own or at in SUPER_AT:
                continue
            node = bytes(content[at : at + length])
            if node[:4] == _checksum(node[32:]):
                content[at : at + length] = _node(node, ids, epoch)
                count += 1
        if not count:
            raise Bug(f"{image.name}: no node of the file system was found")
        file.seek(0)
        file.write(content)


def _node(node: bytes, ids: _Ids, epoch: int) -> bytes:
    fresh = bytearray(node)
    fresh[64:80] = ids.chunk_tree
    (number,), level = struct.unpack_from("<I", node, 96), node[100]
    used, data = HEADER + number * (POINTER if level else ITEM.size), len(node)
    if level == 0:
        for index in range(number):
            at = HEADER + index * ITEM.size
            _item(fresh, at, ids, epoch)
            data = min(data, HEADER + ITEM.unpack_from(node, at)[3])
    fresh[used:data] = bytes(data - used)  # what was there before it was deleted
    fresh[:4] = _checksum(bytes(fresh[32:]))
    return bytes(fresh)


def _item(node: bytearray, at: int, ids: _Ids, epoch: int) -> None:
    _, kind, _, offset, _ = ITEM.unpack_from(node, at)
    data = HEADER + offset
    if kind == INODE_ITEM:
        _inode(node, data, epoch)
    elif kind == ROOT_ITEM:
        _inode(node, data, epoch)
        if any(node[data + ROOT_UUID : data + ROOT_UUID + 16]):
            node[data + ROOT_UUID : data + ROOT_UUID + 16] = ids.subvolume
        for place in range(data + ROOT_TIMES, data + ROOT_TIMES + 48, 12):
            _clamp(node, place, epoch)
    elif kind == DEV_EXTENT:
        node[data + 32 : data + 48] = ids.chunk_tree
    elif kind == UUID_ITEM:
        # The key is the subvolume's id in two halves around the kind.
        struct.pack_into("<QBQ", node, at, *_halves(ids.subvolume))


def _halves(identity: bytes) -> Iterator[int]:
    first, second = struct.unpack("<QQ", identity)
    yield from (first, UUID_ITEM, second)


def _inode(node: bytearray, at: int, epoch: int) -> None:
    """Nobody reads from it before it is copied: when it was last changed is when its content was."""
    access, change, modification, creation = (at + 112 + 12 * place for place in range(4))
    _clamp(node, modification, epoch)
    _clamp(node, creation, epoch)
    for place in (access, change):
        node[place : place + 12] = node[modification : modification + 12]


def _clamp(node: bytearray, at: int, epoch: int) -> None:
    seconds, _ = struct.unpack_from("<QI", node, at)
    if seconds > epoch:
        struct.pack_into("<QI", node, at, epoch, 0)


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _table()
"""CRC-32C by the byte (RFC 3720, appendix B.4)."""


def _checksum(content: bytes) -> bytes:
    value = 0xFFFFFFFF
    for byte in content:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return struct.pack("<I", value ^ 0xFFFFFFFF)
