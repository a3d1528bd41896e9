"""What dpkg knows of a tree: its packages, what they need of each other, and whose each file is."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MERGED = ("bin", "sbin", "lib", "lib64")
"""Folders at the root that are links into /usr, whatever a package's list says."""


@dataclass(frozen=True)
class Deb:
    """A package: its version, what it needs (of each tuple one), what else it stands for, and whether all need it."""

    name: str
    version: str
    needs: tuple[tuple[str, ...], ...]
    provides: tuple[str, ...]
    essential: bool


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The fields of each paragraph (deb822(5)); of a field with several lines only the first."""
    for paragraph in re.split(r"\n\n+", text.strip()):
        rows = (line.partition(":") for line in paragraph.splitlines() if line[:1] not in (" ", "\t"))
        yield {name: value.strip() for name, _, value in rows}


def debs(tree: Path, extra: Path) -> dict[str, Deb]:
    """Every package by name: those that dpkg installed, and those whose control files lie in `extra`."""
    installed = [
        fields
        for fields in paragraphs((tree / "var/lib/dpkg/status").read_text())
        if fields.get("Status", "").endswith(" installed")
    ]
    unpacked = [next(paragraphs(file.read_text())) for file in sorted(extra.iterdir())]
    return {fields["Package"]: _deb(fields) for fields in (*installed, *unpacked)}


def _deb(fields: Mapping[str, str]) -> Deb:
    needs = (*_relations(fields.get("Pre-Depends", "")), *_relations(fields.get("Depends", "")))
    provides = tuple(names[0] for names in _relations(fields.get("Provides", "")))
    essential = fields.get("Essential") == "yes" or fields.get("Priority") == "required"
    return Deb(fields["Package"], fields["Version"], needs, provides, essential)


def _relations(field: str) -> tuple[tuple[str, ...], ...]:
    """The names of a relation field: alternatives together, without versions and architectures."""
    wanted = (one for one in field.split(",") if one.strip())
    return tuple(tuple(re.split(r"[\s:(]", name.strip())[0] for name in one.split("|")) for one in wanted)


def owners(tree: Path, extra: Path) -> dict[str, str]:
    """The package of each path, from dpkg's lists and from those in `extra`, which lie over the others."""
    found = {}
    for file in sorted((tree / "var/lib/dpkg/info").glob("*.list")):
        package = file.stem.partition(":")[0]
        found.update({merged(line): package for line in file.read_text().splitlines()})
    for file in sorted(extra.iterdir()):
        found.update({merged(line.removeprefix(".")): file.name for line in file.read_text().splitlines()})
    return found


def merged(path: str) -> str:
    """The path as it is in a tree whose /bin, /sbin and /lib are links into /usr."""
    parts = [part for part in path.split("/") if part]
    return "/" + "/".join(["usr", *parts] if parts and parts[0] in MERGED else parts)
