"""LVM2 without LVM: which bytes of a disk a logical volume is, by the metadata on its physical volumes.

The label and the metadata area are laid out as LVM2's sources have them (lib/format_text/layout.h), the metadata is the
text that vgcfgbackup(8) writes. Linear volumes are mapped; what else there is is named as such, for nobody to take it
for read.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.filesystem import Read
from harness.tree import Unreadable
from harness.volume import Piece

SECTOR = 512
_LABEL = struct.Struct("<8sQII8s")
_AREA = struct.Struct("<QQ")
_HEADER = struct.Struct("<I16sIQQ")
_MAGIC = b" LVM2 x[5A%r0N*>"
_MOST_TEXT = 8 << 20
_MOST_AREAS = 8
_DEEPEST = 8
_MOST_PIECES = 4096
_WORD = re.compile(r'#[^\n]*|"((?:[^"\\]|\\.)*)"|([\w.+-]+)|([{}\[\]=,])|\s+')


@dataclass(frozen=True)
class PhysicalVolume:
    """A partition of LVM's: its id, and the text that describes the whole group ("" where it keeps none)."""

    id: str
    text: str


@dataclass(frozen=True)
class LogicalVolume:
    """One that can be read: `group` and `name`, and the pieces of the disk that it is."""

    group: str
    name: str
    pieces: tuple[Piece, ...]


def read_physical(read: Read, offset: int) -> PhysicalVolume:
    """The physical volume at this byte offset. Raises Unreadable where it is damaged."""
    label = next((at for at in range(0, 4 * SECTOR, SECTOR) if read(offset + at, 8) == b"LABELONE"), None)
    if label is None:
        raise Unreadable("it has no label of LVM's", "is it whole?")
    raw = read(offset + label, SECTOR).ljust(SECTOR, b"\0")
    *_, at, kind = _LABEL.unpack_from(raw)
    if kind != b"LVM2 001" or not _LABEL.size <= at <= SECTOR - 40:
        raise Unreadable(f"its label is of the kind {kind!r}", "is it whole?")
    identity = raw[at : at + 32].decode("ascii", "replace")
    areas = list(_areas(raw, at + 40))
    metadata = areas[areas.index((0, 0)) + 1 :] if (0, 0) in areas else []
    texts = (_text(read, offset, start) for start, _ in metadata if start)
    return PhysicalVolume(identity, next((text for text in texts if text), ""))


def _areas(raw: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Two lists of areas, for data and for metadata, each ended by a pair of zeros."""
    for place in range(at, min(len(raw) - _AREA.size, at + _MOST_AREAS * _AREA.size) + 1, _AREA.size):
        yield _AREA.unpack_from(raw, place)


def _text(read: Read, offset: int, start: int) -> str:
    """The newest description in a metadata area, which is a ring behind its header."""
    raw = read(offset + start, SECTOR).ljust(SECTOR, b"\0")
    _, magic, _, _, size = _HEADER.unpack_from(raw)
    at, length = _AREA.unpack_from(raw, _HEADER.size)
    if magic != _MAGIC or not length:
        return ""
    if length > _MOST_TEXT or not SECTOR <= at < size:
        raise Unreadable(f"its metadata claims {length} bytes at byte {at} of {size}", "is it whole?")
    first = read(offset + start + at, min(length, size - at))
    rest = length - len(first)
    text = first + (read(offset + start + SECTOR, rest) if rest > 0 else b"")
    return text.partition(b"\0")[0].decode("utf-8", "replace")


def map_volumes(text: str, places: Mapping[str, int]) -> tuple[tuple[LogicalVolume, ...], tuple[str, ...]]:
    """The logical volumes of the group that `text` describes, and why others cannot be read, in words.

    `places` has each physical volume's byte offset on the disk by its id. Raises Unreadable where the text is no
    description.
    """
    try:
        (group, about), *_ = ((name, value) for name, value in parse(text).items() if isinstance(value, dict))
        extent = int(about["extent_size"]) * SECTOR
        starts = {
            name: places[one["id"].replace("-", "")] + int(one["pe_start"]) * SECTOR
            for name, one in about["physical_volumes"].items()
            if one["id"].replace("-", "") in places
        }
        found: list[LogicalVolume] = []
        problems: list[str] = []
        for name, volume in about.get("logical_volumes", {}).items():
            if "VISIBLE" not in volume["status"]:
                continue
            pieces = tuple(_pieces(volume, extent, starts))
            if None in pieces:
                problems.append(f"logical volume {group}/{name} is not linear, or not all of it is on this disk")
            else:
                found.append(LogicalVolume(group, name, tuple(piece for piece in pieces if piece)))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as broken:
        raise Unreadable(f"the volume group's description makes no sense: {broken!r}", "is it whole?") from None
    return tuple(found), tuple(problems)


def _pieces(volume: Mapping[str, Any], extent: int, starts: Mapping[str, int]) -> Iterator[Piece | None]:
    """The pieces in order, or None where one cannot be told."""
    segments = [one for one in volume.values() if isinstance(one, dict) and "start_extent" in one]
    reached = 0
    for one in sorted(segments, key=lambda segment: int(segment["start_extent"]))[:_MOST_PIECES]:
        linear = one["type"] in ("striped", "linear") and int(one.get("stripe_count", 1)) == 1
        if not linear or one["stripes"][0] not in starts or int(one["start_extent"]) != reached:
            yield None
            return
        reached += int(one["extent_count"])
        yield Piece(starts[one["stripes"][0]] + int(one["stripes"][1]) * extent, int(one["extent_count"]) * extent)


def parse(text: str) -> dict[str, Any]:
    """The values of a description: sections as dictionaries, lists, texts, and numbers as they stand.

    Raises ValueError where it is none.
    """
    words = [(match[1], match[2] or match[3]) for match in _WORD.finditer(text) if match.lastindex]
    words.reverse()
    return _section(words, 0)


def _section(words: list[tuple[str | None, str | None]], depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ValueError("sections in sections")
    found: dict[str, Any] = {}
    while words:
        _, name = words.pop()
        if name == "}" and depth:
            return found
        _, sign = words.pop() if words else (None, None)
        if name is None or name in "{}[]=," or sign not in ("{", "="):
            raise ValueError(f"{name!r} is followed by {sign!r}")
        found[name] = _section(words, depth + 1) if sign == "{" else _value(words)
    if depth:
        raise ValueError("a section does not end")
    return found


def _value(words: list[tuple[str | None, str | None]]) -> Any:
    text, word = words.pop() if words else (None, None)
    if word != "[":
        return word if text is None else text
    found: list[str | None] = []
    while words:
        text, word = words.pop()
        if word == "]":
            return found
        if word != ",":
            found.append(word if text is None else text)
    raise ValueError("a list does not end")
