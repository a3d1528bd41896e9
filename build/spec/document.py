"""Reading a spec's TOML so that every value knows the line where it stands.

The standard library reads the values; it does not say where they were. A scan of the same text finds the lines: it may
rely on the text being TOML, since that has been read already, and needs to know strings and brackets alone.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Keys = tuple[str | int, ...]
"""Where a value is in a document: keys of tables and indices of lists, from the outside in."""

BARE = re.compile(r"[A-Za-z0-9_-]+")
STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
"""TOML's strings (v1.0.0, section String): a longer mark comes before a shorter one."""
SPACE = re.compile(r"[ \t]*")
BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
PLAIN = re.compile(r"[^\s,\]}#][^,\]}#\n]*")
POSITION = re.compile(r"\s*\((?:at line (\d+), column (\d+)|at end of document)\)$")


@dataclass(frozen=True)
class Place:
    """Where something was said: the file as the caller named it, the line from 1, and the key as `files[2].mode`."""

    file: str
    line: int
    key: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Node:
    """A value and its place. A table holds nodes by key, a list nodes; all else is what tomllib gives.

    `folder` is where the document lies, from which relative paths count.
    """

    value: Any
    place: Place
    folder: Path = field(default=Path(), repr=False)


class Malformed(Exception):
    """A text that is no TOML: `place` and what is wrong there."""

    def __init__(self, place: Place, what: str) -> None:
        super().__init__(what)
        self.place, self.what = place, what


def parse(text: str, name: str, folder: Path) -> Node:
    """The document's table. `name` stands for the file in messages. Raises Malformed."""
    normal = text.replace("\r\n", "\n")
    try:
        values = tomllib.loads(normal)
    except tomllib.TOMLDecodeError as damage:
        raise _malformed(damage, normal, name) from None
    lines = dict(places(normal))
    return _node(values, (), 1, lines, name, folder)


def _malformed(damage: tomllib.TOMLDecodeError, text: str, name: str) -> Malformed:
    told = str(damage)
    found = POSITION.search(told)
    line = int(found[1]) if found and found[1] else text.rstrip("\n").count("\n") + 1
    what = POSITION.sub("", told)
    return Malformed(Place(name, line), what[:1].lower() + what[1:])


def _node(value: Any, path: Keys, line: int, lines: Mapping[Keys, int], name: str, folder: Path) -> Node:
    here = lines.get(path, line)

    def inner(key: str | int, one: Any) -> Node:
        return _node(one, (*path, key), here, lines, name, folder)

    held: Any = value
    if isinstance(value, dict):
        held = {key: inner(key, one) for key, one in value.items()}
    elif isinstance(value, list):
        held = [inner(index, one) for index, one in enumerate(value)]
    return Node(held, Place(name, here, spelled(path)), folder)


def spelled(path: Keys) -> str:
    """A path as people write it; lists count from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else part
    return text


def places(text: str) -> Iterator[tuple[Keys, int]]:
    """Every key and list entry of a valid document with the line where it begins."""
    yield from _Scan(text).document()


class _Scan:
    """A walk through the text; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.table: Keys = ()
        self.entries: dict[Keys, int] = {}
        self.seen: set[Keys] = set()

    def document(self) -> Iterator[tuple[Keys, int]]:
        while self._skip(BLANK) and self.at < len(self.text):
            if self.text[self.at] == "[":
                yield from self._header()
            else:
                yield from self._pair(self.table)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self.text, self.at)
        assert found
        self.at = found.end()
        return True

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def _header(self) -> Iterator[tuple[Keys, int]]:
        line = self._line()
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        path = self._inside_lists(self._key(), brackets == 2)
        self.at += brackets
        self.table = path
        yield from self._outward(path, 0, line)

    def _inside_lists(self, key: tuple[str, ...], begins_entry: bool) -> Keys:
        """The path that a header names: below a list of tables it means that list's last table."""
        path: Keys = ()
        for number, part in enumerate(key):
            path = (*path, part)
            last = number == len(key) - 1
            if last and begins_entry:
                self.entries[path] = self.entries.get(path, -1) + 1
            if path in self.entries:
                path = (*path, self.entries[path])
        return path

    def _outward(self, path: Keys, below: int, line: int) -> Iterator[tuple[Keys, int]]:
        """What a key with dots makes on the way; the first line that makes a table is its place."""
        for length in range(below + 1, len(path) + 1):
            if path[:length] not in self.seen:
                self.seen.add(path[:length])
                yield path[:length], line

    def _key(self) -> tuple[str, ...]:
        parts = []
        while self._skip(SPACE):
            quoted = self._string()
            if quoted is None:
                start = self.at
                self._skip(BARE)
                parts.append(self.text[start : self.at])
            else:
                parts.append(next(iter(tomllib.loads(f"{quoted} = 0"))))
            self._skip(SPACE)
            if self.text[self.at] != ".":
                break
            self.at += 1
        return tuple(parts)

    def _string(self) -> str | None:
        for pattern in STRINGS:
            if found := pattern.match(self.text, self.at):
                self.at = found.end()
                return found[0]
        return None

    def _pair(self, table: Keys) -> Iterator[tuple[Keys, int]]:
        line = self._line()
        path = (*table, *self._key())
        yield from self._outward(path, len(table), line)
        self.at += 1  # the equals sign
        self._skip(SPACE)
        yield from self._value(path)

    def _value(self, path: Keys) -> Iterator[tuple[Keys, int]]:
        if self.text[self.at] == "[":
            yield from self._list(path)
        elif self.text[self.at] == "{":
            yield from self._inline(path)
        elif self._string() is None:
            self._skip(PLAIN)

    def _list(self, path: Keys) -> Iterator[tuple[Keys, int]]:
        self.at += 1
        index = 0
        while self._skip(BLANK) and self.text[self.at] != "]":
            yield (*path, index), self._line()
            yield from self._value((*path, index))
            index += 1
            self._skip(BLANK)
            self.at += self.text[self.at] == ","
        self.at += 1

    def _inline(self, path: Keys) -> Iterator[tuple[Keys, int]]:
        self.at += 1
        while self._skip(BLANK) and self.text[self.at] != "}":
            yield from self._pair(path)
            self._skip(BLANK)
            self.at += self.text[self.at] == ","
        self.at += 1
