"""The jobs of a night that have not ended: which can be looked at, which wait for room, and which for others.

Each turn costs as much as there is to do in it, however many jobs wait.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from time import monotonic

from factory.job import Job, Slots


@dataclass
class Queue:
    """Jobs by their names and `weight`, the heaviest of which begin first."""

    jobs: Mapping[str, Job] = field(default_factory=dict)
    weight: Mapping[str, float] = field(default_factory=dict)
    _missing: dict[str, int] = field(default_factory=dict)
    _after: dict[str, list[str]] = field(default_factory=dict)
    _open: deque[str] = field(default_factory=deque)
    _rooms: dict[Slots, list[tuple[float, str]]] = field(default_factory=dict)
    _later: list[tuple[float, str]] = field(default_factory=list)
    _put_off: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, jobs: Mapping[str, Job], weight: Mapping[str, float]) -> "Queue":
        """A queue of all of them."""
        made = cls(jobs, weight, {name: len(set(job.needs)) for name, job in jobs.items()})
        for name, job in jobs.items():
            for need in set(job.needs):
                made._after.setdefault(need, []).append(name)
        made._open.extend(sorted((name for name in jobs if not made._missing[name]), key=made._place))
        return made

    def __bool__(self) -> bool:
        """Whether any of them could be looked at, now or later, before another one ends."""
        return bool(self._open or self._later or any(self._rooms.values()))

    @property
    def has_opened(self) -> bool:
        """Whether there are any that nobody has looked at since their needs ended."""
        return bool(self._open)

    def opened(self) -> Iterator[Job]:
        """Those whose needs have all ended, each once; jobs that end meanwhile open others."""
        while self._open:
            yield self.jobs[self._open.popleft()]

    def wait(self, job: Job) -> None:
        """It is to be done as soon as there is room for it."""
        heappush(self._rooms.setdefault(job.slots, []), self._place(job.name))

    def wait_for_while(self, job: Job, seconds: float) -> bool:
        """It cannot be done now, and is looked at again after so long. Whether that is the first time."""
        heappush(self._later, (monotonic() + seconds, job.name))
        first = job.name not in self._put_off
        self._put_off.add(job.name)
        return first

    def fitting(self, free: Callable[[], Slots]) -> Iterator[Job]:
        """Those for which there is room, which is asked anew after each."""
        while self._later and self._later[0][0] <= monotonic():
            self.wait(self.jobs[heappop(self._later)[1]])
        while room := self._next(free()):
            yield self.jobs[heappop(room)[1]]

    def _next(self, free: Slots) -> list[tuple[float, str]] | None:
        rooms = [room for slots, room in self._rooms.items() if room and slots.fits(free)]
        return min(rooms, key=lambda room: room[0], default=None)

    def close(self, job: Job) -> None:
        """It has ended: what waited for it alone is open now."""
        for name in self._after.get(job.name, ()):
            self._missing[name] -= 1
            if not self._missing[name]:
                self._open.append(name)

    def _place(self, name: str) -> tuple[float, str]:
        return -self.weight[name], name
