"""What holds a file system: a partition, or a logical volume that lies in pieces on several. Only reads."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.filesystem import FileSystem

_CHUNK = 1 << 20
_TAGS = ("uuid", "label", "partuuid", "partlabel")


@dataclass(frozen=True)
class Piece:
    """A run of a volume's bytes: `size` of them lie at `offset` of the disk."""

    offset: int
    size: int


@dataclass(frozen=True)
class Volume:
    """Bytes of a disk that belong together. `disk` is a file with the disk's bytes from its first on.

    `name` is how people call it ("partition 1", "logical volume rootvg/rootlv"), `partitions` are the numbers of those
    that it lies on. `names` are the words that mean it in an fstab, in small letters: UUID=…, LABEL=…, PARTUUID=…,
    PARTLABEL=…, /dev/mapper/…. `linux` is whether files of Linux may be on it: other partitions are the firmware's.
    """

    disk: Path
    pieces: tuple[Piece, ...]
    name: str
    partitions: tuple[int, ...]
    filesystem: FileSystem = field(default=FileSystem(""))
    names: frozenset[str] = frozenset()
    linux: bool = True

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return sum(piece.size for piece in self.pieces)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the volume; fewer where it, or the disk, ends."""
        found = bytearray()
        with self.disk.open("rb", buffering=0) as file:
            for piece in self.pieces:
                if offset < piece.size and length > 0:
                    part = os.pread(file.fileno(), min(length, piece.size - offset), piece.offset + offset)
                    found += part
                    if len(part) < min(length, piece.size - offset):
                        break
                    length -= len(part)
                    offset += len(part)
                offset = max(0, offset - piece.size)
        return bytes(found)

    def whole(self, folder: Path) -> tuple[Path, int]:
        """A file that holds it in one run, and where that begins: the disk itself, or a sparse copy in `folder`."""
        if len(self.pieces) == 1:
            return self.disk, self.pieces[0].offset
        copy = folder / f"volume-{self.pieces[0].offset}.raw"
        if not copy.exists():
            self._copy(copy)
        return copy, 0

    def _copy(self, path: Path) -> None:
        begin = 0
        with self.disk.open("rb") as source, path.open("wb") as target:
            target.truncate(self.size)
            for piece in self.pieces:
                for at, length in _data(source.fileno(), piece):
                    os.pwrite(target.fileno(), os.pread(source.fileno(), length, at), begin + at - piece.offset)
                begin += piece.size

    def is_meant_by(self, source: str) -> bool:
        """Whether the first field of an fstab line means this volume (fstab(5))."""
        return _plain(source) in self.names


def names_a_volume(source: str) -> bool:
    """Whether a name in fstab, or the kernel's `root=`, is of the kind that `Volume.is_meant_by` knows."""
    plain = _plain(source)
    return plain.startswith("/dev/mapper/") or plain.partition("=")[0] in _TAGS


def _data(file: int, piece: Piece) -> Iterator[tuple[int, int]]:
    """Where the piece holds something: offsets and lengths, none longer than 1 MiB."""
    at, end = piece.offset, piece.offset + piece.size
    while at < end:
        try:
            at = os.lseek(file, at, os.SEEK_DATA)
        except OSError:  # no data behind this place
            return
        hole = min(end, os.lseek(file, at, os.SEEK_HOLE))
        while at < hole:
            length = min(_CHUNK, hole - at)
            yield at, length
            at += length


def _plain(source: str) -> str:
    """One spelling of the many that udev's links allow."""
    source = source.lower()
    tag, slash, value = source.removeprefix("/dev/disk/by-").partition("/")
    return f"{tag}={value}" if slash and tag in _TAGS else source
