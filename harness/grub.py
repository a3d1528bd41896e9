"""GRUB's menu as it would show it: grub.cfg, grubenv and Boot Loader Specification entries, from the image's files.

Not an interpreter: the menu entries, the last literal value of each variable, and the commands outside of entries are
kept. Conditions on variables are decided, of others both branches are taken. Words of an entry that name an unknown
variable lose it, as they would in GRUB.
"""

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.tree import Tree

FOLDERS = ("/boot/grub", "/boot/grub2")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_RUNTIME = re.compile(r"\$\{?(grub_\w+|root|prefix|\?|\d)")
"""Variables that only the running GRUB knows: what depends on them is left open."""
_ENTRY_ID = re.compile(r"^\$\{?menuentry_id_option\}?$")


@dataclass(frozen=True)
class Entry:
    """One menu entry; `place` is its index as GRUB counts ("0", "1>2"), `search` what its root is looked up by."""

    place: str
    title: str
    id: str = ""
    linux: str = ""
    args: tuple[str, ...] = ()
    initrds: tuple[str, ...] = ()
    search: str = ""
    unified: bool = False
    """Whether `linux` is kernel, initramfs and command line in one file, on the EFI partition or in /boot."""

    def values(self, key: str) -> tuple[str, ...]:
        """The values of `key=value` words on the kernel's command line, in order."""
        return tuple(word.partition("=")[2] for word in self.args if word.startswith(f"{key}="))


@dataclass(frozen=True)
class Menu:
    """GRUB's configuration: `default` is the entry that boots when nobody touches a key."""

    path: str
    entries: tuple[Entry, ...]
    default: Entry | None
    settings: Mapping[str, str]
    commands: tuple[tuple[str, ...], ...]

    def words(self, command: str) -> tuple[str, ...]:
        """All words behind this command, wherever it stands outside of entries."""
        return tuple(word for line in self.commands if line[0] == command for word in line[1:])


def read_menu(tree: Tree) -> Menu | None:
    """The menu of the image's GRUB, None where it has no grub.cfg."""
    path = next((f"{folder}/grub.cfg" for folder in FOLDERS if tree.is_file(f"{folder}/grub.cfg")), "")
    if not path:
        return None
    environment = read_environment(tree.read_text(posixpath.join(posixpath.dirname(path), "grubenv")))
    return parse(path, tree.read_text(path), environment, tree)


def read_environment(text: str) -> dict[str, str]:
    """grubenv's variables."""
    lines = (line for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def parse(path: str, text: str, environment: Mapping[str, str], tree: Tree | None = None) -> Menu:
    """The menu that a grub.cfg makes; `tree` is where blscfg finds its entries."""
    reader = _Reader(dict(environment))
    for line in _joined(text):
        reader.take(_words(line))
    entries = tuple(reader.entries)
    if tree is not None and any(line[0] == "blscfg" for line in reader.commands):
        entries += tuple(_boot_loader_specification(tree, environment, len(entries)))
    default = _default(entries, reader.settings, environment)
    return Menu(path, entries, default, reader.settings, tuple(reader.commands))


class _Reader:
    """Goes through grub.cfg's commands, and knows in which block it is."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables
        self.settings: dict[str, str] = {}
        self.entries: list[Entry] = []
        self.commands: list[tuple[str, ...]] = []
        self.blocks: list[str] = []
        self.counters = [0]
        self.open: dict[str, object] = {}
        self.conditions: list[bool | None] = []
        self.taken: list[bool] = []

    def take(self, words: list[str]) -> None:
        """One command."""
        words = words[1:] if words and words[0] in ("then", "do") else words
        if words and words[0] in ("if", "elif", "else", "fi"):
            words = self._branch(words)
        if not words or words[0].startswith("#") or False in self.conditions:
            return
        if words[0] == "}":
            self._close()
        elif words[-1] == "{":
            self._begin(words[:-1])
        elif "menuentry" in self.blocks:
            self._inside(words)
        else:
            self._outside(words)

    def _branch(self, words: list[str]) -> list[str]:
        """Enter, change or leave a branch; gives back the command behind `else`, if one follows."""
        if words[0] == "if":
            self.conditions.append(self._holds(words[1:]))
            self.taken.append(self.conditions[-1] is True)
        elif words[0] == "fi" and self.conditions:
            self.conditions.pop()
            self.taken.pop()
        elif self.conditions:
            now = True if words[0] == "else" else self._holds(words[1:])
            unsure = self.conditions[-1] is None and not self.taken[-1]
            self.conditions[-1] = False if self.taken[-1] else None if unsure else now
            self.taken[-1] = self.taken[-1] or now is True
            return words[1:] if words[0] == "else" else []
        return []

    def _holds(self, words: list[str]) -> bool | None:
        """Whether a test like `[ x$name = xy ]` or `[ "${name}" ]` holds; None where only the running GRUB knows."""
        if words[:1] != ["["] or words[-1:] != ["]"] or any(_RUNTIME.search(word) for word in words):
            return None
        match [self._filled(word) for word in words[1:-1]]:
            case [left, ("=" | "=="), right]:
                return left == right
            case [left, "!=", right]:
                return left != right
            case ["-n", value] | [value] if value != "!":
                return bool(value)
            case ["-z", value]:
                return not value
        return None

    def _begin(self, words: list[str]) -> None:
        kind = words[0] if words and words[0] in ("menuentry", "submenu") else "function"
        self.blocks.append(kind)
        if kind == "menuentry":
            self.open = {"title": words[1] if len(words) > 1 else "", "id": _id(words)}
        elif kind == "submenu":
            self.counters.append(0)

    def _close(self) -> None:
        kind = self.blocks.pop() if self.blocks else "function"
        if kind == "submenu":
            self.counters.pop()
        if kind == "menuentry":
            place = ">".join(str(counter) for counter in self.counters)
            self.entries.append(Entry(place, **self.open))  # type: ignore[arg-type]
        if kind in ("menuentry", "submenu"):
            self.counters[-1] += 1

    def _inside(self, words: list[str]) -> None:
        known = [self._filled(word) for word in words[1:]]
        rest = tuple(word for word in known if word)
        if words[0] in ("linux", "linux16", "linuxefi") and rest:
            self.open |= {"linux": rest[0], "args": rest[1:]}
        elif words[0] in ("initrd", "initrd16", "initrdefi"):
            self.open["initrds"] = rest
        elif words[0].startswith("search") and rest:
            self.open["search"] = next((word for word in reversed(rest) if not word.startswith("-")), "")

    def _outside(self, words: list[str]) -> None:
        self.commands.append(tuple(words))
        if words[0] == "set" and len(words) > 1:
            name, equals, value = words[1].partition("=")
            if equals and "$" not in value:
                self.variables[name] = value
            if equals and value and ("$" not in value or "saved_entry" in value):
                self.settings[name] = value

    def _filled(self, word: str) -> str:
        return _VARIABLE.sub(lambda found: self._value(found[1]), word)

    def _value(self, name: str) -> str:
        return self.variables.get(name, "y" if name.startswith("feature_") else "")


def _id(words: list[str]) -> str:
    places = [at for at, word in enumerate(words) if _ENTRY_ID.match(word) or word == "--id"]
    return words[places[0] + 1] if places and places[0] + 1 < len(words) else ""


def _joined(text: str) -> Iterator[str]:
    """Lines, with those that a backslash continues put together, parted at semicolons outside of quotes."""
    for line in text.replace("\\\n", " ").splitlines():
        yield from (part.strip() for part in re.split(r";(?=(?:[^'\"]|'[^']*'|\"[^\"]*\")*$)", line))


def _words(line: str) -> list[str]:
    if line.startswith("#"):
        return []
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _default(entries: tuple[Entry, ...], settings: Mapping[str, str], saved: Mapping[str, str]) -> Entry | None:
    wanted = settings.get("default", "0")
    if "saved_entry" in wanted:
        wanted = saved.get("saved_entry", "0")
    last = wanted.rpartition(">")[2]
    by_place = next((one for one in entries if one.place == wanted or one.place.startswith(f"{wanted}>")), None)
    by_name = next((one for one in entries if last in (one.id, one.title)), None)
    # GRUB falls back to the first entry where the wanted one does not exist.
    return by_place or by_name or next(iter(entries), None)


def _boot_loader_specification(tree: Tree, variables: Mapping[str, str], first: int) -> Iterator[Entry]:
    paths = sorted(tree.glob("/boot/loader/entries/*.conf"), key=version_order, reverse=True)
    for place, path in enumerate(paths, first):
        fields: dict[str, str] = {}
        for line in tree.read_text(path).splitlines():
            key, _, value = line.strip().partition(" ")
            fields[key] = f"{fields.get(key, '')} {value.strip()}".strip()
        filled = {key: _VARIABLE.sub(lambda found: variables.get(found[1], ""), value) for key, value in fields.items()}
        name = posixpath.basename(path).removesuffix(".conf")
        yield Entry(
            str(place),
            filled.get("title", name),
            name,
            filled.get("linux", ""),
            tuple(filled.get("options", "").split()),
            tuple(filled.get("initrd", "").split()),
        )


def version_order(path: str) -> list[tuple[int, str]]:
    """What names of kernels are sorted by: numbers count as such."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", path)]
