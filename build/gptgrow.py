"""Growing and mending a GPT: its backup moves to the end, ids and partitions stay (UEFI 2.10, chapter 5)."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from build.errors import CallerError
from build.gpt import SECTOR, NotADisk, read_table

_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_PROTECTIVE = 0xEE
_MOST_ENTRIES_BYTES = 1 << 20


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


def mend(disk: Path, size: int) -> None:
    """Write both copies of a GPT and its protective entry anew, for a raw disk of `size` bytes, from a whole copy.

    The file is grown to `size` where it is shorter, and never cut. Raises NotADisk where no copy is whole, or where a
    partition lies where the backup belongs; nothing is changed then.
    """
    with disk.open("r+b") as file:
        fields, entries = _whole(file, size)
        sectors, last = -(-len(entries) // SECTOR), size // SECTOR - 1
        slots = [entries[at : at + fields[12]] for at in range(0, len(entries), fields[12])]
        bounds = [struct.unpack_from("<QQ", slot, 32) for slot in slots if any(slot[:16])]
        if any(start < 2 + sectors or end >= last - sectors for start, end in bounds):
            raise NotADisk("a partition lies where a copy of the table belongs", "make the disk larger")
        old = fields[6]
        if 1 < old < last and isinstance(_parsed(file, old), list) and all(end < old - sectors for _, end in bounds):
            _put(file, (old - sectors) * SECTOR, bytes((sectors + 1) * SECTOR))
        fields[8] = last - sectors - 1
        file.seek(0, os.SEEK_END)
        if file.tell() < size:
            file.truncate(size)
        _put(file, SECTOR, _header(fields, own=1, other=last, entries=2))
        _put(file, 2 * SECTOR, entries.ljust(sectors * SECTOR, b"\0"))
        _put(file, (last - sectors) * SECTOR, entries.ljust(sectors * SECTOR, b"\0"))
        _put(file, last * SECTOR, _header(fields, own=last, other=1, entries=last - sectors))
        _stretch_protective(file, size)
        file.flush()
        os.fsync(file.fileno())


def _whole(file: BinaryIO, size: int) -> tuple[list[Any], bytes]:
    """The header's fields and the entries of the first copy that is whole. Raises NotADisk where none is."""
    for lba in (1, size // SECTOR - 1):
        fields = _parsed(file, lba)
        if isinstance(fields, str):
            continue
        entries = _at(file, fields[10] * SECTOR, fields[11] * fields[12])
        if zlib.crc32(entries) == fields[13]:
            return fields, entries
    raise NotADisk("neither copy of the partition table is whole", "restore the disk from where it came from")


def _parsed(file: BinaryIO, lba: int) -> list[Any] | str:
    """The fields of the header at this sector, or why it is none."""
    sector = _at(file, lba * SECTOR, SECTOR)
    if len(sector) < SECTOR or not sector.startswith(b"EFI PART"):
        return "no signature"
    fields = list(_HEADER.unpack(sector[: _HEADER.size]))
    length = fields[2]
    if length != _HEADER.size or fields[5] != lba or fields[11] * fields[12] > _MOST_ENTRIES_BYTES:
        return "not where or not as it says"
    right = zlib.crc32(sector[:16] + b"\0\0\0\0" + sector[20:length]) == fields[3]
    return fields if right and fields[12] >= 128 else "wrong checksum"


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
