"""What a repair is: a generator of edits whose parameters are the facts that it needs, under the id of its check.

A repair reads the image as `harness.inspect` describes it; its `tree` shows what earlier repairs did already. What it
cannot prove to be safe it refuses by raising `Unsafe`, and then nothing of it is done.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Edits = Iterator["Edit"]


class Unsafe(Exception):
    """A repair is not done; its text says why, as the end of a sentence."""


@dataclass(frozen=True)
class Edit:
    """One change of the image's files: `content` is the whole new one, None removes the file or the empty folder.

    `path` is an absolute path of the image, `done` says what was changed.
    """

    path: str
    content: bytes | None
    done: str


@dataclass(frozen=True)
class Repair:
    """The repair of the finding that a check of this id has."""

    id: str
    propose: Callable[..., Edits]

    @property
    def needs(self) -> tuple[str, ...]:
        """The facts it asks for."""
        return tuple(inspect.signature(self.propose).parameters)


REPAIRS: dict[str, Repair] = {}


def repair(*ids: str) -> Callable[[Callable[..., Edits]], Callable[..., Edits]]:
    """Register a function as what repairs these ids. An id can be taken once."""

    def register(propose: Callable[..., Edits]) -> Callable[..., Edits]:
        for id in ids:
            if id in REPAIRS:
                raise ValueError(f"two repairs are for {id}")
            REPAIRS[id] = Repair(id, propose)
        return propose

    return register


def removed(path: str) -> Edit:
    """The removal of a file, a link, or a folder that is empty by then."""
    return Edit(path, None, f"removed {path}")


def emptied(path: str) -> Edit:
    """A file that stays, without content."""
    return Edit(path, b"", f"emptied {path}")
