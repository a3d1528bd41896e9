"""What lies in the free blocks of an ext file system, by its own bitmaps (kernel documentation, ext4/bitmaps.rst)."""

from collections.abc import Iterator

from harness.filesystem import Read

_META_BG, _64BIT, _BIGALLOC = 0x10, 0x80, 0x200
_BLOCK_UNINIT = 0x2
LOOKS = 4096
"""About how many places are looked at, however large the file system is."""


def sample(read: Read, offset: int) -> tuple[int, int]:
    """How many free blocks of the file system at this byte offset were looked at, and how many hold a byte that is not
    zero. They are spread evenly over it; 0, 0 where its layout (meta_bg, bigalloc) is not one that is read here."""
    block = read(offset + 1024, 1024).ljust(1024, b"\0")
    incompatible, readonly = _number(block[0x60:0x64]), _number(block[0x64:0x68])
    if block[56:58] != b"\x53\xef" or incompatible & _META_BG or readonly & _BIGALLOC:
        return 0, 0
    unit = 1024 << _number(block[0x18:0x1C])
    found = [any(read(offset + at * unit, unit)) for at in _free(read, offset, block, unit)]
    return len(found), sum(found)


def _free(read: Read, offset: int, block: bytes, unit: int) -> Iterator[int]:
    """Free blocks: the first of every eighth that the bitmaps call free at one place, in steps."""
    wide = _number(block[0x60:0x64]) & _64BIT
    blocks = _number(block[0x4:0x8]) + (_number(block[0x150:0x154]) << 32 if wide else 0)
    first, each = _number(block[0x14:0x18]), _number(block[0x20:0x24])
    length = _number(block[0xFE:0x100]) if wide else 32
    groups = -(-(blocks - first) // each)
    step = max(1, blocks // 8 // LOOKS)
    descriptors = read(offset + (first + 1) * unit, groups * length)
    for group in range(groups):
        one = descriptors[group * length : (group + 1) * length].ljust(64, b"\0")
        if _number(one[0x12:0x14]) & _BLOCK_UNINIT:
            continue  # never used since the file system was made
        where = _number(one[0x0:0x4]) + (_number(one[0x20:0x24]) << 32 if wide else 0)
        bitmap = read(offset + where * unit, each // 8)
        yield from (first + group * each + at * 8 for at in range(0, len(bitmap), step) if not bitmap[at])


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
