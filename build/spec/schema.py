"""What a spec may say: every key, what its value may be, and what is said where it is something else."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol

from build.errors import CallerError
from build.names import ACCOUNT, ACCOUNT_HINT, HOSTNAME, HOSTNAME_HINT, IMAGE, IMAGE_HINT, PUBLIC_KEY
from build.sizes import parse_size
from build.spec.document import Node, Place, spelled
from distros.recipe import ARCHITECTURES, KINDS, PROVISIONERS

SIMILAR = 0.6
"""How alike two words must be (difflib's ratio) for one to be suggested for the other."""
REFERENCES = ("from_env", "from_file")


@dataclass(frozen=True, order=True)
class Complaint:
    """What is wrong, and where."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


def complaint(place: Place, what: str) -> Complaint:
    """A complaint about the value of that place."""
    return Complaint(place.file, place.line, f"{place.key}: {what}" if place.key else what)


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message about a word that does not exist: the nearest one that does, else all where they are few."""
    words = list(dict.fromkeys(known))
    if close := get_close_matches(word, words, 1, SIMILAR) or get_close_matches(word.lower(), words, 1, SIMILAR):
        return f"; did you mean {close[0]!r}?"
    return f"; there is: {', '.join(words)}" if 0 < len(words) <= MOST_SHOWN else ""


MOST_SHOWN = 24


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


SET_AT_BOOT = (
    *("/dev", "/proc", "/sys", "/run", "/tmp", "/var/tmp"),
    *("/var/lib/cloud", "/var/lib/waagent", "/var/cache/apt", "/var/lib/apt/lists", "/var/log", "/root/.ssh"),
)
"""Folders of which an image keeps nothing: they belong to a running machine, or to one machine alone."""
KILNS_OWN = {
    "/etc/hostname": "the key 'hostname' names a specialized image",
    "/etc/hosts": "Azure names each machine",
    "/etc/machine-id": "each machine makes its own",
    "/etc/fstab": "it is written for the image's own disk",
}
NAMES_OF_HOST_KEYS = re.compile(r"/etc/ssh/ssh_host_.*")


@dataclass(frozen=True)
class Inside:
    """A path of the image."""

    def check(self, node: Node) -> Iterator[Complaint]:
        """That it is absolute, plain, and will be there in the image."""
        path = node.value
        if not isinstance(path, str):
            yield complaint(node.place, f"this is {described(path)}, it takes text")
        elif not path.startswith("/") or path == "/" or {".", "..", ""} & {*path[1:].split("/")} or "\0" in path:
            yield complaint(
                node.place, f"{path!r} is no path of a file: write it from / on, without '.', '..' and '//'"
            )
        elif folder := next((one for one in SET_AT_BOOT if path == one or path.startswith(f"{one}/")), None):
            yield complaint(node.place, f"{path!r} would not stay: an image keeps nothing in {folder}")
        elif path in KILNS_OWN:
            yield complaint(node.place, f"{path!r} is not for a spec to write: {KILNS_OWN[path]}")
        elif NAMES_OF_HOST_KEYS.fullmatch(path):
            yield complaint(node.place, f"{path!r} would be shared by all machines: each makes its own")


def _file(node: Node) -> Iterator[Complaint]:
    yield from exactly_one(node, "content", "source")


def _repository(node: Node) -> Iterator[Complaint]:
    kind = node.value.get("type")
    if not kind or kind.value not in ("apt", "rpm"):
        return
    for key in ("suites", "components"):
        if (key in node.value) != (kind.value == "apt"):
            place = node.value[key].place if key in node.value else node.place
            yield complaint(place, "an rpm repository has none" if key in node.value else f"the key {key!r} is missing")
    if "signed_metadata" in node.value and kind.value == "apt":
        yield complaint(node.value["signed_metadata"].place, "an apt repository's metadata is always signed")


def _opposites(*keys: str) -> Callable[[Node], Iterator[Complaint]]:
    """A rule: no word in two of these lists of one table."""

    def rule(node: Node) -> Iterator[Complaint]:
        seen: dict[str, str] = {}
        lists = [(key, node.value[key]) for key in keys if key in node.value]
        for key, one in lists:
            for word in one.value if isinstance(one.value, list) else ():
                if isinstance(word.value, str) and seen.setdefault(word.value, key) != key:
                    yield complaint(word.place, f"{word.value!r} stands in {seen[word.value]!r} as well")

    return rule


PACKAGE = Text(r"[A-Za-z0-9][A-Za-z0-9+._:-]*[A-Za-z0-9+._]|[A-Za-z0-9]", "a package's name alone, without a version")
UNIT = Text(r"[A-Za-z0-9:_.\\@-]+", "a unit's name, as 'nginx' or 'backup.timer'")
ARGUMENT = Text(r"(?!root=)[A-Za-z0-9][A-Za-z0-9_.,:=/@+%-]*", "one kernel argument without spaces or quotes; no root=")
NAME_OR_ID = Text(r"[a-z_][a-z0-9_.-]*\$?|[0-9]+", "a name or a number")
ACCOUNT_NAME = Text(f"(?!root$){ACCOUNT.pattern}", ACCOUNT_HINT)
KEY_LINE = Text(PUBLIC_KEY.pattern, "one line of the OpenSSH form, as ~/.ssh/id_ed25519.pub has it")
MODE = Text(r"[0-7]{3,4}", 'permission bits in octal, as "0644"')
URL = Text(
    r"https?://[^\s\[\]'\"|@]+", "a URL that begins with http:// or https:// and holds no user and no password", False
)
WORD = Text(r"[A-Za-z0-9][A-Za-z0-9+._/-]*", "letters, digits, +, ., _, / and -")
LOCALE = Text(r"C|POSIX|C\.UTF-8|[a-z]{2,3}(_[A-Z]{2})?(\.[A-Za-z0-9-]+)?(@[a-z]+)?", "a locale, as 'de_AT.UTF-8'")
ZONE = Text(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", "a time zone, as 'Europe/Vienna'")
VARIABLE = (r"[A-Za-z_][A-Za-z0-9_]*", "a variable's name has letters, digits and _ alone")
PROGRAM = Text(r"[^\0]*\S[^\0]*", "it is empty")
RELATIVE = Text(r"[^\0]+", "it is empty")
PLAIN_WORD = Text(r"[A-Za-z0-9][A-Za-z0-9._-]*", "letters, digits, ., _ and -")

SPEC_KEYS: dict[str, Kind] = {
    "name": Text(IMAGE.pattern, IMAGE_HINT),
    "extends": Either(RELATIVE, ListOf(RELATIVE, 1)),
    "replace": ListOf(Text()),
    "distro": PLAIN_WORD,
    "release": PLAIN_WORD,
    "arch": OneOf(ARCHITECTURES),
    "kernel": PLAIN_WORD,
    "generation": OneOf(("1", "2", "both")),
    "type": OneOf(KINDS),
    "provisioner": OneOf(PROVISIONERS),
    "size": Size(),
    "hostname": Text(HOSTNAME.pattern, HOSTNAME_HINT),
    "locale": LOCALE,
    "timezone": ZONE,
    "packages": Table({"add": ListOf(PACKAGE), "remove": ListOf(PACKAGE)}, rule=_opposites("add", "remove")),
    "repositories": ListOf(
        Table(
            {
                "name": PLAIN_WORD,
                "type": OneOf(("apt", "rpm")),
                "url": URL,
                "key": RELATIVE,
                "suites": ListOf(WORD, 1),
                "components": ListOf(WORD, 1),
                "signed_metadata": Flag(),
                "keep": Flag(),
            },
            ("name", "type", "url", "key"),
            _repository,
        )
    ),
    "files": ListOf(
        Table(
            {
                "path": Inside(),
                "content": Reference(or_text=Text()),
                "source": RELATIVE,
                "mode": MODE,
                "owner": NAME_OR_ID,
                "group": NAME_OR_ID,
            },
            ("path",),
            _file,
        )
    ),
    "commands": ListOf(
        Table(
            {
                "run": Either(PROGRAM, ListOf(Text(r"[^\0]*", "it holds a zero byte"), 1)),
                "network": Flag(),
                "environment": Values(*VARIABLE, Reference(or_text=Text(r"[^\0]*", "it holds a zero byte"))),
            },
            ("run",),
        )
    ),
    "services": Table(
        {"enable": ListOf(UNIT), "disable": ListOf(UNIT), "mask": ListOf(UNIT)},
        rule=_opposites("enable", "disable", "mask"),
    ),
    "kernel_arguments": Table({"add": ListOf(ARGUMENT), "remove": ListOf(ARGUMENT)}, rule=_opposites("add", "remove")),
    "users": ListOf(
        Table(
            {
                "name": ACCOUNT_NAME,
                "groups": ListOf(NAME_OR_ID),
                "ssh_keys": ListOf(Reference(or_text=KEY_LINE)),
                "sudo": Flag(),
                "shell": Inside(),
                "password_hash": Reference(),
            },
            ("name",),
        )
    ),
    "first_boot": Table({"user_data": Reference(or_text=Text(r"[\s\S]*\S[\s\S]*", "it is empty"))}, ("user_data",)),
}
"""Every key of a spec."""


def replaceable() -> tuple[str, ...]:
    """What `replace` may name: every list, and the tables that hold some."""
    tables = {name: kind for name, kind in SPEC_KEYS.items() if isinstance(kind, Table)}
    lists = [
        name for name, kind in SPEC_KEYS.items() if isinstance(kind, ListOf) and name not in ("replace", "extends")
    ]
    return (*lists, *tables, *(spelled((name, key)) for name, table in tables.items() for key in table.keys))


def _whole(node: Node) -> Iterator[Complaint]:
    replaced = node.value.get("replace")
    if not replaced:
        return
    if "extends" not in node.value:
        yield complaint(replaced.place, "there is nothing to replace without 'extends'")
    for one in replaced.value if isinstance(replaced.value, list) else ():
        if isinstance(one.value, str) and one.value not in replaceable():
            yield complaint(one.place, f"{one.value!r} is no key of lists{nearest(one.value, replaceable())}")


SPEC = Table(SPEC_KEYS, rule=_whole)
