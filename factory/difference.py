"""What is different between two nights, the most important first: verdicts, names, what the guest asked its host, the
kernel, packages, sizes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory import transcript
from factory.record import Entry, Record
from factory.store import Store

KINDS = ("verdict", "host name", "host protocol", "kernel", "package", "size")
"""What may differ, the most important first."""
GOOD = ("", "passed", "Succeeded")
"""A verdict that is no worse than it was."""
NOISE = 0.05
"""A size that changed by less than this share of it is no news."""


@dataclass(frozen=True)
class Change:
    """One difference: `before` or `after` is "" where the thing is not there; `kind` is one of KINDS."""

    image: str
    kind: str
    name: str
    before: str
    after: str

    @property
    def text(self) -> str:
        """In a line, without the image."""
        return f"{self.kind} {self.name}: {self.before or '(none)'} → {self.after or '(none)'}"


def differences(before: Record, after: Record, store: Store, image: str = "") -> tuple[Change, ...]:
    """All changes of all images that both nights have, or of one; images that one night lacks are changes as well."""
    images = [one for one in dict.fromkeys((*before.images, *after.images)) if image in ("", one)]
    found = [change for one in images for change in _of_image(one, before, after, store)]
    return tuple(sorted(found, key=lambda one: (_weight(one), one.image, one.name)))


def _weight(change: Change) -> tuple[int, bool]:
    """Kinds in their order; of verdicts those that are worse now."""
    return KINDS.index(change.kind), change.kind == "verdict" and change.after in GOOD


def _of_image(image: str, before: Record, after: Record, store: Store) -> Iterator[Change]:
    for kind, look in LOOKS.items():
        old, new = look(before.of_image(image), store), look(after.of_image(image), store)
        for name in dict.fromkeys((*old, *new)):
            if not _same(kind, old.get(name, ""), new.get(name, "")):
                yield Change(image, kind, name, old.get(name, ""), new.get(name, ""))


def _same(kind: str, before: str, after: str) -> bool:
    if kind != "size" or not before or not after:
        return before == after
    return abs(int(after) - int(before)) <= NOISE * int(before)


def _verdicts(jobs: Mapping[str, Entry], store: Store) -> dict[str, str]:
    """Each job's outcome, and below each run the required checks that failed and Azure's answer."""
    told: dict[str, str] = {}
    for name, entry in jobs.items():
        told[_short(name)] = entry.outcome
        for run in _runs(entry):
            place = f"{_short(name)} {run['played']}"
            told |= {f"{place} {failed['id']}": f"failed: {failed['found']}" for failed in run["failed"]}
            told[f"{place} Azure's answer"] = run["azure"]
    return {name: word for name, word in told.items() if word}


def _host_names(jobs: Mapping[str, Entry], store: Store) -> dict[str, str]:
    return {place: ", ".join(transcript.host_names(journal)) for place, journal in _journals(jobs, store)}


def _protocol(jobs: Mapping[str, Entry], store: Store) -> dict[str, str]:
    """Each kind of request that a run's guest made, by who asked; how often is a matter of time."""
    return {
        f"{place} {request}": agents
        for place, journal in _journals(jobs, store)
        for request, agents in transcript.requests(journal).items()
    }


def _kernel(jobs: Mapping[str, Entry], store: Store) -> dict[str, str]:
    versions = [str(one["kernel"]) for one in _made(jobs) if one.get("kernel")]
    return {"version": ", ".join(versions)} if versions else {}


def _packages(jobs: Mapping[str, Entry], store: Store) -> dict[str, str]:
    """Versions by names; a package that is there more than once, as kernels are, has all of them."""
    told: dict[str, list[str]] = {}
    for made in _made(jobs):
        for one in made.get("packages", ()):
            told.setdefault(f"{one['name']}.{one['arch']}", []).append(one["version"])
    return {name: " ".join(sorted(versions)) for name, versions in told.items()}


def _sizes(jobs: Mapping[str, Entry], store: Store) -> dict[str, str]:
    return {what: str(int(size)) for made in _made(jobs) for what, size in made.get("sizes", {}).items()}


LOOKS: Mapping[str, Callable[[Mapping[str, Entry], Store], dict[str, str]]] = dict(
    zip(KINDS, (_verdicts, _host_names, _protocol, _kernel, _packages, _sizes), strict=True)
)


def _made(jobs: Mapping[str, Entry]) -> list[Mapping[str, Any]]:
    return [one.facts for one in jobs.values() if one.kind == "image"]


def _runs(entry: Entry) -> list[Mapping[str, Any]]:
    return list(entry.facts.get("runs", ()))


def _journals(jobs: Mapping[str, Entry], store: Store) -> Iterator[tuple[str, Path]]:
    """The journal of each run that the store still has, by its job and folder."""
    for name, entry in jobs.items():
        kept = store.artefact(entry.artefacts["runs"]) if "runs" in entry.artefacts else None
        for journal in sorted(kept.glob("*/journal.jsonl")) if kept else ():
            yield f"{_short(name)} {journal.parent.name}", journal


def _short(job: str) -> str:
    return job.rpartition("/")[2]
