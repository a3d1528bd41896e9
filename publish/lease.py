"""One writer at a time for each definition, wherever it runs: a lease on a small blob of the staging account.

A lease ends by itself soon after its holder died (Azure Storage, Lease Blob); one whose holder died on this very
machine is broken at once.
"""

import getpass
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from build.errors import CallerError
from build.progress import Progress
from publish import refusals
from publish.staging import Staging

SECONDS = 15
"""How long a lease counts, the shortest that there is; it is renewed meanwhile."""
RENEWAL = 5.0
PATIENCE = SECONDS + 5
"""Seconds to wait for another holder: a dead one's lease has ended by then."""
LOOK = 1.0
FOLDER = "kiln-locks"
HOLDER, PLACE, PROCESS = "holder", "place", "process"


@contextmanager
def held(staging: Staging, names: list[str], progress: Progress) -> Iterator[None]:
    """Hold all these names, in one order for everybody.

    Raises CallerError where another holds one, else as `refusals.told` says.
    """
    with ExitStack() as stack:
        for name in sorted(set(names)):
            stack.enter_context(_one(staging, name, progress))
        yield


@contextmanager
def _one(staging: Staging, name: str, progress: Progress) -> Iterator[None]:
    blob = staging.client().get_blob_client(f"{FOLDER}/{name}")
    with refusals.told(f"lock of {name}"):
        lease = _acquire(blob, name, progress)
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lease, over), daemon=True, name=f"kiln-lease-{name}")
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
        with suppress(Exception):  # it ends by itself, and what was done counts
            lease.release()


def _acquire(blob: Any, name: str, progress: Progress) -> Any:
    """The lease, as soon as it can be had."""
    from azure.core.exceptions import ResourceExistsError

    with suppress(ResourceExistsError):
        refusals.patiently(lambda: blob.upload_blob(b"", overwrite=False))
    end, told = time.monotonic() + PATIENCE, False
    while True:
        lease = _try(blob)
        if lease:
            mine = {HOLDER: _whoami(), PLACE: _place(), PROCESS: str(os.getpid())}
            refusals.patiently(partial(blob.set_blob_metadata, mine, lease=lease))
            return lease
        holder = refusals.patiently(blob.get_blob_properties).metadata
        if _is_dead(holder):
            _break(blob)
            continue
        who = holder.get(HOLDER, "somebody")
        if time.monotonic() > end:
            raise CallerError(f"{name} is being published by {who}", "let it finish, then run this again")
        if not told:
            progress.note(f"{name} is being published by {who}: waiting")
            told = True
        time.sleep(LOOK)


def _try(blob: Any) -> Any:
    """The lease, None where another has it."""
    from azure.core.exceptions import HttpResponseError

    try:
        return refusals.patiently(lambda: blob.acquire_lease(SECONDS))
    except HttpResponseError as refusal:
        if refusals.code_of(refusal) != "LeaseAlreadyPresent":
            raise
        return None


def _break(blob: Any) -> None:
    from azure.storage.blob import BlobLeaseClient

    BlobLeaseClient(blob).break_lease(0)


def _is_dead(holder: Mapping[str, str]) -> bool:
    """Whether the holder was a process of this machine that is no more."""
    number = holder.get(PROCESS, "")
    return holder.get(PLACE) == _place() and number.isdigit() and not Path(f"/proc/{number}").exists()


def _place() -> str:
    """Where a process number means the same process: this boot of this machine, and this namespace of processes."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"


def _keep(lease: Any, over: threading.Event) -> None:
    """Renew it until it is over; where that fails once, the next time is soon enough."""
    while not over.wait(RENEWAL):
        with suppress(Exception):  # said where it matters: Azure refuses what two would do at once
            lease.renew()


def _whoami() -> str:
    """Who holds it, as another person can find out: user, machine, process. ASCII, as headers must be."""
    told = f"{getpass.getuser()} on {socket.gethostname()} (process {os.getpid()})"
    return told.encode("ascii", "replace").decode()
