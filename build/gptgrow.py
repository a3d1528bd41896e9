"""Growing a disk with a GPT: the backup table moves to the new end, ids and partitions stay (UEFI 2.10, chapter 5)."""

import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from build.errors import CallerError
from build.gpt import SECTOR, NotADisk, read_table

_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_PROTECTIVE = 0xEE


def grow(disk: Path, size: int) -> None:
    """Make a raw disk `size` bytes long. Doing it twice changes nothing.

    Raises CallerError where it would shrink, NotADisk where it has no whole GPT.
    """
    before = disk.stat().st_size
    if size < before:
        raise CallerError(
            f"a disk of {size >> 20} MiB is too small for this image", f"it takes at least --size {before >> 20}M"
        )
    with disk.open("r+b") as file:
        table = read_table(file, before)
        if table.kind != "gpt" or table.problems:
            raise NotADisk(f"no whole GPT: {'; '.join(table.problems) or table.kind}", "the image is damaged")
        if size == before:
            return
        file.truncate(size)
        _move_backup(file, before, size)
        _stretch_protective(file, size)
        file.flush()
        os.fsync(file.fileno())


def _move_backup(file: BinaryIO, before: int, size: int) -> None:
    fields = list(_HEADER.unpack(_at(file, SECTOR, _HEADER.size)))
    entries = _at(file, fields[10] * SECTOR, fields[11] * fields[12])
    sectors, last = -(-len(entries) // SECTOR), size // SECTOR - 1
    old_last = before // SECTOR - 1
    _put(file, (old_last - sectors) * SECTOR, bytes((sectors + 1) * SECTOR))
    fields[8] = last - sectors - 1
    _put(file, SECTOR, _header(fields, own=1, other=last, entries=fields[10]))
    _put(file, (last - sectors) * SECTOR, entries.ljust(sectors * SECTOR, b"\0"))
    _put(file, last * SECTOR, _header(fields, own=last, other=1, entries=last - sectors))


def _header(fields: list[int], own: int, other: int, entries: int) -> bytes:
    told = [*fields]
    told[3], told[5], told[6], told[10] = 0, own, other, entries
    packed = _HEADER.pack(*told)
    told[3] = zlib.crc32(packed)
    return _HEADER.pack(*told).ljust(SECTOR, b"\0")


def _stretch_protective(file: BinaryIO, size: int) -> None:
    """The protective entry covers the whole disk, or as much of it as 32 bits can count."""
    for at in range(446, 510, 16):
        if _at(file, at + 4, 1) == bytes([_PROTECTIVE]):
            _put(file, at + 12, struct.pack("<I", min(size // SECTOR - 1, 0xFFFFFFFF)))
            return


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _put(file: BinaryIO, offset: int, content: bytes) -> None:
    file.seek(offset)
    file.write(content)
