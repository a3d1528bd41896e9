"""Who does the jobs: on this machine, on others by Dask, or nobody here, where they are only written down."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from factory.job import Job, Result, Slots


@dataclass(frozen=True)
class Ending:
    """A job's process has ended: `broken` says by what, "" where it has left a result in the store."""

    job: Job
    broken: str = ""


class Executor(Protocol):
    """What every executor can do. Jobs are given one by one, as there is room: none waits inside of it."""

    @property
    def free(self) -> Slots:
        """What is not kept busy by running jobs."""

    @property
    def total(self) -> Slots:
        """What there is when nothing runs."""

    def begin(self, job: Job, inputs: Mapping[str, Result]) -> None:
        """Begin a job that fits into what is free."""

    def endings(self, patience: float) -> Iterator[Ending]:
        """The jobs that have ended since the last call; waits for one so many seconds at most."""

    def stop(self) -> None:
        """End every running job, and wait until nothing of them runs."""
