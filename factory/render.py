"""A night for a terminal: what will be done, and what came of it."""

from collections.abc import Iterable, Iterator, Mapping

from build.errors import MachineError
from factory.difference import Change
from factory.history import Night as Past
from factory.job import Job, Outcome
from factory.record import Entry, Record
from factory.retention import Pruning

SIGNS: Mapping[str, str] = {"passed": "passed", "failed": "FAILED", "broken": "BROKEN", "left out": "-", "": "waiting"}


def jobs(todo: Mapping[str, Job]) -> Iterator[str]:
    """A plan's jobs, each with what it waits for."""
    for job in todo.values():
        yield job.name + (f"  after {', '.join(job.needs)}" if job.needs else "")
    yield f"{len(todo)} jobs for {len({job.image for job in todo.values()})} images"


def night(record: Record) -> Iterator[str]:
    """A line for each image and its jobs, then what did not pass and why."""
    width = max(map(len, record.images))
    for image in record.images:
        told = "  ".join(f"{name.rpartition('/')[2]} {_sign(one)}" for name, one in record.of_image(image).items())
        yield f"{image:<{width}}  {told}"
    for name, one in record.jobs.items():
        if one.outcome not in ("passed", "left out"):
            yield f"{name} {_sign(one)}: {one.reason}"
        yield from (f"{name} broke before: {reason}" for reason in one.attempts)
    again = sum(one.found for one in record.jobs.values())
    yield f"{record.night}: {record.outcome}; {len(record.jobs)} jobs, {again} of them done before"


def past(nights: Iterable[Past]) -> Iterator[str]:
    """A line for each night, with the checks that failed below it."""
    for one in nights:
        done = f"{one.passed} of {one.jobs} jobs passed, {one.found} of them done before"
        yield f"{one.matrix} {one.night}  {one.outcome}: {done}; {one.seconds / 60:.0f} min of work"
        yield from (f"  {failed}" for failed in one.failed)


def changes(found: Iterable[Change]) -> Iterator[str]:
    """A line for each change below its image; images in the order of their worst."""
    of_image: dict[str, list[Change]] = {}
    for one in found:
        of_image.setdefault(one.image, []).append(one)
    for image, own in of_image.items():
        yield image
        yield from (f"  {one.text}" for one in own)
    yield f"changes: {sum(map(len, of_image.values()))}, images: {len(of_image)}"


def pruned(todo: Pruning, *, applied: bool) -> Iterator[str]:
    """Which nights stay and why, and what goes."""
    for one in todo.kept:
        yield f"stays  {one.record.matrix} {one.record.night}: {one.reason}"
    for matrix, night in todo.nights:
        yield f"goes   {matrix} {night}"
    what = f"{len(todo.nights)} nights, {len(todo.results)} results, {len(todo.artefacts)} artefacts"
    yield f"{what} {'are gone' if applied else 'would go; --apply removes them'}"


def status(record: Record) -> int:
    """The exit status: 0 where all passed, 1 where an image failed, 3 where the machine broke what it tried."""
    return {Outcome.PASSED: 0, Outcome.BROKEN: MachineError.status}.get(record.outcome, 1)


def _sign(one: Entry) -> str:
    known = sorted({id for run in one.facts.get("runs", ()) for id in run["known"]})
    return SIGNS[one.outcome] + (f" (known: {', '.join(known)})" if known else "")
