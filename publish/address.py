"""The address of a disk or a snapshot: a URL that grants access for a while, and is asked for anew in time."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from publish.pageblob import PageBlob

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

EARLY = 600.0
"""Seconds before its end at which an address is asked for anew."""
BREATH = 5.0
"""Seconds within which a refusal is about an address that was renewed just now."""


class Address:
    """What `make` gives, for all workers of a transfer. `seconds` is how long one address counts."""

    def __init__(
        self, make: Callable[[], "BlobClient"], seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._make, self._seconds, self._now = make, seconds, now
        self._lock = threading.Lock()
        self._take()

    @property
    def blob(self) -> PageBlob:
        """The blob behind it."""
        return PageBlob(self._reach)

    def renew(self) -> bool:
        """Get another one after a refusal; there is one now."""
        with self._lock:
            if self._now() - self._got >= BREATH:
                self._take()
            return True

    def _reach(self) -> "BlobClient":
        with self._lock:
            if self._now() - self._got > self._seconds - EARLY:
                self._take()
            return self._client

    def _take(self) -> None:
        self._client = self._make()
        self._got = self._now()
