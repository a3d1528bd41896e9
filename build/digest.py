"""The digest of a disk's content, which names an image wherever it goes."""

import errno
import hashlib
import os
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from build.layout import NAMESPACE

BLOCK = 64 << 10
ZEROS = bytes(BLOCK)


def content_digest(disk: Path, size: int) -> str:
    """sha256, hexadecimal, over the disk's virtual size and its non-zero blocks of 64 KiB.

    A block counts as offset and length (two little-endian u64) and its bytes; the size comes first. Which blocks of a
    file are holes differs between equal files, so holes only save reading: a block of zeros is left out either way.
    A VHD's footer lies behind `size` bytes and does not count.
    """
    digest = hashlib.sha256(struct.pack("<Q", size))
    with disk.open("rb", buffering=0) as file:
        for offset, block in non_zero_blocks(file, size):
            digest.update(struct.pack("<QQ", offset, len(block)))
            digest.update(block)
    return digest.hexdigest()


def disk_id(digest: str) -> uuid.UUID:
    """The id that a VHD's footer has for a disk of this content."""
    return uuid.uuid5(NAMESPACE, digest)


def bill_id(image: str, digest: str) -> uuid.UUID:
    """What tells the bill of materials of an image of this name and content from all others."""
    return uuid.uuid5(NAMESPACE, f"sbom {image} {digest}")


def non_zero_blocks(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each block of 64 KiB that is not all zeros, up to `size`; the last one may be shorter."""
    offset = 0
    while (offset := _next_data(file, offset, size)) < size:
        file.seek(offset)
        block = _read(file, min(BLOCK, size - offset))
        if block != ZEROS[: len(block)]:
            yield offset, block
        offset += BLOCK


def _next_data(file: BinaryIO, offset: int, size: int) -> int:
    """The start of the first block from `offset` on that is not wholly a hole; `size` if there is none."""
    if offset >= size:
        return size
    try:
        data = os.lseek(file.fileno(), offset, os.SEEK_DATA)
    except OSError as end:
        if end.errno != errno.ENXIO:
            raise
        return size
    return max(offset, data - data % BLOCK)


def _read(file: BinaryIO, length: int) -> bytes:
    """Exactly this many bytes, zeros behind the file's end."""
    parts = b""
    while len(parts) < length and (part := file.read(length - len(parts))):
        parts += part
    return parts.ljust(length, b"\0")
