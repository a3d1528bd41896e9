"""What a person sees of a long transfer: how much, how fast, how long still."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from build.progress import Progress
from build.vhd import MIB

TENTH = 10


@dataclass
class Meter:
    """Bytes on their way: workers `add`, the one that waits for them `show`s.

    A terminal sees a line that moves; elsewhere there is a plain line for every tenth.
    """

    title: str
    total: int
    progress: Progress
    now: Callable[[], float] = time.monotonic
    done: int = 0
    shown: int = 0
    begun: float = field(init=False)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.begun = self.now()

    def add(self, count: int) -> None:
        """So many more bytes are there."""
        with self.lock:
            self.done += count

    def show(self) -> None:
        """Say how it stands."""
        self.progress.waiting(self.text)
        percent = 100 * self.done // max(self.total, 1)
        if percent // TENTH > self.shown // TENTH:
            self.shown = percent
            self.progress.note(self.text)

    @property
    def text(self) -> str:
        """How it stands."""
        seconds = max(self.now() - self.begun, 0.001)
        rate = self.done / seconds
        left = f", {_time((self.total - self.done) / rate)} left" if rate and self.done < self.total else ""
        return f"{self.title}: {self.done // MIB} of {self.total // MIB} MiB, {rate / MIB:.0f} MiB/s{left}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
