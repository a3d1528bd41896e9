"""The staging account: files on their way to Azure, each a page blob that is named by its content.

A file that is there whole is never sent again, one that is there in part is gone on with, and no other is ever written
over it. Source of the design: publishing rules of page blobs (Azure Storage REST reference).
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from build.errors import CallerError
from build.progress import Progress
from build.vhd import LENGTH
from publish import pageblob, refusals, sending
from publish.blocks import Blocks, Extent
from publish.pageblob import PageBlob, State
from publish.source import Source

STATE, DIGEST, SIZE, BASE, TOOL = "state", "digest", "size", "base", "tool"
UPLOADING, COMPLETE = "uploading", "complete"
COPYING = 1.0
"""Seconds between two looks at a copy that the service makes."""


@dataclass(frozen=True)
class Staging:
    """A container of an account. `credential` is a token credential, a key or a SAS; `certificate` as in `Cloud`."""

    endpoint: str
    container: str
    credential: Any = field(repr=False)
    certificate: str = ""

    def blob(self, name: str) -> PageBlob:
        """The blob of that name."""
        client = self.client().get_blob_client(name)
        return PageBlob(lambda: client)

    def client(self) -> Any:
        """The container, for the storage library."""
        return pageblob.container(self.endpoint, self.container, self.credential, self.certificate)


@dataclass(frozen=True)
class Base:
    """A staged file to build on: its name, and the blocks of its content."""

    name: str
    blocks: Blocks


@dataclass(frozen=True)
class Staged:
    """A file that is there whole: where, what it is, bytes sent and made zero by this run, and how it came there."""

    url: str
    digest: str
    sent: int
    cleared: int
    done: str


def upload(
    source: Source,
    name: str,
    staging: Staging,
    progress: Progress,
    *,
    base: Base | None = None,
    verify: str = "ranges",
) -> Staged:
    """Have the file in the account under that name, and verify it there; see `sending.VERIFY`.

    Raises CallerError where another file has the name or another upload of it began, SubscriptionError where the
    account refuses, MachineError where it is out of reach or holds something else in the end.
    """
    blob = staging.blob(name)
    with refusals.told(f"staging account {staging.endpoint}"):
        state = _settled(blob, progress)
        if state and _is_complete(state, source, blob):
            return Staged(blob.url, source.digest, 0, 0, "it is there already, nothing was sent")
        built_on, reason = (None, "") if state else _begin(source, staging, blob, base, progress)
        if state and base and state.metadata.get(BASE) == base.name and state.copy == "success":
            built_on = base
        fence = blob.fence()
        work, how = _work(source, blob, built_on, copied=bool(state and state.metadata.get(BASE)))
    sending.send(source, blob, work, fence, progress)
    sending.commit(source, blob, fence)
    sending.verify(source, blob, verify, progress)
    with refusals.told(f"staging account {staging.endpoint}"):
        blob.note(_metadata(source, COMPLETE))
    return Staged(blob.url, source.digest, work.length, sum(one.length for one in work.clear), f"{how}{reason}")


def _settled(blob: PageBlob, progress: Progress) -> State | None:
    """What the blob says once no copy into it goes on; one whose copy failed is removed: it holds nothing of ours."""
    state = blob.state()
    if state and state.copy == "pending":
        state = _copied(blob, progress)
    if state and state.copy in ("failed", "aborted") and state.metadata.get(STATE) != COMPLETE:
        blob.delete()
        return None
    return state


def _copied(blob: PageBlob, progress: Progress) -> State | None:
    """Wait until the service has made its copy."""
    with progress.step("Waiting for the copy within the account"):
        while (state := blob.state()) and state.copy == "pending":
            time.sleep(COPYING)
    return state


def _is_complete(state: State, source: Source, blob: PageBlob) -> bool:
    """Whether this very file is there whole. Raises CallerError where something else is."""
    told = state.metadata
    if told.get(DIGEST) != source.digest or state.length != source.length:
        raise CallerError(f"{blob.url} holds another file", "it is never written over: remove it, or rename the image")
    return told.get(STATE) == COMPLETE


def _begin(
    source: Source, staging: Staging, blob: PageBlob, base: Base | None, progress: Progress
) -> tuple[Base | None, str]:
    """Make the blob: a copy of the base where that can be had, else empty. What is built on, and why it is not."""
    reason = ""
    if base:
        reason = _copy(source, staging, blob, base, progress)
        if not reason:
            return base, ""
        reason = f"; whole, since {reason}"
    if not blob.create(source.length, _metadata(source, UPLOADING)):
        raise CallerError(f"another upload of {blob.url} began just now", "let it finish, then run this again")
    return None, reason


def _copy(source: Source, staging: Staging, blob: PageBlob, base: Base, progress: Progress) -> str:
    """Have the service copy the base; "" once it has, else why not."""
    before = staging.blob(base.name).state()
    if not before:
        return f"the base {base.name} is gone"
    if before.length != source.length:
        return f"the base is of {before.length - LENGTH >> 20} MiB and this of {source.size >> 20}"
    if before.metadata.get(STATE) != COMPLETE:
        return f"the base {base.name} is not whole"
    blob.copy_from(staging.blob(base.name).url, {**_metadata(source, UPLOADING), BASE: base.name})
    state = _copied(blob, progress)
    if state and state.copy == "success":
        return ""
    if state:
        blob.delete()
    return f"the service did not copy the base: {state.copy_told or state.copy if state else 'the copy is gone'}"


def _work(source: Source, blob: PageBlob, base: Base | None, *, copied: bool) -> tuple[sending.Work, str]:
    """What is left to do, and how it is called."""
    footer = Extent(source.size, LENGTH)
    there = blob.ranges()
    if base:
        # The copy has its base's footer, and is no disk until it has its own.
        blob.clear(footer, None)
        numbers, _ = source.blocks.changed_from(base.blocks)
        work = sending.changed(source, numbers, there)
        return work, f"{work.length >> 20} MiB sent on top of {base.name}"
    if copied:
        blob.clear(footer, None)
        work = sending.everything(source, there)
        return work, f"{work.length >> 20} MiB sent, all of it: what an earlier run built on is not known here"
    work = sending.missing(source, there)
    whole = sending.everything(source, there).length
    if work.length < whole:
        return work, f"{work.length >> 20} MiB sent, {whole - work.length >> 20} were there from an earlier run"
    return work, f"{work.length >> 20} MiB sent"


def _metadata(source: Source, state: str) -> dict[str, str]:
    return {DIGEST: source.digest, SIZE: str(source.size), STATE: state, TOOL: "kiln"}


def ensure(staging: Staging) -> None:
    """Make the container, if it is not there."""
    from azure.core.exceptions import ResourceExistsError

    with refusals.told(f"staging account {staging.endpoint}"), suppress(ResourceExistsError):
        refusals.patiently(staging.client().create_container)


def staged(staging: Staging) -> list[tuple[str, str, int]]:
    """Name, digest and bytes of every file of ours in the container, in the order of their names."""
    with refusals.told(f"staging account {staging.endpoint}"):
        found = refusals.patiently(lambda: list(staging.client().list_blobs(include=["metadata"])))
        return sorted((one.name, one.metadata[DIGEST], one.size) for one in found if (one.metadata or {}).get(TOOL))


def remove(staging: Staging, names: Iterable[str]) -> None:
    """Remove these files."""
    for name in names:
        with refusals.told(f"removal of {name}"):
            staging.blob(name).delete()


def find(staging: Staging, name: str) -> State | None:
    """What a staged file says of itself."""
    with refusals.told(f"staging account {staging.endpoint}"):
        return staging.blob(name).state()
