"""What an initramfs image holds, streamed: any run of cpio archives (the kernel's buffer-format.rst), packed or plain.

A microcode archive in front, padding between the parts, and whatever harness.packing unpacks are understood. Nothing is
ever written: names are data, so none can lead out of anywhere.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, BinaryIO

from harness.packing import DAMAGES, packed_by, unpacked
from harness.tree import Unreadable

MOST_BYTES = 4 << 30
MOST_NAMES = 500_000
_KEEP_LIMIT = 1 << 20
_CHUNK = 1 << 20
_HEADER = 110
_MAGICS = (b"070701", b"070702")


@dataclass(frozen=True)
class Initrd:
    """The names in an initramfs, without a leading slash; `files` holds the small ones that were asked for."""

    names: frozenset[str]
    files: Mapping[str, bytes]
    packed: tuple[str, ...]
    """How its parts were packed, in order."""

    def has_module(self, module: str) -> bool:
        """Whether a kernel module is in it, packed or not; `-` and `_` are the same in module names."""
        return module.replace("-", "_") in self.modules

    @property
    def modules(self) -> frozenset[str]:
        """The names of the kernel modules in it, with underscores."""
        files = (name.rpartition("/")[2] for name in self.names if "/modules/" in name)
        return frozenset(name.partition(".ko")[0].replace("-", "_") for name in files if ".ko" in name)


def read_initrd(path: Path, keep: tuple[str, ...] = ()) -> Initrd:
    """The initramfs in a file; `keep` are patterns of the names whose content is wanted (at most 1 MiB each).

    Raises Unreadable where it is damaged or packed in a way that is not known.
    """
    names: set[str] = set()
    files: dict[str, bytes] = {}
    packed: list[str] = []
    with path.open("rb") as file:
        try:
            for how, stream in _parts(file):
                packed.append(how)
                for name, content in _members(stream, keep):
                    names.add(name)
                    files.update({name: content} if content is not None else {})
                    if len(names) > MOST_NAMES:
                        raise Unreadable(f"the initramfs holds more than {MOST_NAMES} names", "is it whole?")
        except (*DAMAGES, ValueError) as broken:
            raise Unreadable(f"the initramfs cannot be unpacked: {broken}", "is it whole?") from None
    if not names:
        raise Unreadable("this is no initramfs: no cpio archive in it", "was it written to its end?")
    return Initrd(frozenset(names), files, tuple(packed))


class _Counted:
    """A stream that knows where it is and gives up behind a limit; it needs no seeking."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.at = stream, 0

    def read(self, length: int) -> bytes:
        """Up to so many bytes."""
        data = self.stream.read(length)
        self.at += len(data)
        if self.at > MOST_BYTES:
            raise Unreadable(f"the initramfs unpacks to more than {MOST_BYTES >> 30} GiB", "is it whole?")
        return data

    def exactly(self, length: int) -> bytes:
        """So many bytes, or EOFError."""
        pieces = bytearray()
        while len(pieces) < length:
            piece = self.read(min(_CHUNK, length - len(pieces)))
            if not piece:
                raise EOFError("it ends in the middle of a file")
            pieces += piece
        return bytes(pieces)

    def skip(self, length: int) -> None:
        """Pass over so many bytes."""
        while length:
            length -= len(self.exactly(min(_CHUNK, length)))


def _parts(file: BinaryIO) -> Iterator[tuple[str, _Counted]]:
    """Each part of the image. Plain archives leave the file where they end; a packed part is always the last."""
    while True:
        start = _past_padding(file)
        magic = file.read(6)
        file.seek(start)
        if not magic:
            return
        if magic in _MAGICS:
            yield "none", _Counted(file)
            continue
        how = packed_by(magic)
        if not how:
            raise Unreadable(f"a part at byte {start} is packed in an unknown way ({magic.hex()})", "is it whole?")
        with unpacked(file, how) as stream:
            yield how, _Counted(stream)
        return


def _past_padding(file: BinaryIO) -> int:
    while chunk := file.read(_CHUNK):
        if rest := chunk.lstrip(b"\0"):
            return file.seek(-len(rest), io.SEEK_CUR)
    return file.tell()


def _members(stream: _Counted, keep: tuple[str, ...]) -> Iterator[tuple[str, bytes | None]]:
    """Each name with its content where that is wanted, to the end of what is packed together.

    A packed part may hold several archives; a plain one is left right behind its trailer.
    """
    plain = isinstance(stream.stream, io.BufferedReader) and stream.stream.seekable()
    finished = False
    while header := _next_header(stream):
        size, name_size = _number(header[54:62]), _number(header[94:102])
        if name_size > 1 << 16:
            raise EOFError("a name is too long")
        name = stream.exactly(name_size).rstrip(b"\0").decode("utf-8", "replace")
        stream.skip(-(_HEADER + name_size) % 4)
        if name == "TRAILER!!!":
            finished = True
            if plain:
                return
            continue
        finished = False
        name = name.removeprefix("./").lstrip("/")
        wanted = size <= _KEEP_LIMIT and any(fnmatchcase(name, pattern) for pattern in keep)
        content = stream.exactly(size) if wanted else None
        stream.skip(-size % 4 + (0 if wanted else size))
        yield name, content
    if not finished:
        raise EOFError("it ends without its trailer")


def _number(digits: bytes) -> int:
    """A header's hexadecimal number. int() would take signs as well."""
    return int.from_bytes(bytes.fromhex(digits.decode("ascii")), "big")


def _next_header(stream: _Counted) -> bytes:
    """The next header, past padding; nothing at the end."""
    head = b""
    while not head:
        piece = stream.read(1)
        if not piece:
            return b""
        head = piece.strip(b"\0")
    header = head + stream.exactly(_HEADER - 1)
    if header[:6] not in _MAGICS:
        raise EOFError("something else than a cpio archive follows")
    return header
