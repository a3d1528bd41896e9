"""Jobs and what came of them, as values.

A job is known by its name within a night, and by its content key everywhere: the same key means the same result.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any


@dataclass(frozen=True)
class Slots:
    """What a job keeps busy while it runs: guests, MiB of memory, MiB of disk, and lines to archives."""

    guests: int = 0
    memory: int = 0
    disk: int = 0
    lines: int = 0

    def __add__(self, other: "Slots") -> "Slots":
        return Slots(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Slots)))

    def fits(self, free: "Slots") -> bool:
        """Whether there is room for it in what is free."""
        return all(getattr(self, one.name) <= getattr(free, one.name) for one in fields(Slots))

    def without(self, other: "Slots") -> "Slots":
        """What is left of it when `other` is taken."""
        return Slots(*(getattr(self, one.name) - getattr(other, one.name) for one in fields(Slots)))


@dataclass(frozen=True)
class Job:
    """One thing to do: `kind` is a module of `factory.kinds`, `order` what it gets, as JSON holds it.

    `needs` are names of jobs whose results it reads; it is done where all of them have passed. `image` is what a person
    looks for it under, `seconds` how long it may take, which orders jobs and is no limit.
    """

    name: str
    kind: str
    image: str
    order: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    slots: Slots = Slots()
    seconds: float = 60.0


class Outcome(StrEnum):
    """How a job ended. What was broken by the machine or the network proves nothing, and is done again."""

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    LEFT_OUT = "left out"


LASTING = (Outcome.PASSED, Outcome.FAILED)
"""What is kept under a job's key."""


@dataclass(frozen=True)
class Result:
    """What came of a job: `artefacts` are digests of folders in the store by what they hold, `facts` what later jobs
    and reports read, as JSON holds it; `reason` says in a line why it did not pass. `content` stands for the artefacts
    where they also hold what differs each time, as the time that a build took. `began` is UTC, ISO 8601."""

    outcome: Outcome
    reason: str = ""
    artefacts: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    began: str = ""
    content: str = ""

    @property
    def stands(self) -> Mapping[str, Any]:
        """What of it a later job's key depends on: not when it ran, nor for how long."""
        return {"outcome": self.outcome.value, "content": self.content or dict(self.artefacts)}

    def text(self) -> str:
        """As the store holds it."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def read(cls, text: str) -> "Result":
        """The result that such a text holds. Raises ValueError where it is none."""
        try:
            told = json.loads(text)
            return cls(**{**told, "outcome": Outcome(told["outcome"])})
        except (KeyError, TypeError, AttributeError) as damage:
            raise ValueError(f"this is no result: {damage!r}") from None
