"""What the tasks call."""

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic

from build.errors import CallerError
from build.progress import Progress
from factory import history, matrixfile, planning, pruning, record
from factory.difference import Change, differences
from factory.executors import Executor
from factory.executors.local import Local
from factory.folderstore import FolderStore
from factory.job import Job, Outcome, Slots
from factory.matrix import Matrix
from factory.night import Night, Told
from factory.pruning import present
from factory.record import Entry, Record
from factory.retention import Pruning
from factory.store import Lease, Store
from factory.trends import Trend, trends

KEEP_EVERY = 2.0
"""Seconds after which a night's record is written again while it goes on: what it lacks then, the store has."""
MEMORY_LEFT = 1024
"""MiB of this machine's memory that are left to everything else."""


@dataclass(frozen=True)
class NightlyRequest:
    """A matrix's file, and how many guests and builds run at once (0: as many as this machine has room for)."""

    matrix: Path
    jobs: int = 0


def planned(request: NightlyRequest, progress: Progress) -> tuple[Matrix, dict[str, Job]]:
    """The matrix and the jobs of a night that would begin now. Raises as `planning.plan` does."""
    matrix = matrixfile.load(request.matrix)
    with progress.step(f"Planning {len(matrix.cells)} images"):
        return matrix, planning.plan(matrix, datetime.now(UTC).date(), progress.note)


def nightly(request: NightlyRequest, progress: Progress) -> Record:
    """Do a night, or go on with the one that has not ended; returns its record, which the store keeps as well."""
    matrix, jobs = planned(request, progress)
    store = FolderStore(matrix.store)
    store.sweep()
    night, _ = record.next_night(store, matrix.name, _today().isoformat())
    pool = Local(
        slots(request.jobs), matrix.store, matrix.store / "scratch", matrix.store / "logs" / matrix.name / night
    )
    with present(store, _owner(), progress.note) as lease:
        return _play(matrix, jobs, store, pool, night, progress.note, lease)


def slower(matrix: Matrix, store: FolderStore, note: Callable[[str], None]) -> tuple[Trend, ...]:
    """The builds and boots that took more than the matrix allows, by the median of the nights before."""
    with history.opened(store, note) as past:
        builds = trends(history.timings(past, matrix.name, "image"), matrix.budget.build)
        boots = trends(history.timings(past, matrix.name, "boot"), matrix.budget.boot)
    return tuple(one for one in (*builds, *boots) if one.is_slow)


def past(store: Path, image: str, note: Callable[[str], None]) -> tuple[history.Night, ...]:
    """All nights of a store, or what became of one image in them. Raises CallerError where there is no store."""
    with history.opened(_nights_of(store), note) as connection:
        return history.nights(connection, image=image)


def changes(store: Path, before: str, after: str, image: str) -> tuple[Change, ...]:
    """What is different in the second night. Raises CallerError where there is no such night or image."""
    kept = _nights_of(store)
    first, second = record.named(kept, before), record.named(kept, after)
    if image and image not in (*first.images, *second.images):
        raise CallerError(f"no image {image} is in these nights", f"they have {', '.join(second.images)}")
    return differences(first, second, kept, image)


def _nights_of(store: Path) -> FolderStore:
    if not (store / "documents" / record.FOLDER).is_dir():
        raise CallerError(f"{store} holds no nights", "name the --matrix or the --store of those that you mean")
    return FolderStore(store)


def _play(
    matrix: Matrix,
    jobs: Mapping[str, Job],
    store: FolderStore,
    pool: Executor,
    night: str,
    note: Callable[[str], None],
    presence: Lease,
) -> Record:
    kept = record.find(store, matrix.name, night)
    started = kept.started if kept else _now()
    entries = {job.name: Entry(job.kind, job.image) for job in jobs.values()}
    log = Log(store, Record(night, matrix.name, started, entries, host=socket.gethostname()), note)
    Night(jobs, store, pool, _owner(), log.told, matrix.attempts, presence).run()
    ended = log.keep(_now())
    for one in slower(matrix, store, note):
        note(f"slower than before: {one.text}")
    return ended


class Log:
    """Keeps a night's record while it goes on, and says what happens."""

    def __init__(self, store: Store, begun: Record, note: Callable[[str], None]) -> None:
        self.store, self.begun, self.note = store, begun, note
        self.entries = dict(begun.jobs)
        self.broken: dict[str, list[str]] = {}
        self.done = 0
        self.keep()

    def keep(self, ended: str = "") -> Record:
        """Write down how far the night has come, or that it has ended."""
        told = replace(self.begun, jobs=dict(self.entries), ended=ended)
        record.keep(self.store, told)
        self.kept = monotonic()
        return told

    def told(self, one: Told) -> None:
        """Something has happened to a job."""
        if one.what in ("began", "elsewhere"):
            self.note(f"{one.job.name}: " + ("begins" if one.what == "began" else "is being done by somebody else"))
            return
        assert one.result
        if one.what == "broke":
            self.broken.setdefault(one.job.name, []).append(one.result.reason)
            self.note(f"{one.job.name} broke, and is tried again: {one.result.reason}")
            return
        self.done += 1
        attempts = tuple(self.broken.get(one.job.name, ()))
        self.entries[one.job.name] = Entry.of(one.job, one.result, found=one.what == "found", attempts=attempts)
        if monotonic() - self.kept > KEEP_EVERY:
            self.keep()
        self.note(f"[{self.done}/{len(self.entries)}] {line(one)}")


def line(one: Told) -> str:
    """How a job ended, in a line."""
    assert one.result
    how = "was done before" if one.what == "found" else f"{one.result.seconds:.0f} s"
    why = f": {one.result.reason}" if one.result.reason else ""
    return f"{one.job.name} {one.result.outcome}{why}" + ("" if one.result.outcome is Outcome.LEFT_OUT else f" ({how})")


def slots(jobs: int) -> Slots:
    """What this machine has room for: a guest or a build keeps two processors and its memory busy."""
    processors = os.cpu_count() or 1
    told = Path("/proc/meminfo").read_text().splitlines()
    memory = next(int(one.split()[1]) for one in told if one.startswith("MemAvailable:")) >> 10
    state = os.statvfs(Path.cwd())
    at_once = jobs or max(1, min(processors // 2, (memory - MEMORY_LEFT) // planning.GUEST_MEMORY))
    return Slots(at_once, memory, state.f_bavail * state.f_frsize >> 20, at_once)


def prune(matrices: Iterable[Path], *, apply: bool) -> Pruning:
    """What the rules of these matrices, which have one store, do not keep; gone where it is to be applied.

    Raises CallerError where they have several stores or one that holds nothing, MachineError where a night goes on.
    """
    known = [matrixfile.load(one) for one in matrices]
    if len(stores := {one.store for one in known}) != 1:
        raise CallerError(f"these matrices have {len(stores)} stores", "prune them one after the other")
    store = _nights_of(stores.pop())
    rules = {one.name: one.retention for one in known}
    if not apply:
        return pruning.planned(store, rules)
    with pruning.alone(store, _owner()) as hold:
        todo = pruning.planned(store, rules, hold.beat)
        pruning.apply(store, todo, hold.beat)
    return todo


def _owner() -> str:
    return f"{socket.gethostname()} {os.getpid()}"


def _today() -> date:
    return datetime.now(UTC).date()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
