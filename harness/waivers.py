"""Waivers: findings that an image's maker has decided to live with, each with the reason and the day when it ends.

A waived finding stays in the report, with the reason, and fails nothing. One whose day has come is a finding itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from build.errors import CallerError
from build.spec.document import Malformed, Node, parse
from build.spec.kinds import Day, Kind, ListOf, OneOf, Table, Text
from harness.checks import all_checks
from harness.report import Status, Verdict

SOME = Text(r"[\s\S]*\S[\s\S]*", "it is empty")
HINT = "docs/inspect.md explains every key of a waiver"


@dataclass(frozen=True)
class Waiver:
    """One check that may fail until a day, for images whose names match."""

    check: str
    reason: str
    expires: date
    image: str = "*"

    @property
    def text(self) -> str:
        """What a report says of it."""
        return f"waived until {self.expires}: {self.reason}"


def load(file: Path) -> tuple[Waiver, ...]:
    """The waivers of a TOML file. Raises CallerError that names every fault with file and line."""
    try:
        whole = parse(file.expanduser().read_text(encoding="utf-8"), str(file), file.expanduser().parent)
    except UnicodeDecodeError:
        raise CallerError(f"{file} is no text", HINT) from None
    except OSError as refusal:
        raise CallerError(f"{file} cannot be read: {refusal.strerror}", HINT) from None
    except Malformed as damage:
        raise CallerError(f"{damage.place}: {damage.what}", "this is no TOML: mend that line") from None
    known = OneOf(tuple(one.id for one in all_checks()))
    keys: dict[str, Kind] = {"check": known, "reason": SOME, "expires": Day(), "image": SOME}
    schema = Table({"waiver": ListOf(Table(keys, ("check", "reason", "expires")), 1)}, ("waiver",))
    if faults := [str(one) for one in sorted(set(schema.check(whole)))]:
        raise CallerError("\n".join(faults), HINT)
    return tuple(Waiver(**_plain(one)) for one in whole.value["waiver"].value)


def _plain(node: Node) -> dict[str, Any]:
    return {key: one.value for key, one in node.value.items()}


def applied(verdicts: Iterable[Verdict], waivers: Iterable[Waiver], image: str, today: date) -> Iterator[Verdict]:
    """The verdicts with what is waived, then a finding for each waiver of this image that has ended."""
    ours = [one for one in waivers if fnmatchcase(image, one.image)]
    holding = {one.check: one for one in ours if today <= one.expires}
    for verdict in verdicts:
        waiver = holding.get(verdict.id)
        if waiver and verdict.status is Status.FAILED:
            yield replace(verdict, status=Status.WAIVED, reason=f"{waiver.text}. {verdict.reason}")
        else:
            yield verdict
    for waiver in (one for one in ours if today > one.expires):
        yield Verdict(
            "waiver.expired",
            f"the waiver of {waiver.check} still holds",
            Status.FAILED,
            reason=f"{waiver.check} was waived until {waiver.expires}: {waiver.reason}",
            why="A waiver is a promise to come back to something.",
            repair="Repair what was waived, or decide anew",
        )


def unused(verdicts: Iterable[Verdict], waivers: Iterable[Waiver], image: str) -> Iterator[str]:
    """Notes on waivers of this image that had nothing to waive."""
    waived = {one.id for one in verdicts if one.status is Status.WAIVED}
    for one in waivers:
        if fnmatchcase(image, one.image) and one.check not in waived:
            yield f"the waiver of {one.check} has nothing to waive"
