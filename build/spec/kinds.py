"""Kinds of values that a spec may hold, and what is said of anything else. `schema` says which is where."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Protocol

from build.errors import CallerError
from build.sizes import parse_size
from build.spec.complaint import SIMILAR, Complaint, complaint, nearest
from build.spec.document import Node

REFERENCES = ("from_env", "from_file")


class Kind(Protocol):
    """What one value may be."""

    def check(self, node: Node) -> Iterator[Complaint]:
        """What is wrong with it."""


NAMES: Mapping[type, str] = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}


def described(value: Any) -> str:
    """What a value is, in words."""
    return next((name for kind, name in NAMES.items() if type(value) is kind), "a table")


@dataclass(frozen=True)
class Text:
    """Text that matches a pattern; `hint` says what does. What may hold a password by mistake is not `shown`."""

    pattern: str = r"[\s\S]*"
    hint: str = "any text"
    shown: bool = True

    def check(self, node: Node) -> Iterator[Complaint]:
        """Whether it is text, and this text."""
        if not isinstance(node.value, str):
            yield complaint(node.place, f"this is {described(node.value)}, it takes text")
        elif not re.fullmatch(self.pattern, node.value):
            yield complaint(node.place, f"{repr(node.value) if self.shown else 'this'} will not do: {self.hint}")


@dataclass(frozen=True)
class OneOf:
    """One of some words."""

    words: tuple[str, ...]

    def check(self, node: Node) -> Iterator[Complaint]:
        """Whether it is one of them."""
        if not isinstance(node.value, str):
            yield complaint(node.place, f"this is {described(node.value)}, it takes text")
        elif node.value not in self.words:
            yield complaint(node.place, f"{node.value!r} does not exist{nearest(node.value, self.words)}")


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def check(self, node: Node) -> Iterator[Complaint]:
        """Whether it is."""
        if not isinstance(node.value, bool):
            yield complaint(node.place, f"this is {described(node.value)}, it takes true or false")


@dataclass(frozen=True)
class Number:
    """A number between two others, whole or not."""

    least: float
    most: float
    whole: bool = True

    def check(self, node: Node) -> Iterator[Complaint]:
        """Whether it is one, and in between."""
        if type(node.value) is not int and (self.whole or type(node.value) is not float):
            yield complaint(node.place, f"this is {described(node.value)}, it takes a number")
        elif not self.least <= node.value <= self.most:
            yield complaint(node.place, f"{node.value} will not do: from {self.least} to {self.most}")


@dataclass(frozen=True)
class Day:
    """A date, as TOML writes it."""

    def check(self, node: Node) -> Iterator[Complaint]:
        """Whether it is one."""
        if not isinstance(node.value, date) or isinstance(node.value, datetime):
            yield complaint(node.place, "this is no date: write it without quotes, as 2030-06-30")


@dataclass(frozen=True)
class Size:
    """A size as the command line takes it."""

    def check(self, node: Node) -> Iterator[Complaint]:
        """Whether the command line would take it."""
        if not isinstance(node.value, str):
            yield complaint(node.place, f'this is {described(node.value)}, it takes text as "30G"')
            return
        try:
            parse_size(node.value)
        except CallerError as refusal:
            yield complaint(node.place, f"{refusal.what}; {refusal.hint}")


@dataclass(frozen=True)
class ListOf:
    """A list; each entry of one kind, and `least` of them."""

    kind: Kind
    least: int = 0

    def check(self, node: Node) -> Iterator[Complaint]:
        """Each of its entries."""
        if not isinstance(node.value, list):
            what = "tables: write [[ ]] around its name" if isinstance(self.kind, Table) else "values: write [ ]"
            yield complaint(node.place, f"this is {described(node.value)}, it takes a list of {what}")
            return
        if len(node.value) < self.least:
            yield complaint(node.place, "the list is empty")
        for one in node.value:
            yield from self.kind.check(one)


@dataclass(frozen=True)
class Either:
    """Text or a list, as the value is."""

    text: Kind
    several: Kind

    def check(self, node: Node) -> Iterator[Complaint]:
        """By the one that fits."""
        yield from (self.several if isinstance(node.value, list) else self.text).check(node)


@dataclass(frozen=True)
class Table:
    """A table: its keys, those that it must have, and what else must hold between them."""

    keys: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    rule: Callable[[Node], Iterator[Complaint]] = field(default=lambda node: iter(()))

    def check(self, node: Node) -> Iterator[Complaint]:
        """Keys that there are, keys that are missing, and each value."""
        if not isinstance(node.value, dict):
            yield complaint(node.place, f"this is {described(node.value)}, it takes a table")
            return
        for key, value in node.value.items():
            if key in self.keys:
                yield from self.keys[key].check(value)
            else:
                yield complaint(value.place, f"there is no such key{nearest(key, self.keys)}")
        for key in self.required:
            if key not in node.value and not get_close_matches(key, node.value.keys() - self.keys.keys(), 1, SIMILAR):
                yield complaint(node.place, f"the key {key!r} is missing")
        yield from self.rule(node)


@dataclass(frozen=True)
class Values:
    """A table whose keys the user chooses."""

    pattern: str
    hint: str
    kind: Kind

    def check(self, node: Node) -> Iterator[Complaint]:
        """Each name and its value."""
        if not isinstance(node.value, dict):
            yield complaint(node.place, f"this is {described(node.value)}, it takes a table")
            return
        for key, value in node.value.items():
            if not re.fullmatch(self.pattern, key):
                yield complaint(value.place, f"{key!r} will not do: {self.hint}")
            yield from self.kind.check(value)


@dataclass(frozen=True)
class Reference:
    """What comes from a file or the environment, and nowhere else; `or_text` takes text beside that."""

    or_text: Kind | None = None

    def check(self, node: Node) -> Iterator[Complaint]:
        """One of the two references, or the text."""
        if isinstance(node.value, dict):
            yield from Table(dict.fromkeys(REFERENCES, Text(r"[^\0]+", "it is empty")), rule=_one_of_two).check(node)
        elif self.or_text and isinstance(node.value, str):
            yield from self.or_text.check(node)
        else:
            text = "text, " if self.or_text else "no text: a secret does not stand in a spec, but "
            ways = '{ from_env = "NAME" } or { from_file = "PATH" }'
            yield complaint(node.place, f"this is {described(node.value)}, it takes {text}{ways}")


def _one_of_two(node: Node) -> Iterator[Complaint]:
    yield from exactly_one(node, *REFERENCES)


def exactly_one(node: Node, *keys: str) -> Iterator[Complaint]:
    """That a table has one of these keys and no other of them."""
    given = [key for key in keys if key in node.value]
    if len(given) > 1:
        yield complaint(node.value[given[1]].place, f"{given[0]!r} is there already: say one of them")
    elif not given and not any(get_close_matches(key, keys, 1, SIMILAR) for key in node.value):
        yield complaint(node.place, f"one of {', '.join(map(repr, keys))} is missing")
