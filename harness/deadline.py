"""Deadlines: a moment until which one waits, passed down whole, never as fresh seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class TooLate(Exception):
    """The deadline passed; the text says what was waited for."""


class Gone(Exception):
    """What was waited for can no longer come; the text says why."""


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline so many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds left, 0 when it has passed."""
        return max(0.0, self.at - time.monotonic())

    def sooner(self, seconds: float) -> "Deadline":
        """This deadline, or so many seconds from now if that comes first."""
        return Deadline(min(self.at, time.monotonic() + seconds))

    def until(self, what: str, probe: Callable[[], T | None], every: float = 0.5) -> T:
        """Ask `probe` until it has an answer, with one last look once time is up.

        Raises TooLate; whatever `probe` raises (Gone, when it can no longer come) ends the wait at once.
        """
        while True:
            last = not self.left
            if (answer := probe()) is not None:
                return answer
            if last:
                raise TooLate(f"waited in vain for {what}")
            time.sleep(min(every, self.left))
