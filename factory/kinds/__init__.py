"""What jobs do, one module a kind: its `run` takes the job's order and what it needs, and says what came of it."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from factory.job import Result
from factory.store import Store


@dataclass(frozen=True)
class Bench:
    """Where a job works: the store, the results that it needs by their jobs' names, and a folder of its own, which
    goes when it ends. What is to be kept it puts below the folder first, then into the store."""

    store: Store
    inputs: Mapping[str, Result]
    folder: Path

    def given(self, artefact: str) -> Path:
        """The folder of an artefact that one of the needed jobs made. Raises LookupError where it is lost."""
        digest = next(one.artefacts[artefact] for one in self.inputs.values() if artefact in one.artefacts)
        if found := self.store.artefact(digest):
            return found
        raise LookupError(f"the store has lost {artefact} {digest[:16]}")


class Kind(Protocol):
    """What a module of this package holds."""

    def run(self, order: Mapping[str, Any], bench: Bench) -> Result:
        """Do it. What raises is the machine's fault, or Kiln's, and proves nothing."""


def kind(name: str) -> Kind:
    """The module of a kind's name."""
    module: Kind = importlib.import_module(f"factory.kinds.{name}")
    return module
