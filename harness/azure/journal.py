"""The journal: everything that passed between a guest and its host, in the order in which it happened.

That order is the oracle of a run. Each entry is also written to a file as one line of JSON at once, so that a run which
ends hard leaves its trace. Whoever writes entries keeps passwords and keys out of them.
"""

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Entry:
    """One event `at` seconds after the journal began; `time` is the wall clock, ISO 8601 in UTC."""

    at: float
    time: str
    source: str
    event: str
    details: Mapping[str, Any] = field(default_factory=dict)


class Journal:
    """An ordered, thread-safe list of entries. A context manager: leaving it closes the file."""

    def __init__(self, path: Path | None = None) -> None:
        self.began = time.monotonic()
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._file: IO[str] | None = path.open("a", encoding="utf-8") if path else None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; later entries are kept in memory alone."""
        with self._lock:
            if self._file:
                self._file.close()
            self._file = None

    @property
    def now(self) -> float:
        """Seconds since the journal began."""
        return time.monotonic() - self.began

    def add(self, source: str, event: str, **details: Any) -> Entry:
        """Note that something happened now. Details must be what JSON can hold."""
        with self._lock:
            wall = datetime.now(UTC).isoformat(timespec="milliseconds")
            entry = Entry(round(self.now, 3), wall, source, event, details)
            self._entries.append(entry)
            self._write(entry)
        return entry

    def _write(self, entry: Entry) -> None:
        if self._file is None:
            return
        with suppress(OSError):  # a full disk must not stop the host's services
            print(json.dumps(asdict(entry), default=str), file=self._file, flush=True)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries so far."""
        with self._lock:
            return tuple(self._entries)

    def find(self, source: str | None = None, event: str | None = None) -> tuple[Entry, ...]:
        """The entries of a source, of an event, or both, in order."""
        return tuple(
            entry
            for entry in self.entries
            if (source is None or entry.source == source) and (event is None or entry.event == event)
        )

    def first(self, source: str | None = None, event: str | None = None) -> Entry | None:
        """The first such entry."""
        return next(iter(self.find(source, event)), None)

    def last(self, source: str | None = None, event: str | None = None) -> Entry | None:
        """The last such entry: also the last sign of life of a source."""
        return next(reversed(self.find(source, event)), None)
