"""The lock: what one build was made of, exactly, so that it can be made again after the archives have moved on.

A lock is what a build from it trusts: its digests decide what may be installed, wherever a package then comes from.
It was written by a build that had checked the archives' signatures. Nothing of a machine is in it, neither paths nor
passwords.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from build import wholefile
from build.errors import CallerError

SCHEMA = 1
DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:^_-]*")
PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9.+~:^_%@=,/-]*")
SETTLED = 24 * 3600
"""Seconds after a release file's date for which a snapshot is asked: by then it holds what that file lists, and
archives keep what a newer file no longer lists for longer than that."""
ANOTHER = "write a lock for this image: build it with --write-lock FILE"


@dataclass(frozen=True, order=True)
class LockedPackage:
    """A package of an image: `path` is below the URL of its source, whose suite is `source`; `size` is in bytes.

    `priority` is the archive's word, which may differ from the package's own; empty where there is none. `rank` is its
    place among the lock's packages in its source's own list, where the order of installation follows that (rpm).
    """

    name: str
    arch: str
    version: str
    sha256: str
    size: int
    path: str
    source: str
    priority: str = ""
    rank: int = 0


@dataclass(frozen=True)
class LockedSource:
    """A source of packages as it was: the fields of its state (`build.families.State`), and the URL at which it can
    still be had as it was; empty where there is no such service."""

    state: Mapping[str, Any]
    snapshot: str = ""

    @property
    def suite(self) -> str:
        """The source's name in the image's list of sources."""
        return str(self.state["suite"])

    @property
    def places(self) -> tuple[str, ...]:
        """Where its packages may be found, best first."""
        ways = (str(self.state["url"]), *map(str, self.state.get("ways", ())), self.snapshot)
        return tuple(dict.fromkeys(way for way in ways if way))


@dataclass(frozen=True)
class Subject:
    """What a lock is for: whatever decides which packages an image needs."""

    recipe: str
    arch: str
    generation: str
    provisioner: str
    kernel: str
    asked: tuple[str, ...]
    """The names that the recipe asks for; what these need in turn is in the lock alone."""
    removed: tuple[str, ...] = ()
    """The names that a spec keeps out."""
    repositories: tuple[str, ...] = ()
    """A spec's own sources of packages, as "name URL"."""


@dataclass(frozen=True)
class Lock:
    """A whole lock; `epoch` is the source date in seconds, `tools` the archive of the programs that shape the image."""

    subject: Subject
    epoch: int
    sources: tuple[LockedSource, ...]
    tools: LockedSource
    packages: tuple[LockedPackage, ...]

    def text(self) -> str:
        """The lock as its file holds it: sorted, so that two of them can be compared line by line."""
        told = {
            "schema": SCHEMA,
            "image": asdict(self.subject),
            "source_date_epoch": self.epoch,
            "sources": [_plain(source) for source in self.sources],
            "tools": _plain(self.tools),
            "packages": [_entry(package) for package in sorted(self.packages)],
        }
        return json.dumps(told, indent=1, sort_keys=True) + "\n"

    def write(self, file: Path) -> None:
        """Write the lock, whole or not at all. Raises CallerError where that cannot be."""
        target = file.expanduser().absolute()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            wholefile.write(target, self.text().encode())
            target.chmod(0o644)
        except OSError as refusal:
            raise CallerError(f"the lock {file} cannot be written: {refusal.strerror}", "name another file") from None

    @classmethod
    def load(cls, file: Path) -> "Lock":
        """The lock that a file holds. Raises CallerError where it is none."""
        try:
            return cls.read(json.loads(file.expanduser().read_text()))
        except OSError as refusal:
            raise CallerError(f"the lock {file} cannot be read: {refusal.strerror}", ANOTHER) from None
        except (ValueError, KeyError, TypeError, AttributeError) as damage:
            raise CallerError(f"{file} is no lock of ours: {_reason(damage)}", ANOTHER) from None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Lock":
        """The lock that JSON held. Raises ValueError, KeyError or TypeError where it is none."""
        if told["schema"] != SCHEMA:
            raise ValueError(f"it has schema {told['schema']}, this Kiln reads {SCHEMA}")
        image: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in told["image"].items()
        }
        found = cls(
            Subject(**image),
            int(told["source_date_epoch"]),
            tuple(_source(one) for one in told["sources"]),
            _source(told["tools"]),
            tuple(sorted(_checked(LockedPackage(**one)) for one in told["packages"])),
        )
        unknown = {package.source for package in found.packages} - {source.suite for source in found.sources}
        if unknown:
            raise ValueError(f"packages come from {', '.join(sorted(unknown))}, which is not among its sources")
        return found

    def require(self, subject: Subject) -> None:
        """Raise CallerError, with the reason, where the lock is for another image."""
        for field in fields(Subject):
            here, there = getattr(self.subject, field.name), getattr(subject, field.name)
            if here != there:
                raise CallerError(f"the lock is for another image: {_difference(field.name, here, there)}", ANOTHER)


def snapshot(template: str, date: int) -> str:
    """Where an archive's snapshot of the state with this date (seconds) is; `template` has {time} for its moment."""
    return template.replace("{time}", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(date + SETTLED)))


def without_password(url: str) -> str:
    """The URL without the name and password that it may hold."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _plain(source: LockedSource) -> dict[str, Any]:
    cleaned = {**source.state, "url": without_password(source.state["url"])}
    if "ways" in cleaned:
        cleaned["ways"] = [without_password(way) for way in cleaned["ways"]]
    return {**cleaned, "snapshot": source.snapshot}


def _entry(package: LockedPackage) -> dict[str, Any]:
    told = asdict(package)
    return told if package.rank else {name: value for name, value in told.items() if name != "rank"}


def _source(told: Mapping[str, Any]) -> LockedSource:
    state = {name: value for name, value in told.items() if name != "snapshot"}
    if not (isinstance(state["url"], str) and isinstance(state["suite"], str) and DIGEST.fullmatch(state["sha256"])):
        raise ValueError(f"the source {state['suite']!r} has no proper url or sha256")
    return LockedSource(state, str(told["snapshot"]))


def _checked(package: LockedPackage) -> LockedPackage:
    shapes = ((NAME, package.name), (NAME, package.arch), (VERSION, package.version), (DIGEST, package.sha256))
    whole = all(isinstance(text, str) and shape.fullmatch(text) for shape, text in (*shapes, (PATH, package.path)))
    priority = not package.priority or NAME.fullmatch(package.priority)
    numbers = type(package.size) is int and type(package.rank) is int
    if not whole or not priority or not numbers or ".." in package.path.split("/"):
        raise ValueError(f"the entry of {package.name!r} is not what a lock holds")
    return package


def _reason(damage: Exception) -> str:
    return f"it lacks {damage}" if isinstance(damage, KeyError) else str(damage)


LISTS = {"removed": "among its removed packages ", "repositories": "among its repositories "}


def _difference(what: str, here: object, there: object) -> str:
    if isinstance(here, tuple) and isinstance(there, tuple):
        lacks, surplus = [one for one in there if one not in here], [one for one in here if one not in there]
        said = [f"{word} {', '.join(names)}" for word, names in (("it lacks", lacks), ("it has", surplus)) if names]
        return LISTS.get(what, "") + ("; ".join(said) or "they are in another order")
    return f"its {what} is {here or 'none'}, not {there or 'none'}"
