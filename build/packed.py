"""Packed files: recognised by their first bytes, unpacked sparsely."""

import bz2
import gzip
import lzma
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

from build.errors import CallerError

CHUNK = 1 << 20
ZEROS = bytes(CHUNK)
LARGEST = 4 << 40
"""Bytes after which a file that unpacks on and on is cut off: no disk of Azure's is as large."""
FORMS: Mapping[bytes, Callable[[Path], Any]] = {
    b"\xfd7zXZ\0": lzma.open,
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
}
"""How files of each form begin (magic(5)), and who reads them."""
ZSTD = b"\x28\xb5\x2f\xfd"


def unpacked(file: Path, target: Path) -> Path:
    """The file itself where it is not packed, else `target`, into which it is unpacked.

    Raises CallerError where it is damaged, or packed in a form that is not read.
    """
    with file.open("rb") as content:
        head = content.read(6)
    if head.startswith(ZSTD):
        raise CallerError(f"{file} is packed by zstd", "unpack it yourself: `zstd -d`")
    reader = next((read for magic, read in FORMS.items() if head.startswith(magic)), None)
    if reader is None:
        return file
    try:
        with reader(file) as content, target.open("wb") as disk:
            write_sparsely(content, disk)
    except (OSError, EOFError, lzma.LZMAError) as damage:
        if isinstance(damage, OSError) and damage.errno is not None:
            raise
        raise CallerError(f"{file} cannot be unpacked: {damage}", "it is damaged: get it again") from None
    return target


def write_sparsely(content: IO[bytes], disk: BinaryIO) -> int:
    """Write a content into an empty file, leaving holes where it is zeros; returns its length in bytes.

    Raises CallerError where it does not end.
    """
    length = 0
    while block := content.read(CHUNK):
        if block != ZEROS[: len(block)]:
            disk.seek(length)
            disk.write(block)
        length += len(block)
        if length > LARGEST:
            raise CallerError(f"it unpacks to more than {LARGEST >> 40} TiB", "that is no disk's image")
    disk.truncate(length)
    return length
