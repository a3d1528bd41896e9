"""rpm's databases read without rpm: sqlite (RHEL 9, Fedora) and ndb (SUSE), and the headers that both hold.

Headers are laid out as rpm's file format has them (rpm, docs/manual/format_header.md), without the eight bytes of
magic; ndb as lib/backend/ndb/rpmpkg.c of rpm writes it. Berkeley DB's files (RHEL 8 and older) are not read. The bytes
are an image's, so nothing is believed: what does not fit raises Unreadable.
"""

import posixpath
import sqlite3
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from harness.tree import Tree, Unreadable

FOLDERS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
SQLITE, NDB, BERKELEY = "rpmdb.sqlite", "Packages.db", "Packages"
LARGEST = 256 << 20
_LARGEST_HEADER = 64 << 20
_MOST_FIELDS = 1 << 16
_LONGEST = 4096
"""Bytes of a name or a version that are looked at."""
_MOST_STEPS = 50_000_000
"""Instructions of sqlite's own machine, which reading thousands of headers does not come near."""
_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_INT32, _STRING = 4, 6
_SLOT, _PAGE = 16, 4096
_BLOB_HEAD = struct.Struct("<4sIII")
"""Magic, the package's number, a time, the length of its header."""
_KEYS = "gpg-pubkey"
"""What rpm calls the keys that it keeps as if they were packages."""


def read_rpm(tree: Tree, scratch: Path) -> Mapping[str, str] | None:
    """Installed packages and their versions ("epoch:version-release", the epoch where there is one).

    Of several packages of one name (kernels) the last one installed counts. None where the image has no rpm database.
    Raises Unreadable where there is one that cannot be read.
    """
    for folder in FOLDERS:
        for name, headers in ((SQLITE, _from_sqlite), (NDB, _from_ndb)):
            path = posixpath.join(folder, name)
            if tree.is_file(path):
                return _versions(path, headers(tree, path, scratch))
        if tree.is_file(posixpath.join(folder, BERKELEY)):
            raise Unreadable(f"{folder}/{BERKELEY} is a database in Berkeley DB's format, which Kiln does not read")
    return None


def _versions(path: str, headers: Iterator[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        for header in headers:
            name, version = read_header(header)
            if name != _KEYS:
                found[name] = version
    except (sqlite3.Error, ValueError, struct.error) as broken:
        raise Unreadable(f"{path} cannot be read: {broken}", "is it whole?") from None
    return found


def read_header(raw: bytes) -> tuple[str, str]:
    """Name and version of the package with this header. Raises ValueError or struct.error where it is none."""
    count, length = struct.unpack_from(">II", raw)
    data = 8 + 16 * count
    if count > _MOST_FIELDS or data + length > len(raw):
        raise ValueError(f"a header claims {count} fields and {length} bytes")
    places = {(tag, kind): data + offset for tag, kind, offset, _ in struct.iter_unpack(">IIII", raw[8:data])}
    name, version, release = (_text(raw, places.get((tag, _STRING))) for tag in (_NAME, _VERSION, _RELEASE))
    if not name:
        raise ValueError("a header names no package")
    at = places.get((_EPOCH, _INT32))
    epoch = "" if at is None else f"{struct.unpack_from('>I', raw, at)[0]}:"
    return name, f"{epoch}{version}-{release}"


def _text(raw: bytes, at: int | None) -> str:
    return "" if at is None else raw[at : at + _LONGEST].partition(b"\0")[0].decode("utf-8", "replace")


def _require_size(tree: Tree, path: str) -> None:
    entry = tree.stat(path)
    if entry is not None and entry.size > LARGEST:
        raise Unreadable(f"{path} claims {entry.size} bytes", "is the file system whole?")


def _from_sqlite(tree: Tree, path: str, scratch: Path) -> Iterator[bytes]:
    """The headers, the oldest first. What a write-ahead log beside the database says counts, as rpm would have it."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        copy = Path(folder, SQLITE)
        for end in ("", "-wal"):
            if tree.is_file(f"{path}{end}"):
                _require_size(tree, f"{path}{end}")
                tree.copy(f"{path}{end}", LARGEST, copy.with_name(f"{SQLITE}{end}"))
        with closing(sqlite3.connect(copy)) as database:
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_HEADER)
            # The schema is the image's as well: it may neither call functions nor keep us busy for ever.
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA cell_size_check = ON")
            database.set_progress_handler(lambda: 1, _MOST_STEPS)
            for (header,) in database.execute("SELECT blob FROM Packages ORDER BY hnum"):
                if not isinstance(header, bytes):
                    raise ValueError("a package without a header")
                yield header


def _from_ndb(tree: Tree, path: str, scratch: Path) -> Iterator[bytes]:
    """The headers in the order of their packages' numbers."""
    _require_size(tree, path)
    raw = tree.read_bytes(path, LARGEST)
    magic, version, _, pages = struct.unpack_from("<4sIII", raw)
    if magic != b"RpmP" or version:
        raise ValueError(f"it begins with {magic!r}, version {version}")
    if pages * _PAGE > len(raw):
        raise ValueError(f"it claims {pages} pages of slots")
    slots = [struct.unpack_from("<4sIII", raw, at)[1:] for at in range(2 * _SLOT, pages * _PAGE, _SLOT)]
    used = [slot for slot in slots if slot[1]]
    _refuse_overlaps(used)
    for number, block, count in sorted(used):
        begin = block * _SLOT
        mark, owner, _, length = _BLOB_HEAD.unpack_from(raw, begin)
        if mark != b"BlbS" or owner != number or _BLOB_HEAD.size + length > count * _SLOT:
            raise ValueError(f"package {number} has no header where its slot points")
        yield raw[begin + _BLOB_HEAD.size : begin + _BLOB_HEAD.size + length]


def _refuse_overlaps(slots: list[tuple[int, int, int]]) -> None:
    """Or few bytes could be read for ever."""
    end = 0
    for number, block, count in sorted(slots, key=lambda slot: slot[1]):
        if block < end:
            raise ValueError(f"package {number} lies over another one")
        end = block + count
