"""Jobs on this machine, each in a process of its own, as many at once as there is room for."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from factory.executors import Ending
from factory.job import Job, Result, Slots
from factory.work import letter

DIE_WITH_US = ("setpriv", "--pdeathsig", "TERM")
"""A night that is killed takes its jobs along; they tidy up first."""
PROJECT = Path(__file__).resolve().parent.parent.parent
GRACE = 30.0
"""Seconds that a job has to end in good order, with its guests, before it is killed."""
LOOK = 0.05
TAIL = 400
"""Letters of a broken job's last words that are told."""


@dataclass
class Local:
    """The pool of this machine. `store` is the folder of the store, `scratch` where jobs work, `logs` what they say."""

    total: Slots
    store: Path
    scratch: Path
    logs: Path
    running: dict[str, tuple[Job, subprocess.Popen[bytes]]] = field(default_factory=dict)

    @property
    def free(self) -> Slots:
        """What running jobs leave."""
        left = self.total
        for job, _ in self.running.values():
            left = left.without(job.slots)
        return left

    def begin(self, job: Job, inputs: Mapping[str, Result]) -> None:
        """Start its process; what it says goes to a file of its name."""
        log = self._log(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as said:
            process = subprocess.Popen(
                [*DIE_WITH_US, sys.executable, "-m", "factory.work"],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        assert process.stdin
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(letter(job, inputs, str(self.store), self.scratch).encode())
        self.running[job.name] = job, process

    def endings(self, patience: float) -> Iterator[Ending]:
        """Look at the processes until one has ended."""
        until = time.monotonic() + patience
        while not (ended := [one for one in self.running.values() if one[1].poll() is not None]):
            if time.monotonic() > until:
                return
            time.sleep(LOOK)
        for job, process in ended:
            del self.running[job.name]
            yield Ending(job, self._broken(job, process.returncode))

    def _broken(self, job: Job, status: int) -> str:
        if status == 0:
            return ""
        how = f"signal {-status}" if status < 0 else f"status {status}"
        lines = self._log(job).read_text(errors="replace").strip().splitlines()
        return f"{lines[-1][-TAIL:] if lines else 'it said nothing'} ({how})"

    def stop(self) -> None:
        """Ask the jobs to end, and kill what does not obey."""
        for _, process in self.running.values():
            _signal(process, signal.SIGTERM)
        until = time.monotonic() + GRACE
        for _, process in self.running.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
        self.running.clear()

    def _log(self, job: Job) -> Path:
        return self.logs / f"{job.name.replace('/', '.')}.log"


def _signal(process: subprocess.Popen[bytes], what: signal.Signals) -> None:
    """To the job's process and all of its session that has not made one of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, what)
