"""The blocks of a disk that hold something: which, and a digest of each, packed; and what changed between two."""

import gzip
import hashlib
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from build.digest import BLOCK
from build.errors import CallerError

ENTRY = struct.Struct("<I12s")
"""A block's number in the disk, and the first 12 bytes of its BLAKE2b: enough to tell two blocks of one disk apart."""
MAGIC = b"kiln blocks 1\n"
CHUNK = 4 << 20
"""Bytes that one Put Page may carry (Azure Storage, Put Page: 4 MiB)."""


@dataclass(frozen=True)
class Blocks:
    """Non-zero blocks of 64 KiB in the order of the disk."""

    packed: bytes

    @staticmethod
    def entry(number: int, block: bytes) -> bytes:
        """One block, packed."""
        return ENTRY.pack(number, hashlib.blake2b(block, digest_size=12).digest())

    @classmethod
    def read(cls, raw: bytes) -> "Blocks":
        """What `written` gave. Raises CallerError where it is damaged."""
        try:
            told = gzip.decompress(raw)
        except (OSError, EOFError) as damage:
            raise CallerError(f"the list of a base's blocks is damaged: {damage}", "upload it whole") from None
        if not told.startswith(MAGIC) or (len(told) - len(MAGIC)) % ENTRY.size:
            raise CallerError("the list of a base's blocks is of another make", "upload it whole")
        return cls(told[len(MAGIC) :])

    def written(self) -> bytes:
        """The list as a file has it: equal lists give equal bytes."""
        return gzip.compress(MAGIC + self.packed, mtime=0)

    def __len__(self) -> int:
        return len(self.packed) // ENTRY.size

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return ENTRY.iter_unpack(self.packed)

    @property
    def numbers(self) -> Iterator[int]:
        """Which blocks hold something."""
        return (number for number, _ in self)

    def changed_from(self, base: "Blocks") -> tuple[list[int], list[int]]:
        """The numbers of blocks that differ from `base`, and of those that are zero now and were not there."""
        old, new = dict(base), dict(self)
        return [number for number, told in new.items() if old.get(number) != told], [
            one for one in old if one not in new
        ]


@dataclass(frozen=True)
class Extent:
    """A piece of a disk: offset and length in bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + self.length


def extents(numbers: Iterator[int] | list[int], size: int, most: int = CHUNK) -> Iterator[Extent]:
    """Neighbouring blocks joined, none longer than `most` bytes; `size` is the disk's, the last block may be short."""
    start = end = -1
    for number in numbers:
        offset = number * BLOCK
        if offset != end or end - start >= most:
            if end > start:
                yield Extent(start, min(end, size) - start)
            start = offset
        end = offset + BLOCK
    if end > start:
        yield Extent(start, min(end, size) - start)


@dataclass(frozen=True)
class Ranges:
    """Pieces of a disk that something is written in, sorted and not touching: what a page blob says of itself."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, pieces: Iterator[tuple[int, int]]) -> "Ranges":
        """From pairs of offset and the offset behind, in order; pieces that touch become one."""
        starts: list[int] = []
        ends: list[int] = []
        for start, end in pieces:
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        return cls(tuple(starts), tuple(ends))

    def hold(self, one: Extent) -> bool:
        """Whether the whole piece is within."""
        found = bisect_left(self.ends, one.end)
        return found < len(self.ends) and self.starts[found] <= one.offset

    def touch(self, one: Extent) -> bool:
        """Whether any of the piece is within."""
        found = bisect_right(self.ends, one.offset)
        return found < len(self.ends) and self.starts[found] < one.end

    def __iter__(self) -> Iterator[Extent]:
        return (Extent(start, end - start) for start, end in zip(self.starts, self.ends, strict=True))
