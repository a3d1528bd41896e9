"""One writer at a time for each definition, wherever it runs: a lease on a small blob of the staging account.

A lease ends by itself soon after its holder died (Azure Storage, Lease Blob); one whose holder died on this very
machine is broken at once.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from build.errors import CallerError, MachineError
from build.progress import Progress
from publish import refusals
from publish.person import whoami
from publish.staging import Staging

SECONDS = 15
"""How long a lease counts, the shortest that there is; it is renewed meanwhile."""
RENEWAL = 5.0
PATIENCE = SECONDS + 5
"""Seconds to wait for another holder: a dead one's lease has ended by then."""
LOOK = 1.0
FOLDER = "kiln-locks"
HOLDER, PLACE, PROCESS, LEASE = "holder", "place", "process", "lease"
MARGIN = 5.0
"""Seconds before a lease's end from which on it is renewed before anything is changed."""
LOST = ("LeaseIdMismatchWithLeaseOperation", "LeaseNotPresentWithLeaseOperation", "LeaseIsBrokenAndCannotBeRenewed")
"""Codes of a lease that is another's by now, or nobody's (Azure Storage, Blob service error codes)."""


@dataclass
class Lock:
    """A name that is held, and when that was last certain, in seconds of a clock that also counts a machine's sleep."""

    name: str
    lease: Any
    now: Callable[[], float] = field(default=lambda: time.clock_gettime(time.CLOCK_BOOTTIME), repr=False)
    certain: float = field(init=False)

    def __post_init__(self) -> None:
        self.certain = self.now()

    def renew(self) -> None:
        """Have it count from now on; raises what the service says."""
        asked = self.now()
        # On a line that is dead the usual patience would last longer than the lease does.
        self.lease.renew(connection_timeout=RENEWAL, read_timeout=RENEWAL)
        self.certain = asked

    def require(self) -> None:
        """Raise MachineError where somebody else may hold it by now: after a pause in which nobody renewed it."""
        if self.now() - self.certain < SECONDS - MARGIN:
            return
        with refusals.told(f"lock of {self.name}"):
            try:
                refusals.patiently(self.renew)
            except Exception as refusal:
                if refusals.code_of(refusal) not in LOST:
                    raise
                raise MachineError(
                    f"{self.name} is no longer held: this process stood still for too long, and another may work on it",
                    "run it again: it goes on with what is there by then",
                ) from None


@dataclass(frozen=True)
class Held:
    """The names that are held."""

    locks: tuple[Lock, ...] = ()

    def require(self, asked: str) -> None:
        """The guard (`publish.guard`) of whoever holds them: raises MachineError where one of them is lost."""
        for lock in self.locks:
            lock.require()


@contextmanager
def held(staging: Staging, names: list[str], progress: Progress) -> Iterator[Held]:
    """Hold all these names, in one order for everybody.

    Raises CallerError where another holds one, else as `refusals.told` says.
    """
    with ExitStack() as stack:
        yield Held(tuple(stack.enter_context(_one(staging, name, progress)) for name in sorted(set(names))))


@contextmanager
def _one(staging: Staging, name: str, progress: Progress) -> Iterator[Lock]:
    blob = staging.client().get_blob_client(f"{FOLDER}/{name}")
    with refusals.told(f"lock of {name}"):
        lock = _acquire(blob, name, progress)
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lock, over), daemon=True, name=f"kiln-lease-{name}")
    keeper.start()
    try:
        yield lock
    finally:
        over.set()
        keeper.join()
        with suppress(Exception):  # it ends by itself, and what was done counts
            lock.lease.release()


def _acquire(blob: Any, name: str, progress: Progress) -> Lock:
    """The lock, as soon as it can be had."""
    from azure.core.exceptions import ResourceExistsError

    with suppress(ResourceExistsError):
        refusals.patiently(lambda: blob.upload_blob(b"", overwrite=False))
    end, told = time.monotonic() + PATIENCE, False
    while True:
        lock = _try(blob, name)
        if lock:
            mine = {HOLDER: whoami(), PLACE: _place(), PROCESS: str(os.getpid()), LEASE: str(lock.lease.id)}
            refusals.patiently(partial(blob.set_blob_metadata, mine, lease=lock.lease))
            return lock
        holder = refusals.patiently(blob.get_blob_properties).metadata
        if _is_dead(holder) and _end(blob, holder.get(LEASE, "")):
            continue
        who = holder.get(HOLDER, "somebody")
        if time.monotonic() > end:
            raise CallerError(f"{name} is being published by {who}", "let it finish, then run this again")
        if not told:
            progress.note(f"{name} is being published by {who}: waiting")
            told = True
        time.sleep(LOOK)


def _try(blob: Any, name: str) -> Lock | None:
    """The lock, None where another has it. Its id is ours: asked for again after a lost answer, it is the same one."""
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobLeaseClient

    # It counts from before it is asked for: this process may stand still before it hears the answer.
    lock = Lock(name, BlobLeaseClient(blob, str(uuid.uuid4())))
    try:
        refusals.patiently(lambda: lock.lease.acquire(SECONDS))
    except HttpResponseError as refusal:
        if refusals.code_of(refusal) != "LeaseAlreadyPresent":
            raise
        return None
    return lock


def _end(blob: Any, lease: str) -> bool:
    """End a dead holder's lease, that one alone: another may have taken the name since it was looked at."""
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobLeaseClient

    try:
        BlobLeaseClient(blob, lease).release()
    except (HttpResponseError, ValueError):
        return False
    return True


def _is_dead(holder: Mapping[str, str]) -> bool:
    """Whether the holder was a process of this machine that is no more."""
    number = holder.get(PROCESS, "")
    return holder.get(PLACE) == _place() and number.isdigit() and not Path(f"/proc/{number}").exists()


def _place() -> str:
    """Where a process number means the same process: this boot of this machine, and this namespace of processes."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"


def _keep(lock: Lock, over: threading.Event) -> None:
    """Renew it until it is over; where that fails once, the next time is soon enough."""
    while not over.wait(RENEWAL):
        with suppress(Exception):  # `Lock.require` says it where it matters
            lock.renew()
