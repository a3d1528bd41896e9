"""What publishing comes to: every step in the order in which it will be done, and why it may not be done at all.

Values only. `planning` asks Azure and makes them, `apply` does them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from build.errors import KilnError
from publish.source import Source
from publish.subject import Subject
from publish.target import Target

WORDS = {
    "create": "will be created",
    "update": "will be changed",
    "keep": "is as wanted",
    "upload": "will be uploaded",
    "wait": "is being made: will be waited for",
    "retry": "failed before: will be asked for again",
    "skip": "is left out",
    "delete": "will be deleted",
}
"""What becomes of a thing, by the verb of its action."""
QUIET = frozenset({"keep", "skip"})
"""Verbs that change nothing."""


@dataclass(frozen=True)
class Action:
    """One step: what becomes of a thing (a key of WORDS), its kind and name, why, and the body that is sent."""

    verb: str
    kind: str
    name: str
    details: tuple[str, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether it changes or sends anything."""
        return self.verb not in QUIET

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "verb": self.verb,
            "kind": self.kind,
            "name": self.name,
            "details": list(self.details),
            "body": dict(self.body),
        }


@dataclass(frozen=True)
class Plan:
    """The steps for one image, and `refusals`: with one of them nothing is done.

    `warnings` are said aloud whatever happens; `proven` are the runs that stand for the image.
    """

    actions: tuple[Action, ...]
    refusals: tuple[KilnError, ...] = ()
    warnings: tuple[str, ...] = ()
    proven: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is left to do."""
        return any(one.changes for one in self.actions)

    def of(self, kind: str) -> tuple[Action, ...]:
        """The steps about one kind of thing."""
        return tuple(one for one in self.actions if one.kind == kind)

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "actions": [one.as_dict() for one in self.actions],
            "refused": [one.as_dict() for one in self.refusals],
            "warnings": list(self.warnings),
            "proven": list(self.proven),
        }


def lines(plan: Plan) -> list[str]:
    """A plan as people read it."""
    told = []
    for one in plan.actions:
        told.append(f"{one.kind} {one.name} {WORDS[one.verb]}")
        told += [f"    {detail}" for detail in one.details]
    told += [f"warning: {warning}" for warning in plan.warnings]
    for refusal in plan.refusals:
        told.append(f"refused: {refusal.what}")
        told += [f"    {refusal.hint}"] if refusal.hint else []
    return told


def worst(refusals: Sequence[KilnError]) -> KilnError:
    """The refusals as one error, with the status of the first: who must act first."""
    first, *others = refusals
    if not others:
        return first
    told = type(first)("\n  ".join(one.what for one in refusals), first.hint)
    told.status, told.who = first.status, first.who
    return told


@dataclass(frozen=True)
class Order:
    """What is to be published: where to, which image, its file, those of its data disks by their number, the day, and
    whether it may go unproven."""

    target: Target
    image: Subject
    source: Source
    data: Mapping[int, Source]
    day: date
    unverified: bool = False

    @property
    def digest(self) -> str:
        """The digest of the image's content."""
        return self.source.digest

    @property
    def blob(self) -> str:
        """The staged file's name, by its content."""
        return staged_name(self.image.name, self.source)

    @property
    def data_blobs(self) -> dict[int, str]:
        """The names of the data disks' staged files."""
        return {lun: staged_name(one.path.stem, one) for lun, one in self.data.items()}

    def url(self, blob: str) -> str:
        """A staged file's URL."""
        return f"{self.target.blob_endpoint}/{self.target.staging.container}/{blob}"


def staged_name(stem: str, source: Source) -> str:
    """A file's name in the staging account: by its content, so that no other is ever written over it."""
    return f"{stem}-{source.digest[:16]}.vhd"
