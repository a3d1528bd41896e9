"""PE/COFF, the format of UEFI programs, as far as it is looked at: sections, certificates, and what is signed of it.

Sources: Microsoft's "PE Format"; "Windows Authenticode Portable Executable Signature Format", calculating the image
hash. At most a table's worth of headers is believed.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

_SECTION = struct.Struct("<8sIIII16s")
_SYMBOL = 18
"""Bytes of a symbol; the texts of long names begin behind the last one."""
_MOST_SECTIONS = 96
"""More a loader of Windows' does not take either ("NumberOfSections")."""
_DIRECTORIES = {0x10B: 96, 0x20B: 112}
"""Where the data directories begin in the optional header, by its magic number: programs of 32 and 64 bits."""
_CHECKSUM, _HEADERS = 64, 60
"""Where the optional header has the file's checksum and the size of all headers."""
_CERTIFICATES = 4
"""The certificate table's place among the data directories: the only one whose address is a file offset."""


class NotPe(ValueError):
    """What was read is no PE program, or it is damaged."""


@dataclass(frozen=True)
class Section:
    """A section of the file: `size` bytes from `begin` on, of which the first `used` are loaded."""

    name: str
    begin: int
    size: int
    used: int


def sections(raw: bytes) -> tuple[Section, ...]:
    """The sections in the order of their headers; raises NotPe."""
    try:
        return tuple(_sections(raw))
    except struct.error as damage:
        raise NotPe(f"its headers are damaged: {damage}") from None


def contents(raw: bytes) -> Mapping[str, memoryview]:
    """What the sections hold, by name, the first of each; raises NotPe."""
    found: dict[str, memoryview] = {}
    for one in sections(raw):
        found.setdefault(one.name, memoryview(raw)[one.begin : one.begin + one.used])
    return found


def certificate_table(raw: bytes) -> tuple[int, int]:
    """Offset and length of the certificate table, the length 0 where there is none; raises NotPe."""
    start, size = _located(raw)[1:]
    if start + size > len(raw):
        raise NotPe("its certificate table lies outside of it")
    return (start, size) if size else (0, 0)


def digest(raw: bytes, algorithm: str) -> bytes:
    """What a signature signs: all but the checksum and the certificates, in the order of the sections. Raises NotPe."""
    directory, _, size = _located(raw)
    optional = _coff(raw) + 20
    (headers,) = struct.unpack_from("<I", raw, optional + _HEADERS)
    if not directory + 8 <= headers <= len(raw):
        raise NotPe(f"it claims {headers} bytes of headers")
    hashed = hashlib.new(algorithm, raw[: optional + _CHECKSUM], usedforsecurity=False)
    hashed.update(raw[optional + _CHECKSUM + 4 : directory])
    hashed.update(raw[directory + 8 : headers])
    parts = [one for one in sections(raw) if one.size]
    for one in sorted(parts, key=lambda one: one.begin):
        hashed.update(raw[one.begin : one.begin + one.size])
    counted = headers + sum(one.size for one in parts)
    hashed.update(raw[counted : max(counted, len(raw) - size)])
    return hashed.digest()


def _coff(raw: bytes) -> int:
    """Where the COFF header begins."""
    (at,) = struct.unpack_from("<I", raw, 0x3C)
    if raw[:2] != b"MZ" or raw[at : at + 4] != b"PE\0\0":
        raise NotPe("its marks are missing")
    return int(at) + 4


def _sections(raw: bytes) -> list[Section]:
    coff = _coff(raw)
    count, symbols, symbol_count, optional = struct.unpack_from("<2xH4xIIH", raw, coff)
    if count > _MOST_SECTIONS:
        raise NotPe(f"it claims {count} sections")
    found = []
    for number in range(count):
        name, virtual, _, size, begin, _ = _SECTION.unpack_from(raw, coff + 20 + optional + number * _SECTION.size)
        used = min(virtual, size) if virtual else size
        if begin + used > len(raw):
            raise NotPe(f"section {name!r} lies behind its end")
        found.append(Section(_name(raw, name, symbols + _SYMBOL * symbol_count), begin, size, used))
    return found


def _name(raw: bytes, name: bytes, texts: int) -> str:
    """A section's name: one longer than eight bytes is a slash and its place among the file's texts."""
    short = name.rstrip(b"\0")
    if short[:1] == b"/" and short[1:].isdigit():
        at = texts + int(short[1:])
        short = raw[at : at + 256].partition(b"\0")[0]
    return short.decode("ascii", "replace")


def _located(raw: bytes) -> tuple[int, int, int]:
    """Where the certificate table's entry among the directories lies, and what it says: offset and length."""
    try:
        optional = _coff(raw) + 20
        (magic,) = struct.unpack_from("<H", raw, optional)
        directory = optional + _DIRECTORIES[magic] + 8 * _CERTIFICATES
        return directory, *struct.unpack_from("<II", raw, directory)
    except (struct.error, KeyError) as damage:
        raise NotPe(f"its headers are damaged: {damage}") from None
