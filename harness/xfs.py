"""XFS inside a volume, read by ourselves: xfs_db takes no offset into a disk, and GRUB's reader knows neither owners
nor modes nor where links point.

Laid out as in "XFS Algorithms & Data Structures" (kernel.org, version 5 and the older version 4); all numbers are big
endian. Only what a check may ask for is read: folders, inodes, links and the beginnings of files. What the super block
does not allow for, and what does not fit together, raises Unreadable.
"""

import functools
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from harness.inodes import Inode, InodeTree, Place
from harness.tree import Unreadable
from harness.volume import Volume

_KNOWN = 0x1 | 0x2 | 0x4 | 0x8 | 0x20 | 0x40 | 0x80
"""Incompatible features that change nothing here, or that are minded: file types in folders, sparse inodes, a second
UUID, large times, many extents, exchanged ranges, parent pointers."""
_TYPED = 0x1
_LOCAL, _EXTENTS, _BTREE = 1, 2, 3
_MANY_EXTENTS = 0x10
_REALTIME = 0x1
_SPACES, _SPACE = 0x6, {"user": 0x0, "trusted": 0x2, "security": 0x4}
_LEAVES = 1 << 35
"""Where a folder's index begins: bytes that only speed up a search."""
_FREE = 0xFFFF
_MOST_FOLDER = 32 << 20
_MOST_MAP = 16 << 20
"""Bytes of the tree that maps one file."""
_DEEPEST = 8
_RECORD, _LINK_HEAD = 16, 56
_BLOCK_MAGICS, _DATA_MAGICS = (b"XD2B", b"XDB3"), (b"XD2D", b"XDD3")


@dataclass(frozen=True)
class _Super:
    """What the super block tells; sizes are in bytes, `*_bits` are logarithms."""

    block: int
    group_blocks: int
    group_bits: int
    inode: int
    inodes_per_block_bits: int
    root: int
    folder_block: int
    version: int
    typed: bool


@dataclass(frozen=True)
class _Extent:
    """A run of a file's blocks: from block `start` of the file on, at byte `offset` of the volume; 0 is a hole."""

    start: int
    offset: int
    count: int


@dataclass(frozen=True)
class _Fork:
    """The raw inode, and what its data fork is."""

    head: bytes
    format: int
    data: bytes
    extents: int
    size: int


def _super(volume: Volume) -> _Super:
    raw = volume.read(0, 512).ljust(512, b"\0")
    block, per_group, version = _u32(raw, 4), _u32(raw, 84), _u16(raw, 100)
    inode, block_bits, inode_bits, per_block_bits, group_bits = _u16(raw, 104), raw[120], raw[122], raw[123], raw[124]
    folder_bits, unknown = raw[192], _u32(raw, 216) & ~_KNOWN
    sound = (
        raw.startswith(b"XFSB")
        and block == 1 << block_bits
        and 512 <= block <= 65536
        and 256 <= inode == 1 << inode_bits <= min(block, 2048)
        and per_block_bits == block_bits - inode_bits
        and 0 < per_group <= 1 << group_bits <= 1 << 31
        and block << folder_bits <= 65536
    )
    if not sound or version & 15 not in (4, 5):
        raise Unreadable(f"{volume.name}: the super block of XFS makes no sense", "is the file system whole?")
    if version & 15 == 5 and unknown:
        raise Unreadable(f"{volume.name}: XFS with features that Kiln does not know ({unknown:#x})", "boot it instead")
    typed = bool(_u32(raw, 216) & _TYPED) if version & 15 == 5 else bool(_u32(raw, 200) & 0x200)
    return _Super(
        *(block, per_group, group_bits, inode, per_block_bits, _u64(raw, 56)),
        *(block << folder_bits, version & 15, typed),
    )


class XfsTree(InodeTree):
    """The XFS of a volume."""

    def __init__(self, volume: Volume) -> None:
        super().__init__(volume)
        self.super = _super(volume)
        self.fork = functools.lru_cache(maxsize=4096)(self._fork)
        with self.sound("the root folder"):
            if not self.inode(self.top).entry.is_folder:
                raise self.broken("XFS without a root folder")

    @property
    def top(self) -> Place:
        """The root folder's inode."""
        return (0, self.super.root)

    def inode(self, place: Place) -> Inode:
        """Mode, owner and size."""
        head = self.fork(place[1]).head
        return Inode(_u16(head, 2), _u32(head, 8), _u32(head, 12), _u64(head, 56))

    def names(self, place: Place) -> Iterator[tuple[str, Place]]:
        """What a folder holds."""
        fork = self.fork(place[1])
        found = self._short(fork) if fork.format == _LOCAL else self._long(fork)
        for name, inode in found:
            yield name, (0, inode)

    def content(self, place: Place, limit: int) -> bytes:
        """The first bytes of a file, or where a link points."""
        fork = self.fork(place[1])
        if fork.format == _LOCAL:
            return fork.data[: min(fork.size, limit)]
        if _u16(fork.head, 90) & _REALTIME:
            raise self.broken("a file lies on a real-time device")
        length = min(fork.size, limit)
        if Inode(_u16(fork.head, 2), 0, 0, 0).entry.is_link and self.super.version == 5:
            return self._remote_link(fork, length)
        return self._read(self._extents(fork), 0, length)

    def mark(self, place: Place, name: str) -> bytes | None:
        """Of attributes only those that lie within the inode, as a label does."""
        raw = self.fork(place[1]).head
        space, _, own = name.partition(".")
        begin = (176 if raw[4] >= 3 else 100) + raw[82] * 8
        if not raw[82]:
            return b""
        if raw[83] != _LOCAL:
            return None
        at = begin + 4
        for _ in range(raw[begin + 2]):
            length, value, flags = raw[at], raw[at + 1], raw[at + 2]
            at += 3 + length + value
            if flags & _SPACES == _SPACE.get(space) and raw[at - length - value : at - value] == own.encode():
                return raw[at - value : at]
        return b""

    def _fork(self, number: int) -> _Fork:
        about = self.super
        raw = self.volume.read(self.offset(number), about.inode)
        if len(raw) < about.inode or raw[:2] != b"IN":
            raise self.broken(f"there is no inode {number}")
        version = raw[4]
        begin = 176 if version >= 3 else 100
        end = begin + raw[82] * 8 if raw[82] else about.inode
        many = version >= 3 and _u64(raw, 120) & _MANY_EXTENTS
        return _Fork(
            raw, raw[5], raw[begin : min(end, about.inode)], _u64(raw, 24) if many else _u32(raw, 76), _u64(raw, 56)
        )

    def offset(self, number: int) -> int:
        """At which byte of the volume an inode lies."""
        block, place = divmod(number, 1 << self.super.inodes_per_block_bits)
        return self._byte(block) + place * self.super.inode

    def _byte(self, block: int) -> int:
        """Where a block lies whose number holds its group and its place in that."""
        about = self.super
        return (
            (block >> about.group_bits) * about.group_blocks + (block & ((1 << about.group_bits) - 1))
        ) * about.block

    def _extents(self, fork: _Fork) -> list[_Extent]:
        found = self._mapped(fork)
        if any(one.start + one.count > other.start for one, other in pairwise(found)):
            raise self.broken("a file's extents lie over each other")
        return found

    def _mapped(self, fork: _Fork) -> list[_Extent]:
        if fork.format == _EXTENTS:
            return self._records(fork.data, fork.extents)
        if fork.format != _BTREE:
            raise self.broken(f"an inode has a fork of the unknown kind {fork.format}")
        room = (len(fork.data) - 4) // _RECORD
        level, count = struct.unpack_from(">HH", fork.data)
        if not 0 < level <= _DEEPEST or count > room:
            raise self.broken("a file's map of extents makes no sense")
        blocks = struct.unpack_from(f">{count}Q", fork.data, 4 + room * 8)
        return [one for leaf in self._leaves(blocks, level - 1) for one in leaf]

    def _leaves(self, blocks: tuple[int, ...], level: int) -> Iterator[list[_Extent]]:
        head = 72 if self.super.version == 5 else 24
        room = (self.super.block - head) // _RECORD
        left = _MOST_MAP // self.super.block
        while True:
            below: list[int] = []
            for block in blocks:
                raw = self.volume.read(self._byte(block), self.super.block).ljust(self.super.block, b"\0")
                own, count = _u16(raw, 4), _u16(raw, 6)
                left -= 1
                if raw[:4] not in (b"BMAP", b"BMA3") or own != level or count > room or left < 0:
                    raise self.broken("a file's tree of extents makes no sense")
                if level == 0:
                    yield self._records(raw[head:], count)
                else:
                    below += struct.unpack_from(f">{count}Q", raw, head + room * 8)
            if level == 0:
                return
            blocks, level = tuple(below), level - 1

    def _records(self, raw: bytes, count: int) -> list[_Extent]:
        if count * _RECORD > len(raw):
            raise self.broken(f"a file claims {count} extents")
        found = []
        for at in range(0, count * _RECORD, _RECORD):
            packed = int.from_bytes(raw[at : at + _RECORD], "big")
            unwritten, start = packed >> 127, packed >> 73 & (1 << 54) - 1
            offset = 0 if unwritten else self._byte(packed >> 21 & (1 << 52) - 1)
            found.append(_Extent(start, offset, packed & (1 << 21) - 1))
        return found

    def _read(self, extents: Iterable[_Extent], begin: int, length: int) -> bytes:
        """Bytes of a file; holes, and what was never written, are zeros."""
        found = bytearray(length)
        for one in extents:
            start, end = one.start * self.super.block, (one.start + one.count) * self.super.block
            low, high = max(start, begin), min(end, begin + length)
            if low < high and one.offset:
                part = self.volume.read(one.offset + low - start, high - low)
                if len(part) < high - low:
                    raise self.broken("a file lies behind the end of the volume")
                found[low - begin : high - begin] = part
        return bytes(found)

    def _remote_link(self, fork: _Fork, length: int) -> bytes:
        """A link too long for its inode; each of its blocks has a head."""
        body = self.super.block - _LINK_HEAD
        raw = self._read(self._extents(fork), 0, -(-length // body) * self.super.block)
        blocks = [raw[at : at + self.super.block] for at in range(0, len(raw), self.super.block)]
        if not all(block.startswith(b"XSLM") for block in blocks):
            raise self.broken("a long link makes no sense")
        return b"".join(block[_LINK_HEAD:] for block in blocks)[:length]

    def _short(self, fork: _Fork) -> Iterator[tuple[str, int]]:
        raw = fork.data
        count, wide = raw[0] or raw[1], bool(raw[1])
        number, at = (8 if wide else 4), 2 + (8 if wide else 4)
        for _ in range(count):
            length = raw[at] if at < len(raw) else 0
            behind = at + 3 + length + self.super.typed
            if not length or behind + number > len(raw):
                raise self.broken("a small folder makes no sense")
            yield _name(raw[at + 3 : at + 3 + length]), int.from_bytes(raw[behind : behind + number], "big")
            at = behind + number

    def _long(self, fork: _Fork) -> Iterator[tuple[str, int]]:
        unit, size = self.super.block, self.super.folder_block
        extents = [one for one in self._extents(fork) if one.start * unit < _LEAVES]
        if sum(one.count for one in extents) * unit > _MOST_FOLDER:
            raise self.broken("a folder claims more than a check should read")
        runs = (range(one.start * unit // size, -(-(one.start + one.count) * unit // size)) for one in extents)
        for number in sorted({block for run in runs for block in run}):
            raw = self._read(extents, number * size, size)
            if any(raw):
                yield from self._block(raw)

    def _block(self, raw: bytes) -> Iterator[tuple[str, int]]:
        if raw[:4] not in (*_BLOCK_MAGICS, *_DATA_MAGICS):
            raise self.broken("a block of a folder makes no sense")
        end = len(raw)
        if raw[:4] in _BLOCK_MAGICS:
            end -= 8 + _u32(raw, end - 8) * 8
        at = 64 if self.super.version == 5 else 16
        while at + 16 <= end:
            if _u16(raw, at) == _FREE:
                step = _u16(raw, at + 2)
            else:
                length = raw[at + 8]
                step = -(-(11 + length + self.super.typed) // 8) * 8
                if not length or at + step > end:
                    raise self.broken("an entry of a folder makes no sense")
                yield _name(raw[at + 9 : at + 9 + length]), _u64(raw, at)
            if step < 8:
                raise self.broken("a gap in a folder makes no sense")
            at += step


def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _u16(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 2], "big")


def _u32(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 4], "big")


def _u64(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 8], "big")
