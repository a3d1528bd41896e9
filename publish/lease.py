"""One writer at a time for each definition, wherever it runs: a lease on a small blob of the staging account.

A lease ends by itself 60 seconds after its holder died (Azure Storage, Lease Blob).
"""

import getpass
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from build.errors import CallerError
from publish import refusals
from publish.staging import Staging

SECONDS = 60
RENEWAL = 20.0
FOLDER = "kiln-locks"
HOLDER = "holder"


@contextmanager
def held(staging: Staging, names: list[str]) -> Iterator[None]:
    """Hold all these names, in one order for everybody.

    Raises CallerError where another holds one, else as `refusals.told` says.
    """
    with ExitStack() as stack:
        for name in sorted(set(names)):
            stack.enter_context(_one(staging, name))
        yield


@contextmanager
def _one(staging: Staging, name: str) -> Iterator[None]:
    blob = staging.client().get_blob_client(f"{FOLDER}/{name}")
    lease = _acquire(blob, name)
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


def _acquire(blob: Any, name: str) -> Any:
    from azure.core.exceptions import HttpResponseError, ResourceExistsError

    with refusals.told(f"lock of {name}"):
        with suppress(ResourceExistsError):
            blob.upload_blob(b"", overwrite=False)
        try:
            lease = blob.acquire_lease(SECONDS)
        except HttpResponseError as refusal:
            if refusals.code_of(refusal) != "LeaseAlreadyPresent":
                raise
            holder = blob.get_blob_properties().metadata.get(HOLDER, "somebody")
            raise CallerError(
                f"{name} is being published by {holder}", f"let it finish; if it died, wait {SECONDS} seconds"
            ) from None
        blob.set_blob_metadata({HOLDER: _whoami()}, lease=lease)
    return lease


def _keep(lease: Any, over: threading.Event) -> None:
    """Renew it until it is over; where that fails once, the next time is soon enough."""
    while not over.wait(RENEWAL):
        with suppress(Exception):  # said where it matters: Azure refuses what two would do at once
            lease.renew()


def _whoami() -> str:
    """Who holds it, as another person can find out: user, machine, process. ASCII, as headers must be."""
    told = f"{getpass.getuser()} on {socket.gethostname()} (process {os.getpid()})"
    return told.encode("ascii", "replace").decode()
