"""btrfs inside a volume, read by ourselves: `btrfs restore` takes no offset into a disk, and writes out all or nothing.

Laid out as in btrfs' documentation ("On-disk Format"); all numbers are little endian. Only what a check may ask for is
read: folders, inodes, links and the beginnings of files, packed ones too. A file system that needs several disks, or
that does not fit together, raises Unreadable.
"""

import functools
import struct
import tempfile
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path

from build.command import CommandFailed, run
from harness.inodes import Inode, InodeTree, Place
from harness.tree import Unreadable
from harness.volume import Volume

TOP_LEVEL = 5
"""The id of the subvolume that holds all others."""
_SUPER_AT = 0x10000
_DEFAULT_FOLDER = 6
_FIRST_INODE = 256
_INODE_ITEM, _XATTR_ITEM, _DIR_ITEM, _DIR_INDEX, _EXTENT_DATA, _ROOT_ITEM, _CHUNK_ITEM = 1, 24, 84, 96, 108, 132, 228
_KEY = struct.Struct("<QBQ")
_ITEM = struct.Struct("<QBQII")
_POINTER = struct.Struct("<QBQQQ")
_NODE_HEAD = 101
_CHUNK = struct.Struct("<QQQQIIIHH")
_STRIPE = struct.Struct("<QQ16s")
_FILE_EXTENT = struct.Struct("<QQBBHB")
_ON_DISK = struct.Struct("<QQQQ")
_ENTRY = struct.Struct("<QHHB")
_ONE_COPY_IS_ALL = 0x1 | 0x2 | 0x4 | 0x10 | 0x20
"""Of a chunk's kinds those whose first stripe holds all of it: data, system, metadata, RAID 1, DUP; none is single."""
_INLINE, _PREALLOCATED = 0, 2
_ZLIB, _ZSTD = 1, 3
_HIGHEST = 1 << 64
_DEEPEST = 8
_MOST_NODES = 32 << 20
"""Bytes of the nodes that one question may lead to."""
_MOST_CHUNKS = 1 << 14
_LEAST_EXTENT = 4096
_MOST_WORDS = 512
"""Files that zstd is given at once."""
_MOST_PACKED = 128 << 10
"""Bytes of a packed extent, and of what it unpacks to (btrfs: BTRFS_MAX_UNCOMPRESSED)."""
_KNOWN = 0xFFF | 0x10000
"""Incompatible features up to RAID1C3, whose chunks are looked at, and simple quotas. Not: zones, the second extent
tree, the tree of stripes."""
_Key = tuple[int, int, int]


@dataclass(frozen=True)
class _Chunk:
    """Where a run of btrfs' own addresses lies in the volume, in bytes."""

    start: int
    length: int
    offset: int


@dataclass(frozen=True)
class _Extent:
    """`count` bytes of a file from byte `begin` on, which are those from `offset` on of what the extent unpacks to.

    The extent itself is `inline`, or `size` bytes at an address.
    """

    begin: int
    offset: int
    count: int
    packed: int
    inline: bytes = b""
    address: int | None = None
    size: int = 0


@dataclass(frozen=True)
class _Node:
    """A node of a tree: what its keys lead to are addresses of nodes (above level 0), or data."""

    level: int
    keys: tuple[_Key, ...]
    below: tuple[int, ...]
    data: tuple[bytes, ...]


class BtrfsTree(InodeTree):
    """One subvolume of the btrfs of a volume, by its path, its id, or the one that is mounted without a word."""

    def __init__(self, volume: Volume, scratch: Path, subvolume: str | int | None = None) -> None:
        super().__init__(volume)
        self.scratch = scratch
        raw = volume.read(_SUPER_AT, 4096).ljust(4096, b"\0")
        self.node_size, self.root = self._sizes(raw), struct.unpack_from("<Q", raw, 80)[0]
        with self.sound("the super block"):
            self.chunks = list(self._first_chunks(raw))
        self.node = functools.lru_cache(maxsize=512)(self._node)
        self.root_of = functools.lru_cache(maxsize=1024)(self._root_of)
        with self.sound("the root folder"):
            (chunk_root,) = struct.unpack_from("<Q", raw, 88)
            self.chunks += islice(self._all_chunks(chunk_root), _MOST_CHUNKS)
            self.subvolume = self._find(subvolume)
            if not self.inode(self.top).entry.is_folder:
                raise self.broken("btrfs without a root folder")

    @property
    def top(self) -> Place:
        """The root folder of the subvolume."""
        return (self.subvolume, _FIRST_INODE)

    def of(self, subvolume: str | int | None) -> "BtrfsTree":
        """Another subvolume of the same file system."""
        return BtrfsTree(self.volume, self.scratch, subvolume)

    def subvolumes(self) -> Iterator[int]:
        """The ids of all subvolumes that can be written to, in order."""
        for (number, kind, _), data in self._items(self.root, (_FIRST_INODE, _ROOT_ITEM, 0), (_HIGHEST, 0, 0)):
            if (
                kind == _ROOT_ITEM
                and number < _HIGHEST - _FIRST_INODE
                and not struct.unpack_from("<Q", data, 208)[0] & 1
            ):
                yield number

    def inode(self, place: Place) -> Inode:
        """Mode, owner and size."""
        subvolume, number = place
        key = (number, _INODE_ITEM, 0)
        data = next((data for _, data in self._items(self.root_of(subvolume), key, key)), None)
        if data is None:
            raise self.broken(f"there is no inode {number} in subvolume {subvolume}")
        (size,) = struct.unpack_from("<Q", data, 16)
        _, uid, gid, mode = struct.unpack_from("<4I", data, 40)
        return Inode(mode & 0xFFFF, uid, gid, size)

    def names(self, place: Place) -> Iterator[tuple[str, Place]]:
        """What a folder holds, other subvolumes too."""
        subvolume, number = place
        between = (number, _DIR_INDEX, 0), (number, _DIR_INDEX, _HIGHEST)
        for _, data in self._items(self.root_of(subvolume), *between):
            inode, kind, _ = _KEY.unpack_from(data)
            _, _, length, _ = _ENTRY.unpack_from(data, _KEY.size)
            begin = _KEY.size + _ENTRY.size
            name = data[begin : begin + length].decode("utf-8", "replace")
            yield name, (inode, _FIRST_INODE) if kind == _ROOT_ITEM else (subvolume, inode)

    def content(self, place: Place, limit: int) -> bytes:
        """The first bytes of a file, or where a link points. Raises Unreadable where it is packed by LZO."""
        length = min(self.inode(place).size, limit)
        found = bytearray(length)
        extents = [self._shortened(one, length) for one in self._extents(place) if one.begin < length]
        overlap = any(one.begin + one.count > other.begin for one, other in pairwise(extents))
        if overlap or len(extents) > length // _LEAST_EXTENT + 1:
            raise self.broken("a file's extents lie over each other")
        for one, part in zip(extents, self._unpacked(extents), strict=True):
            count = min(one.count, length - one.begin)
            found[one.begin : one.begin + count] = part[one.offset : one.offset + count].ljust(count, b"\0")
        return bytes(found)

    def mark(self, place: Place, name: str) -> bytes:
        """Attributes are laid out as a folder's names are, each with its value behind it."""
        between = (place[1], _XATTR_ITEM, 0), (place[1], _XATTR_ITEM, _HIGHEST)
        for _, data in self._items(self.root_of(place[0]), *between):
            at = 0
            while at < len(data):  # those whose names have one hash share an item
                _, value, length, _ = _ENTRY.unpack_from(data, at + _KEY.size)
                begin = at + _KEY.size + _ENTRY.size
                at = begin + length + value
                if data[begin : begin + length] == name.encode():
                    return data[begin + length : at]
        return b""

    def _extents(self, place: Place) -> Iterator[_Extent]:
        """What a file consists of, without holes."""
        between = (place[1], _EXTENT_DATA, 0), (place[1], _EXTENT_DATA, _HIGHEST)
        for (_, _, begin), data in self._items(self.root_of(place[0]), *between):
            _, unpacked, how, encrypted, other, kind = _FILE_EXTENT.unpack_from(data)
            if encrypted or other:
                raise self.broken("a file is encoded in an unknown way")
            if kind == _INLINE:
                yield _Extent(begin, 0, unpacked, how, data[_FILE_EXTENT.size :])
                continue
            address, size, offset, count = _ON_DISK.unpack_from(data, _FILE_EXTENT.size)
            if not address or kind == _PREALLOCATED:
                continue
            if how and size > _MOST_PACKED:
                raise self.broken("a packed extent is too long")
            if how:
                yield _Extent(begin, offset, count, how, address=address, size=size)
            else:
                yield _Extent(begin, 0, count, how, address=address + offset, size=count)

    @staticmethod
    def _shortened(extent: _Extent, end: int) -> _Extent:
        """Without what lies behind `end` of the file; what is packed is needed whole."""
        return extent if extent.packed else replace(extent, size=min(extent.size, end - extent.begin))

    def _unpacked(self, extents: list[_Extent]) -> Iterator[bytes]:
        """The bytes of each extent; those that are packed by zstd come from one call of it."""
        frames = [self._raw(one) for one in extents if one.packed == _ZSTD]
        plain = iter(self._from_zstd(frames) if frames else ())
        for one in extents:
            if one.packed == _ZSTD:
                yield next(plain)
            elif one.packed == _ZLIB:
                yield self._from_zlib(self._raw(one))
            elif one.packed:
                raise self.broken(f"a file is packed in a way that Kiln does not read ({one.packed}: LZO is 2)")
            else:
                yield self._raw(one)

    def _raw(self, extent: _Extent) -> bytes:
        return extent.inline if extent.address is None else self._bytes_at(extent.address, extent.size)

    def _from_zlib(self, raw: bytes) -> bytes:
        try:
            return zlib.decompressobj().decompress(raw, _MOST_PACKED)
        except zlib.error as broken:
            raise self.broken(f"a packed extent makes no sense ({broken})") from None

    def _from_zstd(self, frames: list[bytes]) -> Iterator[bytes]:
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            files = [Path(folder, f"{number}.zst") for number in range(len(frames))]
            for file, frame in zip(files, frames, strict=True):
                file.write_bytes(frame[: frame_length(frame)])
            for first in range(0, len(files), _MOST_WORDS):
                try:
                    run("zstd", "-d", "-q", "--memory=8MB", *files[first : first + _MOST_WORDS], timeout=60)
                except CommandFailed as failed:
                    raise self.broken(f"a packed extent makes no sense ({failed.output.strip()})") from None
            for file in files:
                with file.with_suffix("").open("rb") as plain:
                    yield plain.read(_MOST_PACKED)

    def _find(self, subvolume: str | int | None) -> int:
        if isinstance(subvolume, int):
            return subvolume
        if subvolume is None:
            between = (_DEFAULT_FOLDER, _DIR_ITEM, 0), (_DEFAULT_FOLDER, _DIR_ITEM, _HIGHEST)
            chosen = [_KEY.unpack_from(data)[0] for _, data in self._items(self.root, *between)]
            return chosen[0] if chosen else TOP_LEVEL
        place: Place = (TOP_LEVEL, _FIRST_INODE)
        for name in filter(None, subvolume.split("/")):
            place = dict(self.names(place)).get(name, (0, 0))
            if place == (0, 0):
                break
        if place[1] != _FIRST_INODE:
            raise self.broken(f"there is no subvolume {subvolume}")
        return place[0]

    def _root_of(self, subvolume: int) -> int:
        """Where a subvolume's tree begins."""
        between = (subvolume, _ROOT_ITEM, 0), (subvolume, _ROOT_ITEM, _HIGHEST)
        found = [data for _, data in self._items(self.root, *between)]
        if not found:
            raise self.broken(f"there is no subvolume {subvolume}")
        (address,) = struct.unpack_from("<Q", found[-1], 176)
        return int(address)

    def _sizes(self, raw: bytes) -> int:
        """Bytes of a node, if the super block promises what can be read."""
        (devices,), (size,) = struct.unpack_from("<Q", raw, 136), struct.unpack_from("<I", raw, 148)
        (features,) = struct.unpack_from("<Q", raw, 188)
        if raw[64:72] != b"_BHRfS_M" or size not in (4096, 8192, 16384, 32768, 65536):
            raise self.broken("the super block of btrfs makes no sense")
        if devices != 1:
            raise Unreadable(f"{self.volume.name}: btrfs on {devices} disks", "boot it instead")
        if unknown := features & ~_KNOWN:
            raise Unreadable(
                f"{self.volume.name}: btrfs with features that Kiln does not know ({unknown:#x})", "boot it instead"
            )
        return int(size)

    def _first_chunks(self, raw: bytes) -> Iterator[_Chunk]:
        """The chunks that hold the tree of chunks itself; the super block lists them."""
        (length,) = struct.unpack_from("<I", raw, 160)
        at, end = 811, 811 + min(length, 2048)
        while at + _KEY.size + _CHUNK.size <= end:
            _, _, start = _KEY.unpack_from(raw, at)
            yield self._chunk(start, raw[at + _KEY.size : end])
            at += _KEY.size + _CHUNK.size + _CHUNK.unpack_from(raw, at + _KEY.size)[7] * _STRIPE.size

    def _all_chunks(self, root: int) -> Iterator[_Chunk]:
        for (_, kind, start), data in self._items(root, (_FIRST_INODE, _CHUNK_ITEM, 0), (_HIGHEST, 0, 0)):
            if kind == _CHUNK_ITEM:
                yield self._chunk(start, data)

    def _chunk(self, start: int, data: bytes) -> _Chunk:
        length, _, _, kind, _, _, _, stripes, _ = _CHUNK.unpack_from(data)
        if kind & ~_ONE_COPY_IS_ALL or not stripes:
            raise Unreadable(f"{self.volume.name}: btrfs with chunks of the kind {kind:#x}", "boot it instead")
        return _Chunk(start, length, _STRIPE.unpack_from(data, _CHUNK.size)[1])

    def _bytes_at(self, address: int, length: int) -> bytes:
        for one in self.chunks:
            if one.start <= address and address + length <= one.start + one.length:
                found = self.volume.read(one.offset + address - one.start, length)
                if len(found) == length:
                    return found
        raise self.broken(f"{length} bytes at the address {address} are nowhere on the disk")

    def _node(self, address: int) -> _Node:
        raw = self._bytes_at(address, self.node_size)
        own, (count,), level = struct.unpack_from("<Q", raw, 48)[0], struct.unpack_from("<I", raw, 96), raw[100]
        unit = _POINTER if level else _ITEM
        if own != address or level > _DEEPEST or _NODE_HEAD + count * unit.size > len(raw):
            raise self.broken(f"the node at the address {address} makes no sense")
        slots = [unit.unpack_from(raw, _NODE_HEAD + number * unit.size) for number in range(count)]
        keys = tuple((slot[0], slot[1], slot[2]) for slot in slots)
        if level:
            return _Node(level, keys, tuple(slot[3] for slot in slots), ())
        places = ((_NODE_HEAD + slot[3], slot[4]) for slot in slots)
        return _Node(level, keys, (), tuple(raw[at : at + length] for at, length in places))

    def _items(self, root: int, low: _Key, high: _Key) -> Iterator[tuple[_Key, bytes]]:
        """What a tree holds between two keys, both included, in order."""
        budget = _MOST_NODES // self.node_size
        waiting = [(root, self.node(root).level)]
        while waiting:
            address, level = waiting.pop()
            node, budget = self.node(address), budget - 1
            if node.level != level or budget < 0:
                raise self.broken("a tree makes no sense")
            if level:
                first = max(0, bisect_right(node.keys, low) - 1)
                last = bisect_right(node.keys, high)
                waiting += [(one, level - 1) for one in reversed(node.below[first:last])]
            else:
                found = slice(bisect_left(node.keys, low), bisect_right(node.keys, high))
                yield from zip(node.keys[found], node.data[found], strict=True)


def frame_length(raw: bytes) -> int:
    """Bytes of the zstd frame (RFC 8878, section 3.1.1) that `raw` begins with, which may be more than there are."""
    descriptor = raw[4] if len(raw) > 4 else 0
    single = descriptor >> 5 & 1
    at = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + (single, 2, 4, 8)[descriptor >> 6]
    while at + 3 <= len(raw):
        block = int.from_bytes(raw[at : at + 3], "little")
        at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)  # a block of one repeated byte holds just that
        if block & 1:
            break
    return at + (4 if descriptor & 4 else 0)
