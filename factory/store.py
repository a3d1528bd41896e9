"""Where results live: the truth of a night, whatever becomes of whoever works on it.

A store keeps results by key and artefacts by digest. Both are put if absent: who comes second finds what is there, and
nothing is ever changed. What is in it is whole: it is put in place once it is written.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from factory.job import Result


class Lease(Protocol):
    """The right to do a job, held until it is let go, or until nobody has renewed it for a while."""

    def renew(self) -> bool:
        """Say that the holder is alive; False where somebody else holds it by now."""

    def release(self) -> None:
        """Let it go, if it is still held."""


class Store(Protocol):
    """What a store can do. Its times are its own: machines' clocks differ."""

    def result(self, key: str) -> Result | None:
        """What is kept under this key."""

    def put(self, key: str, result: Result) -> Result:
        """Keep a result; the one that is kept is returned, which is another's where that was first."""

    def keep(self, folder: Path) -> str:
        """Keep a folder, which is gone from where it was afterwards; returns its digest (sha256, hexadecimal)."""

    def artefact(self, digest: str) -> Path | None:
        """A folder of this machine with that content, to be read only."""

    def lease(self, name: str, owner: str) -> Lease | None:
        """Hold the right of that name; None while somebody else does."""

    def note(self, name: str, text: str) -> None:
        """Write a small document of that name (with slashes), in place of an earlier one."""

    def read(self, name: str) -> str | None:
        """The document of that name."""

    def names(self, folder: str) -> Iterator[str]:
        """The names of documents below a folder, in order."""
