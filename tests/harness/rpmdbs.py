"""rpm databases for tests, written as rpm writes them: headers, and the files of sqlite and ndb that hold them."""

import sqlite3
import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

NAME, VERSION, RELEASE, EPOCH, ARCH = 1000, 1001, 1002, 1003, 1022


def header(name: str, version: str = "1", release: str = "1.el9", epoch: int | None = None) -> bytes:
    """A package's header: an index of fields in the order of their tags, then what they hold."""
    fields: list[tuple[int, int, bytes]] = [
        (63, 7, bytes(16)),  # the region that is signed
        *((tag, 6, text.encode() + b"\0") for tag, text in ((NAME, name), (VERSION, version), (RELEASE, release))),
        *([(EPOCH, 4, struct.pack(">I", epoch))] if epoch is not None else []),
        (ARCH, 6, b"x86_64\0"),
    ]
    index, store = b"", b""
    for tag, kind, content in fields:
        store += bytes(-len(store) % 4) if kind == 4 else b""
        index += struct.pack(">IIII", tag, kind, len(store), 16 if kind == 7 else 1)
        store += content
    return struct.pack(">II", len(fields), len(store)) + index + store


def sqlite(path: Path, headers: Iterable[bytes], journal: str = "wal") -> Path:
    """A database of rpm 4.16 and later, closed as rpm leaves it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
        database.executemany("INSERT INTO Packages (blob) VALUES (?)", [(one,) for one in headers])
        database.commit()
    return path


def ndb(path: Path, headers: Iterable[bytes]) -> Path:
    """A Packages.db with one page of slots, the newest package at the front, as after updates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blobs, slots, at = b"", [], 256
    for number, one in reversed(list(enumerate(headers, 1))):
        blob = struct.pack("<4sIII", b"BlbS", number, 0, len(one)) + one
        blob += bytes(-len(blob) % 16) + struct.pack("<II4s", 0, len(one), b"BlbE").rjust(16, b"\0")
        slots.append(struct.pack("<4sIII", b"Slot", number, at, len(blob) // 16))
        at += len(blob) // 16
        blobs += blob
    head = struct.pack("<4sIIII", b"RpmP", 0, 1, 1, 99).ljust(32, b"\0")
    page = head + b"".join(slots)
    path.write_bytes(page + b"Slot".ljust(16, b"\0") * ((4096 - len(page)) // 16) + blobs)
    return path
