"""Taking out of a folder's store what its rules do not keep, while nobody works with it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from shutil import rmtree
from time import monotonic, sleep
from uuid import uuid4

from build.errors import MachineError
from factory import record
from factory.folderstore import FolderStore
from factory.matrix import Retention
from factory.record import Record
from factory.retention import Pruning, pruning
from factory.store import Lease

NIGHT, PRUNE = "night-", "prune"
"""How the leases of coordinators begin, and the one of whoever prunes."""
LOOK = 1.0
"""Seconds between two looks whether a store is being pruned still."""
PINS = "pins"
"""Documents below it name digests that somebody needs: {"reason": …, "digests": […]}."""


@dataclass
class Hold:
    """The right to prune a store, which nights keep clear of as long as it gives signs of life."""

    lease: Lease
    silent: float
    beaten: float = field(default_factory=monotonic)

    def beat(self) -> None:
        """Say that it is alive, now and then. Raises MachineError where it was silent for so long that it is lost."""
        since = monotonic() - self.beaten
        if since < self.silent / 6:
            return
        if since > self.silent or not self.lease.renew():
            raise MachineError("the hold on the store was lost: this machine stood still", "prune again")
        self.beaten = monotonic()


@contextmanager
def alone(store: FolderStore, owner: str) -> Iterator[Hold]:
    """Hold the store against nights: those that run end it here, those that begin meanwhile wait.

    Raises MachineError where one runs.
    """
    lease = store.lease(PRUNE, owner)
    if lease is None:
        raise MachineError("the store is being pruned already", "wait until that has ended")
    try:
        if running := store.held(NIGHT):
            raise MachineError(
                f"a night goes on in this store ({', '.join(running)})", "prune once it has ended, or has been killed"
            )
        yield Hold(lease, store.silent)
    finally:
        lease.release()


@contextmanager
def present(store: FolderStore, owner: str, note: Callable[[str], None]) -> Iterator[Lease]:
    """Hold a place among the store's coordinators, which nobody prunes under; waits while somebody does."""
    lease = store.lease(f"{NIGHT}{uuid4().hex}", owner)
    if lease is None:
        raise MachineError("the store gives no lease", "look at the free space and the rights of its folder")
    try:
        if pruned := store.held(PRUNE):
            note(f"waiting: the store is being pruned by {pruned[0]}")
        while store.held(PRUNE):
            lease.renew()
            sleep(LOOK)
        yield lease
    finally:
        lease.release()


def planned(store: FolderStore, rules: Mapping[str, Retention], beat: Callable[[], None] = lambda: None) -> Pruning:
    """What goes; nothing is changed. `beat` is called now and then: to read all results takes a while."""
    nights = [Record.read(text) for name in store.names(record.FOLDER) if (text := store.read(name))]
    results = {}
    for key, result in store.results():
        results[key] = result
        beat()
    return pruning(nights, rules, results, store.old_artefacts(), _pinned(store))


def apply(store: FolderStore, todo: Pruning, beat: Callable[[], None]) -> None:
    """Take it out: results first, so that none ever speaks of what is gone; a run that is cut off is simply done again.

    Raises what `beat` does, which is called before each.
    """
    for key in todo.results:
        beat()
        store.drop_result(key)
    for digest in todo.artefacts:
        beat()
        store.drop_artefact(digest)
    for matrix, night in todo.nights:
        beat()
        store.drop_document(f"{record.FOLDER}/{matrix}/{night}.json")
        rmtree(store.root / "logs" / matrix / night, ignore_errors=True)


def _pinned(store: FolderStore) -> Iterator[str]:
    for name in store.names(PINS):
        if text := store.read(name):
            yield from json.loads(text)["digests"]
