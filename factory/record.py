"""The record of a night: what was to be done and what came of it, as its report and history read it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from build.errors import CallerError
from factory.job import Job, Outcome, Result
from factory.night import merged
from factory.store import Store

FOLDER = "nights"


@dataclass(frozen=True)
class Entry:
    """A job in a night: `found` says that its result was there before; `attempts` are those that broke, by reason."""

    kind: str
    image: str
    outcome: str = ""
    reason: str = ""
    seconds: float = 0.0
    began: str = ""
    found: bool = False
    attempts: tuple[str, ...] = ()
    artefacts: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, job: Job, result: Result, *, found: bool, attempts: tuple[str, ...]) -> "Entry":
        """What came of a job."""
        told = (result.outcome.value, result.reason, result.seconds, result.began)
        return cls(job.kind, job.image, *told, found, attempts, result.artefacts, result.facts)


@dataclass(frozen=True)
class Record:
    """A night. `started` and `ended` are UTC, ISO 8601; one that has not ended is gone on with."""

    night: str
    matrix: str
    started: str
    jobs: Mapping[str, Entry]
    ended: str = ""
    host: str = ""

    @property
    def outcome(self) -> Outcome:
        """The worst of its jobs."""
        return merged(Result(Outcome(one.outcome)) for one in self.jobs.values() if one.outcome)

    def of_image(self, image: str) -> Mapping[str, Entry]:
        """The jobs of one image."""
        return {name: one for name, one in self.jobs.items() if one.image == image}

    @property
    def images(self) -> tuple[str, ...]:
        """The names of its images, in the plan's order."""
        return tuple(dict.fromkeys(one.image for one in self.jobs.values()))

    def text(self) -> str:
        """As the store holds it."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def read(cls, text: str) -> "Record":
        """The record that such a text holds."""
        told = json.loads(text)
        jobs = {name: Entry(**{**one, "attempts": tuple(one["attempts"])}) for name, one in told["jobs"].items()}
        return cls(**{**told, "jobs": jobs})


def keep(store: Store, record: Record) -> None:
    """Write it into the store."""
    store.note(f"{FOLDER}/{record.matrix}/{record.night}.json", record.text())


def find(store: Store, matrix: str, night: str) -> Record | None:
    """The record of that night."""
    text = store.read(f"{FOLDER}/{matrix}/{night}.json")
    return Record.read(text) if text else None


def nights(store: Store, matrix: str) -> tuple[str, ...]:
    """The nights of a matrix, oldest first."""
    return tuple(name.rpartition("/")[2].removesuffix(".json") for name in store.names(f"{FOLDER}/{matrix}"))


def named(store: Store, night: str) -> Record:
    """The night that is called so: as 2026-11-24.01, or with its matrix before it, as debian/2026-11-24.01.

    Raises CallerError where there is none, or where two matrices have one.
    """
    matrix, _, name = night.rpartition("/")
    known = [one.removeprefix(f"{FOLDER}/").removesuffix(".json") for one in store.names(FOLDER)]
    found = [one for one in known if one == night or (not matrix and one.rpartition("/")[2] == name)]
    if len(found) > 1:
        raise CallerError(f"{night} is a night of several matrices", f"say which: {', '.join(found)}")
    if not found or (kept := find(store, *found[0].rpartition("/")[::2])) is None:
        raise CallerError(f"there is no night {night}", f"the last ones are {', '.join(known[-3:]) or 'none'}")
    return kept


def next_night(store: Store, matrix: str, day: str) -> tuple[str, Record | None]:
    """The night to do: the last one where it has not ended, else a new one of that day, as 2026-11-24.1."""
    known = nights(store, matrix)
    if known and (last := find(store, matrix, known[-1])) and not last.ended:
        return last.night, last
    number = 1 + sum(one.rpartition(".")[0] == day for one in known)
    return f"{day}.{number:02}", None
