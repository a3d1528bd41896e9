"""How many requests are on their way at once: fewer when the service is busy, one more after a while of peace.

A page blob that is asked too much answers 500 and 503 (Azure Storage, "Scalability and performance targets"); tools
that keep dozens of connections open see thousands of them.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FIRST, MOST = 8, 16
PEACE = 30.0
"""Seconds without a complaint after which one more is tried."""
BREATH = 1.0
"""Seconds within which further complaints are about the same moment."""


class Pace:
    """The limit that all workers of a transfer share."""

    def __init__(self, first: int = FIRST, now: Callable[[], float] = time.monotonic) -> None:
        self.limit = first
        self._now = now
        self._active = 0
        self._changed = now()
        self._complained = -BREATH
        self._free = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until one more request may be on its way."""
        with self._free:
            self._free.wait_for(lambda: self._active < self.limit)
            self._active += 1
        try:
            yield
        finally:
            with self._free:
                self._active -= 1
                self._grow()
                self._free.notify_all()

    def complain(self) -> None:
        """The service is busy: half as many from now on."""
        with self._free:
            moment = self._now()
            if moment - self._complained >= BREATH:
                self.limit = max(1, self.limit // 2)
            self._complained = self._changed = moment

    def _grow(self) -> None:
        if self._now() - self._changed >= PEACE and self.limit < MOST:
            self.limit += 1
            self._changed = self._now()
