"""What a night costs beside its jobs.

    .venv-dev/bin/python benchmarks/factory.py [--jobs N]

The coordinator alone with its record, whose jobs are done the moment they begin and whose store is a dictionary:
processor time for each of 100, 10,000 and N (100,000) jobs, each in a process of its own, and its peak memory. Then the
real thing: 500 pretend jobs on this machine's pool of four, one of which is killed with SIGKILL on the way: each result
is kept once, and only what was killed begins again.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from factory.api import Log
from factory.executors import Ending
from factory.executors.local import Local
from factory.folderstore import FolderStore
from factory.job import Job, Outcome, Result, Slots
from factory.keys import key
from factory.night import Night, Told
from factory.record import Entry, Record

MOST_RATIO, MOST_MEMORY = 1.5, 500
"""Processor time of one of 10,000 jobs by that of one of 100; MiB of the coordinator."""
GUESTS, POOL, POOLED, KILL_AT = 200, 4, 500, 100
GUEST = Slots(guests=1)


def main() -> int:
    """Take the figures; 1 where a mark is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--jobs", type=int, default=100_000, help="of the largest plan")
    options.add_argument("--coordinate", type=int, help=argparse.SUPPRESS)
    told = options.parse_args()
    if told.coordinate:
        print(json.dumps(coordinate(told.coordinate)))
        return 0
    figures = {number: child(number) for number in (100, 10_000, told.jobs)}
    return max(tell(figures), pooled())


def plan(number: int) -> dict[str, Job]:
    """Images with an inspection and three boots each, as a matrix has them."""
    jobs: list[Job] = []
    for image in range(max(1, number // 5)):
        made, looked = f"i{image}/image", f"i{image}/inspect"
        jobs += [Job(made, "pretend", str(image), {"n": image}, slots=Slots(lines=1), seconds=image % 7)]
        jobs += [Job(looked, "pretend", str(image), {"look": image}, (made,))]
        jobs += [
            Job(f"i{image}/{one}", "pretend", str(image), {"n": f"{image} {one}"}, (looked, made), GUEST)
            for one in range(3)
        ]
    return {one.name: one for one in jobs}


@dataclass
class Memory:
    """A store that keeps results in a dictionary, and a lease for whoever asks."""

    results: dict[str, Result] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)

    def result(self, key: str) -> Result | None:
        return self.results.get(key)

    def put(self, key: str, result: Result) -> Result:
        return self.results.setdefault(key, result)

    def lease(self, name: str, owner: str) -> "Memory":
        return self

    def note(self, name: str, text: str) -> None:
        self.documents[name] = text

    def renew(self) -> bool:
        return True

    def release(self) -> None:
        """Nobody else asks for it."""


@dataclass
class Instant:
    """An executor of GUESTS slots, whose jobs are done by the time that it is asked for endings."""

    store: Memory
    total: Slots = field(default_factory=lambda: Slots(guests=GUESTS, lines=4))
    running: deque[Job] = field(default_factory=deque)
    taken: Slots = field(default_factory=Slots)

    @property
    def free(self) -> Slots:
        return self.total.without(self.taken)

    def begin(self, job: Job, inputs: Mapping[str, Result]) -> None:
        self.store.put(key(job, inputs), Result(Outcome.PASSED, content=job.name))
        self.running.append(job)
        self.taken = self.taken + job.slots

    def endings(self, patience: float) -> Iterator[Ending]:
        """One at a time, as with jobs of hours."""
        if self.running:
            job = self.running.popleft()
            self.taken = self.taken.without(job.slots)
            yield Ending(job)

    def stop(self) -> None:
        """Nothing of it runs."""


def coordinate(number: int) -> dict[str, float]:
    """Processor seconds for each job, and peak memory in MiB."""
    jobs, store = plan(number), Memory()
    before = time.process_time()
    begun = Record("night", "benchmark", "", {name: Entry(job.kind, job.image) for name, job in jobs.items()})
    log = Log(store, begun, lambda text: None)  # type: ignore[arg-type]
    results = Night(jobs, store, Instant(store), "benchmark", log.told).run()  # type: ignore[arg-type]
    log.keep("then")
    taken = time.process_time() - before
    assert len(results) == len(jobs) and all(one.outcome is Outcome.PASSED for one in results.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"jobs": len(jobs), "each": taken / len(jobs), "memory": peak}


def child(number: int) -> dict[str, float]:
    """The same in a process of its own; the smallest plan is done often enough for a figure."""
    words = [sys.executable, __file__, "--coordinate", str(number)]
    runs = [
        json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        for _ in range(5 if number <= 10_000 else 1)
    ]
    return min(runs, key=lambda one: one["each"])


def tell(figures: Mapping[int, Mapping[str, float]]) -> int:
    """Print them; 1 where a mark is missed."""
    for one in figures.values():
        print(f"{one['jobs']:>7.0f} jobs: {one['each'] * 1e6:6.0f} µs of the coordinator each, {one['memory']:.0f} MiB")
    ratio = figures[10_000]["each"] / figures[100]["each"]
    memory = figures[10_000]["memory"]
    print(f"one of 10,000 by one of 100: {ratio:.2f} (at most {MOST_RATIO}); memory {memory:.0f} MiB ({MOST_MEMORY})")
    return int(ratio > MOST_RATIO or memory > MOST_MEMORY)


def pooled() -> int:
    """500 jobs by four processes, one of which is killed: what began, and how often."""
    with tempfile.TemporaryDirectory(prefix="kiln-") as name:
        top = Path(name)
        pool = Local(Slots(guests=POOL), top / "store", top / "scratch", top / "logs")
        jobs = {
            one.name: one
            for one in (
                Job(f"j{n}", "pretend", "x", {"seconds": 0.2, "content": str(n)}, (), GUEST) for n in range(POOLED)
            )
        }
        counted: Counter[str] = Counter()
        killed: list[str] = []

        def hear(told: Told) -> None:
            counted[told.what] += 1
            if counted["began"] == KILL_AT and not killed:
                victim, process = next(iter(pool.running.values()))
                os.killpg(process.pid, signal.SIGKILL)
                killed.append(victim.name)

        started = time.monotonic()
        night = Night(jobs, FolderStore(top / "store"), pool, "benchmark", hear)
        results = night.run()
        wall = time.monotonic() - started
        kept = sum(1 for _ in (top / "store" / "results").rglob("*") if _.is_file())
    again = [one.job for one in night.raw if one.result.outcome is Outcome.BROKEN]
    print(f"{POOLED} jobs, {POOL} at once, one killed: {wall:.0f} s, {kept} results, begun again: {', '.join(again)}")
    passed = all(one.outcome is Outcome.PASSED for one in results.values())
    return int(not passed or kept != POOLED or again != killed)


if __name__ == "__main__":
    sys.exit(main())
