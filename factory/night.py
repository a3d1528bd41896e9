"""A night: every job is done once its needs have passed, nothing is done twice, and what broke is tried again."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from time import monotonic

from build.errors import Bug, CallerError
from factory.executors import Executor
from factory.job import LASTING, Job, Outcome, Result
from factory.keys import key
from factory.queue import Queue
from factory.store import Lease, Store

ATTEMPTS = 3
"""How often a job is tried whose machine or network broke it: a verdict that failed stands."""
HEARTBEAT = 10.0
"""Seconds between two signs of life for what is being done."""
PATIENCE = 0.5
ELSEWHERE = 5.0
"""Seconds until a job is looked for again that somebody else is doing."""


@dataclass(frozen=True)
class Told:
    """Something that happened to a job: it began, ended, was found done, broke, or is being done by somebody else."""

    job: Job
    what: str
    result: Result | None = None


@dataclass(frozen=True)
class Raw:
    """One attempt at a job, as a night's record has it."""

    job: str
    result: Result


@dataclass
class Night:
    """The jobs of a night and what came of them so far. `tell` hears of everything that happens; `presence` is
    a lease that is renewed besides those of the jobs.

    A job is looked at when the last of its needs has ended, and when there may be room for it: not in between.
    """

    jobs: Mapping[str, Job]
    store: Store
    executor: Executor
    owner: str
    tell: Callable[[Told], None] = lambda told: None
    attempts: int = ATTEMPTS
    presence: Lease | None = None
    results: dict[str, Result] = field(default_factory=dict)
    raw: list[Raw] = field(default_factory=list)
    _queue: Queue = field(default_factory=Queue)
    _leases: dict[str, Lease] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _tried: dict[str, int] = field(default_factory=dict)
    _beaten: float = 0.0

    def run(self) -> Mapping[str, Result]:
        """Do all of it; returns every job's result by its name.

        Raises CallerError where a job can never run, and lets go of everything where anything is raised.
        """
        self._queue = Queue.of(self.jobs, weights(self.jobs))
        self._require_possible()
        try:
            while self._queue or self._leases:
                while self._queue.has_opened:
                    self._look()
                    self._begin_what_fits()
                self._begin_what_fits()
                if not self._queue and not self._leases:
                    break
                self._beat()
                for ending in self.executor.endings(PATIENCE):
                    self._end(ending.job, ending.broken)
        finally:
            self.executor.stop()
            for lease in self._leases.values():
                lease.release()
        return self.results

    def _require_possible(self) -> None:
        for job in self.jobs.values():
            if not job.slots.fits(self.executor.total):
                raise CallerError(
                    f"{job.name} needs {job.slots}, and there is {self.executor.total}",
                    "give the machine more slots, or leave the image out",
                )

    def _look(self) -> None:
        """Settle what needs no work: what was done before, and what waits for something that failed."""
        for job in self._queue.opened():
            if lacking := [name for name in job.needs if self.results[name].outcome is not Outcome.PASSED]:
                words = ", ".join(f"{name} {self.results[name].outcome}" for name in lacking)
                self._conclude(job, "left out", Result(Outcome.LEFT_OUT, words))
                continue
            own = self._keys[job.name] = key(job, self._inputs(job))
            if found := self._found(own):
                self._conclude(job, "found", found)
            else:
                self._queue.wait(job)

    def _begin_what_fits(self) -> None:
        for job in self._queue.fitting(lambda: self.executor.free):
            self._begin(job, self._keys[job.name])

    def _begin(self, job: Job, own: str) -> None:
        if any(self._keys[name] == own for name in self._leases):
            self._queue.wait_for_while(job, PATIENCE)  # another job of this night asks for the same
            return
        lease = self.store.lease(own, self.owner)
        if found := self._found(own):
            if lease:
                lease.release()
            self._conclude(job, "found", found)
            return
        if lease is None:
            if self._queue.wait_for_while(job, ELSEWHERE):
                self.tell(Told(job, "elsewhere"))
            return
        self._leases[job.name] = lease
        self._tried[job.name] = self._tried.get(job.name, 0) + 1
        self.tell(Told(job, "began"))
        self.executor.begin(job, self._inputs(job))

    def _inputs(self, job: Job) -> dict[str, Result]:
        return {name: self.results[name] for name in job.needs}

    def _found(self, own: str) -> Result | None:
        """A result that holds: all that it speaks of must still be there."""
        result = self.store.result(own)
        if result and all(self.store.artefact(one) for one in result.artefacts.values()):
            return result
        return None

    def _end(self, job: Job, broken: str) -> None:
        result = None if broken else self._found(self._keys[job.name])
        self._leases.pop(job.name).release()
        if result:
            self.raw.append(Raw(job.name, result))
            self._conclude(job, "ended", result)
            return
        failed = Result(Outcome.BROKEN, broken or "it left no result")
        self.raw.append(Raw(job.name, failed))
        if self._tried[job.name] < self.attempts:
            self.tell(Told(job, "broke", failed))
            self._queue.wait(job)
        else:
            tries = f"{self._tried[job.name]} times, at last: "
            self._conclude(job, "ended", replace(failed, reason=tries + failed.reason))

    def _conclude(self, job: Job, what: str, result: Result) -> None:
        self.results[job.name] = result
        self._queue.close(job)
        self.tell(Told(job, what, result))

    def _beat(self) -> None:
        """Renew what is held. A job whose lease was lost goes on: whoever has done it first is believed."""
        if monotonic() - self._beaten < HEARTBEAT:
            return
        self._beaten = monotonic()
        for lease in (*self._leases.values(), *([self.presence] if self.presence else [])):
            lease.renew()


def weights(jobs: Mapping[str, Job]) -> Mapping[str, float]:
    """Seconds from the beginning of each job to the end of the longest row of jobs that waits for it.

    Raises CallerError where a job needs one that there is not, and Bug where jobs wait for each other.
    """
    for job in jobs.values():
        if missing := [name for name in job.needs if name not in jobs]:
            raise CallerError(f"{job.name} needs {', '.join(missing)}, which nobody does", "the plan is not whole")
    after: dict[str, list[str]] = {name: [] for name in jobs}
    for job in jobs.values():
        for name in job.needs:
            after[name].append(job.name)
    try:
        order = list(TopologicalSorter({name: job.needs for name, job in jobs.items()}).static_order())
    except CycleError as cycle:
        raise Bug(f"jobs wait for each other: {' -> '.join(cycle.args[1])}") from None
    found: dict[str, float] = {}
    for name in reversed(order):
        found[name] = jobs[name].seconds + max((found[one] for one in after[name]), default=0.0)
    return found


def merged(results: Iterable[Result]) -> Outcome:
    """What a set of jobs comes to: the worst of its outcomes."""
    order = (Outcome.FAILED, Outcome.BROKEN, Outcome.LEFT_OUT, Outcome.PASSED)
    return min((one.outcome for one in results), key=order.index, default=Outcome.PASSED)


__all__ = ["LASTING", "Night", "Raw", "Told", "merged", "weights"]
