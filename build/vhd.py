"""The footer that makes a raw disk a fixed VHD, as Azure wants it, and reading it back.

Layout: image-requirements section 1.1, after Microsoft's Virtual Hard Disk specification; all numbers are big endian.
Only the footer: the tables of dynamic disks are QEMU's matter.
"""

import os
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from build.errors import CallerError

LENGTH = 512
COOKIE = b"conectix"
MIB = 1 << 20
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4
EPOCH = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
LAYOUT = struct.Struct(">8sIIQI4sI4sQQHBBII16sB")
CHECKSUM_AT = slice(64, 68)
RESERVED = 2
"""The one bit of `features` that is always set."""
VERSION = 0x00010000
NO_HEADER = 0xFFFF_FFFF_FFFF_FFFF
"""Data offset of a fixed disk, which has no header of its own."""
CREATOR = b"qem2"
"""The creator whose sizes QEMU reads from the current size and not from the geometry."""
LARGEST_GEOMETRY = (65535, 16, 255)
"""The geometry that tells every reader to believe the current size instead, whatever the creator."""


@dataclass(frozen=True)
class Footer:
    """A VHD footer. Sizes are in bytes, `timestamp` in seconds since 1970, `geometry` cylinders, heads, sectors."""

    current_size: int
    unique_id: uuid.UUID
    timestamp: int
    disk_type: int = FIXED
    creator: bytes = CREATOR
    original_size: int = 0
    geometry: tuple[int, int, int] = LARGEST_GEOMETRY
    data_offset: int = NO_HEADER
    creator_version: int = 0x00050003
    creator_system: bytes = b"Wi2k"

    @classmethod
    def build(cls, size: int, unique_id: uuid.UUID, timestamp: int) -> "Footer":
        """The footer of a fixed disk of `size` bytes; equal arguments give equal bytes.

        Raises CallerError for a size that Azure refuses, or a time before 2000 which the format cannot hold.
        """
        if size <= 0 or size % MIB:
            raise CallerError(f"a disk of {size} bytes is not a whole number of MiB", "Azure refuses any other size")
        if timestamp < EPOCH:
            raise CallerError("a VHD cannot be dated before 2000", "set SOURCE_DATE_EPOCH to a later time")
        return cls(size, unique_id, timestamp, original_size=size)

    @classmethod
    def parse(cls, raw: bytes) -> "Footer":
        """The footer in these 512 bytes. Raises CallerError where they are none, or its checksum is wrong."""
        if len(raw) != LENGTH or not raw.startswith(COOKIE):
            raise CallerError("no VHD footer: the cookie conectix is missing")
        if raw[CHECKSUM_AT] != _checksum(raw):
            raise CallerError("the VHD footer's checksum is wrong", "the file is damaged: copy or convert it again")
        (_, _, _, data_offset, seconds, creator, version, system, original, current, *rest) = LAYOUT.unpack_from(raw)
        cylinders, heads, sectors, disk_type, _, identity, _ = rest
        return cls(
            current_size=current,
            unique_id=uuid.UUID(bytes=identity),
            timestamp=seconds + EPOCH,
            disk_type=disk_type,
            creator=creator,
            original_size=original,
            geometry=(cylinders, heads, sectors),
            data_offset=data_offset,
            creator_version=version,
            creator_system=system,
        )

    def __bytes__(self) -> bytes:
        packed = LAYOUT.pack(
            COOKIE,
            RESERVED,
            VERSION,
            self.data_offset,
            self.timestamp - EPOCH,
            self.creator,
            self.creator_version,
            self.creator_system,
            self.original_size,
            self.current_size,
            *self.geometry,
            self.disk_type,
            0,
            self.unique_id.bytes,
            0,
        ).ljust(LENGTH, b"\0")
        return packed[: CHECKSUM_AT.start] + _checksum(packed) + packed[CHECKSUM_AT.stop :]


def append_footer(path: Path, unique_id: uuid.UUID, timestamp: int) -> Footer:
    """Make the raw disk at `path` a fixed VHD in place: 512 bytes are written, holes stay holes.

    Raises CallerError where its size is not a whole number of MiB (so also where it has a footer already).
    """
    footer = Footer.build(path.stat().st_size, unique_id, timestamp)
    with path.open("r+b") as disk:
        disk.seek(0, os.SEEK_END)
        disk.write(bytes(footer))
    return footer


def read_footer(path: Path) -> Footer | None:
    """The footer at the end of `path`, None where there is none.

    Raises CallerError where there is one whose checksum is wrong.
    """
    with path.open("rb") as disk:
        if disk.seek(0, os.SEEK_END) < LENGTH:
            return None
        disk.seek(-LENGTH, os.SEEK_END)
        raw = disk.read(LENGTH)
    return Footer.parse(raw) if raw.startswith(COOKIE) else None


def _checksum(raw: bytes) -> bytes:
    """One's complement of the sum of all bytes, the checksum's own counted as zero."""
    total = sum(raw) - sum(raw[CHECKSUM_AT])
    return (~total & 0xFFFFFFFF).to_bytes(4, "big")
