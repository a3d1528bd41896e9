"""Partition tables as values: GPT (UEFI specification 2.10, chapter 5) and MBR with its chain of logical partitions.

Only reads, 512-byte sectors, at most a few MiB whatever the bytes say. A table that is whole in one copy only is
described from that copy, and `problems` names what is wrong with the other.
"""

import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from build.errors import CallerError

SECTOR = 512

ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
LINUX_SWAP = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"
LINUX_LVM = "E6D6D379-F507-44C2-A23C-238F2A3DF928"
LINUX_BOOT = "BC13C2FF-59E6-4262-A352-B275FD6F7172"
ROOT_X86_64 = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
ROOT_ARM64 = "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"

MBR_LINUX = "83"
MBR_SWAP = "82"
MBR_LVM = "8E"
MBR_PROTECTIVE = "EE"
MBR_ESP = "EF"
MBR_EXTENDED = frozenset({"05", "0F", "85"})

_MOST_ENTRIES_BYTES = 1 << 20
_MOST_LOGICAL = 64
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")


class NotADisk(CallerError, ValueError):
    """The bytes hold no partition table."""


@dataclass(frozen=True)
class Partition:
    """One partition; `start` and `sectors` count 512-byte sectors.

    `type` is a GUID in capitals, or an MBR type byte as two hexadecimal digits; `attributes` are GPT's 64 bits.
    """

    number: int
    start: int
    sectors: int
    type: str
    name: str = ""
    guid: str = ""
    attributes: int = 0
    bootable: bool = False

    @property
    def offset(self) -> int:
        """Where it begins, in bytes."""
        return self.start * SECTOR

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self.sectors * SECTOR

    @property
    def end(self) -> int:
        """The first sector behind it."""
        return self.start + self.sectors


@dataclass(frozen=True)
class PartitionTable:
    """A disk's partitions, in the order of their numbers.

    `kind` is "gpt" or "mbr"; `disk_guid` is the GPT's GUID or the MBR's signature (8 hexadecimal digits);
    `protective_status` is the status byte of GPT's protective entry (0x80 is the boot flag), None on MBR disks.
    `first_usable` and `last_usable` are what a GPT's header allows for partitions.
    """

    kind: str
    disk_guid: str
    partitions: tuple[Partition, ...]
    problems: tuple[str, ...] = ()
    protective_status: int | None = None
    first_usable: int = 1
    last_usable: int = 0
    sector_size: int = SECTOR

    def of_type(self, *types: str) -> tuple[Partition, ...]:
        """The partitions of these types."""
        return tuple(one for one in self.partitions if one.type in types)


@dataclass(frozen=True)
class _Header:
    lba: int
    other: int
    first_usable: int
    last_usable: int
    disk_guid: str
    entries_lba: int
    count: int
    entry_size: int
    entries_crc: int


def read_table(file: BinaryIO, size: int) -> PartitionTable:
    """The partition table of a disk of `size` bytes (without any footer) that `file` holds from its first byte on.

    Raises NotADisk where there is none.
    """
    mbr = _at(file, 0, SECTOR)
    primary = _header(file, 1)
    if isinstance(primary, _Header) or _protective(mbr) is not None:
        return _gpt(file, size, mbr, primary)
    return _mbr(file, size, mbr)


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    try:
        file.seek(offset)
        return file.read(length)
    except (OSError, OverflowError, ValueError):
        return b""


# GPT


def _gpt(file: BinaryIO, size: int, mbr: bytes, primary: _Header | str) -> PartitionTable:
    last = size // SECTOR - 1
    # A backup that the primary header points to elsewhere is misplaced, but still better than none.
    backup = _header(file, last)
    problems = [f"GPT header at sector 1: {primary}"] if isinstance(primary, str) else []
    if isinstance(backup, str):
        problems.append(f"backup GPT header at the last sector ({last}): {backup}")
    for header in (primary, backup):
        if isinstance(header, str):
            continue
        entries = _entries(file, header)
        if isinstance(entries, str):
            problems.append(f"partition entries at sector {header.entries_lba}: {entries}")
            continue
        problems += _disagreements(primary, backup)
        if header is primary and isinstance(backup, _Header) and isinstance(told := _entries(file, backup), str):
            problems.append(f"backup partition entries at sector {backup.entries_lba}: {told}")
        problems += _misplaced(entries, header, last)
        status = _protective(mbr)
        if status is None:
            problems.append("no protective MBR (type EE at the first sector)")
        return PartitionTable(
            "gpt", header.disk_guid, entries, tuple(problems), status, header.first_usable, header.last_usable
        )
    raise NotADisk(f"no readable partition table: {'; '.join(problems)}", "is this a whole disk, not one partition?")


def _header(file: BinaryIO, lba: int) -> _Header | str:
    sector = _at(file, lba * SECTOR, SECTOR) if lba > 0 else b""
    if len(sector) < SECTOR or sector[:8] != b"EFI PART":
        return "no signature"
    (_, _, length, crc, _, own, other, first, last, guid, entries, count, entry_size, entries_crc) = _HEADER.unpack(
        sector[: _HEADER.size]
    )
    if not _HEADER.size <= length <= SECTOR:
        return f"claims to be {length} bytes long"
    if zlib.crc32(sector[:16] + b"\0\0\0\0" + sector[20:length]) != crc:
        return "wrong checksum"
    if own != lba:
        return f"says that it lies at sector {own}"
    return _Header(lba, other, first, last, _guid(guid), entries, count, entry_size, entries_crc)


def _entries(file: BinaryIO, header: _Header) -> tuple[Partition, ...] | str:
    if header.entry_size < 128 or header.entry_size % 8:
        return f"{header.entry_size} bytes each"
    length = header.count * header.entry_size
    if length > _MOST_ENTRIES_BYTES:
        return f"{header.count} of them"
    table = _at(file, header.entries_lba * SECTOR, length)
    if len(table) != length:
        return "beyond the end of the disk"
    if zlib.crc32(table) != header.entries_crc:
        return "wrong checksum"
    slots = (table[at : at + header.entry_size] for at in range(0, length, header.entry_size))
    return tuple(_entry(number, slot) for number, slot in enumerate(slots, 1) if any(slot[:16]))


def _entry(number: int, slot: bytes) -> Partition:
    start, last, attributes = struct.unpack_from("<QQQ", slot, 32)
    name = slot[56:128].decode("utf-16-le", "replace").partition("\0")[0]
    return Partition(
        number, start, max(0, last + 1 - start), _guid(slot[:16]), name, _guid(slot[16:32]), attributes, False
    )


def _guid(raw: bytes) -> str:
    return str(uuid.UUID(bytes_le=raw)).upper()


def _disagreements(primary: _Header | str, backup: _Header | str) -> Iterator[str]:
    if isinstance(primary, str) or isinstance(backup, str):
        return
    if primary.other != backup.lba:
        yield f"the GPT header looks for its backup at sector {primary.other}, the disk ends with sector {backup.lba}"
    if (primary.disk_guid, primary.entries_crc) != (backup.disk_guid, backup.entries_crc):
        yield "the two copies of the partition table differ"


def _misplaced(partitions: tuple[Partition, ...], header: _Header, last: int) -> Iterator[str]:
    if header.last_usable > last:
        yield f"the header allows partitions up to sector {header.last_usable}, the disk ends with sector {last}"
    yield from _overlaps(partitions, last)


def _overlaps(partitions: tuple[Partition, ...], last: int) -> Iterator[str]:
    end, before = 0, 0
    for one in sorted(partitions, key=lambda partition: partition.start):
        if not one.sectors:
            yield f"partition {one.number} is empty"
        if one.end - 1 > last:
            yield f"partition {one.number} ends at sector {one.end - 1}, behind the disk's last sector {last}"
        if one.start < end:
            yield f"partitions {before} and {one.number} overlap"
        if one.end > end:
            end, before = one.end, one.number


# MBR


def _protective(mbr: bytes) -> int | None:
    """The status byte of the protective entry, None where the sector has none."""
    if len(mbr) < SECTOR or mbr[510:] != b"\x55\xaa":
        return None
    return next((mbr[at] for at in range(446, 510, 16) if mbr[at + 4] == 0xEE), None)


def _mbr(file: BinaryIO, size: int, mbr: bytes) -> PartitionTable:
    if len(mbr) < SECTOR or mbr[510:] != b"\x55\xaa":
        raise NotADisk("no partition table at the first sector", "is this a disk image?")
    if any(mbr[at] not in (0, 0x80) for at in range(446, 510, 16)):
        # A file system's boot sector ends with the same two bytes.
        raise NotADisk("the first sector holds no partition table", "is this a file system instead of a disk?")
    primary = tuple(_slots(mbr, 0))
    if not primary:
        raise NotADisk("the partition table is empty", "was this disk ever partitioned?")
    partitions = tuple(one for one in primary if one.type not in MBR_EXTENDED)
    problems: list[str] = []
    for extended in (one for one in primary if one.type in MBR_EXTENDED):
        partitions += tuple(_logical(file, extended, problems))
    last = size // SECTOR - 1
    problems += _overlaps(partitions, last)
    signature = f"{struct.unpack_from('<I', mbr, 440)[0]:08X}"
    return PartitionTable("mbr", signature, partitions, tuple(problems), None, 1, last)


def _slots(sector: bytes, base: int) -> Iterator[Partition]:
    for number, at in enumerate(range(446, 510, 16), 1):
        kind = sector[at + 4]
        start, sectors = struct.unpack_from("<II", sector, at + 8)
        if kind and sectors:
            yield Partition(number, base + start, sectors, f"{kind:02X}", bootable=sector[at] == 0x80)


def _logical(file: BinaryIO, extended: Partition, problems: list[str]) -> Iterator[Partition]:
    """The partitions in an extended one: a chain of sectors, each with one partition and the way to the next."""
    at, seen = extended.start, {0}
    for number in range(5, 5 + _MOST_LOGICAL):
        sector = _at(file, at * SECTOR, SECTOR)
        if len(sector) < SECTOR or sector[510:] != b"\x55\xaa":
            problems.append(f"the chain of logical partitions breaks off at sector {at}")
            return
        seen.add(at)
        following = 0
        for slot in tuple(_slots(sector, at))[:2]:
            if slot.type in MBR_EXTENDED:
                following = extended.start + slot.start - at
            else:
                yield Partition(number, slot.start, slot.sectors, slot.type, bootable=slot.bootable)
        if not following:
            return
        if following in seen:
            problems.append("the chain of logical partitions goes round in circles")
            return
        at = following
    problems.append(f"more than {_MOST_LOGICAL} logical partitions")
