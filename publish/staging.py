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
from publish.blocks import Blocks
from publish.guard import Guard, anything
from publish.pageblob import PageBlob, State
from publish.person import whoami
from publish.source import Source

STATE, DIGEST, SIZE, BASE, TOOL, PREPARED = "state", "digest", "size", "base", "tool", "prepared"
OWNER = "owner"
UPLOADING, COMPLETE = "uploading", "complete"
COPYING = 1.0
"""Seconds between two looks at a copy that the service makes."""


@dataclass(frozen=True)
class Staging:
    """A container of an account. `credential` is a token credential, a key or a SAS; `certificate` as in `Cloud`;
    `guard` is asked before anything there is changed, `owner` is whose files are staged where several targets share it.
    """

    endpoint: str
    container: str
    credential: Any = field(repr=False)
    certificate: str = ""
    guard: Guard = anything
    owner: str = ""

    def blob(self, name: str) -> PageBlob:
        """The blob of that name."""
        client = self.client().get_blob_client(name)
        return PageBlob(lambda: client)

    def client(self) -> Any:
        """The container, for the storage library."""
        return pageblob.container(self.endpoint, self.container, self.credential, self.certificate, self.guard)


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
        state, reason = _begun(source, staging, blob, base, progress)
        if _is_complete(state, source, blob):
            return Staged(blob.url, source.digest, 0, 0, "it is there already, nothing was sent")
        fence = blob.fence()
        state = _signed(blob, fence)
        cleared, copied = _prepare(source, blob, state, base, fence, progress)
        there = blob.ranges()
    work = sending.missing(source, there)
    cleared += sum(one.length for one in work.clear)
    sending.send(source, blob, work, fence, progress)
    sending.commit(source, blob, fence)
    with refusals.told(f"staging account {staging.endpoint}"):
        ours = _ours(blob, fence)
        sending.verify(source, blob, verify, progress)
        _mark(blob, ours, _metadata(source, COMPLETE, staging))
    how = f"{work.length >> 20} MiB sent{copied or _kept(source, work)}{reason}"
    return Staged(blob.url, source.digest, work.length, cleared, how)


def _begun(
    source: Source, staging: Staging, blob: PageBlob, base: Base | None, progress: Progress
) -> tuple[State, str]:
    """What the blob says of itself, made if it was missing; and why it is not built on a base that is named.

    One that appears meanwhile is this run's own, whose answer was lost, or another's, whom the fence then shuts out.
    """
    if state := _settled(blob, progress):
        return state, ""
    reason = _begin(source, staging, blob, base, progress)
    if state := _settled(blob, progress):
        return state, reason
    raise CallerError(f"{blob.url} was removed by somebody else just now", "run this again once nobody works on it")


def _settled(blob: PageBlob, progress: Progress) -> State | None:
    """What the blob says once no copy into it goes on; one whose copy failed is removed: it holds nothing of ours."""
    state = blob.state()
    if state and state.copy == "pending":
        state = _copied(blob, progress)
    if state and state.copy in ("failed", "aborted") and state.metadata.get(STATE) != COMPLETE:
        blob.delete(state.etag)
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


def _begin(source: Source, staging: Staging, blob: PageBlob, base: Base | None, progress: Progress) -> str:
    """Make the blob: a copy of the base where that can be had, else empty; why it is no copy."""
    reason = ""
    if base:
        reason = _copy(source, staging, blob, base, progress)
        if not reason:
            return ""
        reason = f"; whole, since {reason}"
    blob.create(source.length, _metadata(source, UPLOADING, staging))
    return reason


def _copy(source: Source, staging: Staging, blob: PageBlob, base: Base, progress: Progress) -> str:
    """Have the service copy the base; "" once it has, or where somebody else began an upload just now; else why not."""
    if reason := unfit(base, source, staging):
        return reason
    blob.copy_from(staging.blob(base.name).url, {**_metadata(source, UPLOADING, staging), BASE: base.name})
    state = _copied(blob, progress)
    if state and (state.copy == "success" or BASE not in state.metadata):
        return ""
    if state:
        blob.delete(state.etag)
    return f"the service did not copy the base: {state.copy_told or state.copy if state else 'the copy is gone'}"


def unfit(base: Base, source: Source, staging: Staging) -> str:
    """Why a file cannot be built on that base; "" where it can. Raises as `refusals.told` does."""
    with refusals.told(f"staging account {staging.endpoint}"):
        before = staging.blob(base.name).state()
    if not before:
        return f"the base {base.name} is gone"
    if before.length != source.length:
        return f"the base is of {before.length - LENGTH >> 20} MiB and this of {source.size >> 20}"
    if before.metadata.get(STATE) != COMPLETE:
        return f"the base {base.name} is not whole"
    return ""


def _signed(blob: PageBlob, fence: int) -> State:
    """What the blob says of itself, now that it names its writer, too."""
    state = _ours(blob, fence)
    _mark(blob, state, {**state.metadata, sending.WRITER: whoami()})
    return _ours(blob, fence)


def _prepare(
    source: Source, blob: PageBlob, state: State, base: Base | None, fence: int, progress: Progress
) -> tuple[int, str]:
    """Take out of a copy what its base has and this file has not, and its footer, so that whatever is there is right.

    That is done once: what was sent afterwards is then told from what the base had. Returns the bytes that the file has
    no data in and the base had, and what the upload builds on.
    """
    name = state.metadata.get(BASE)
    if not name:
        return 0, ""
    if PREPARED in state.metadata:
        return 0, f" on top of {name}, which an earlier run began"
    known = base is not None and base.name == name
    numbers = source.blocks.changed_from(base.blocks)[0] if base and known else source.blocks.numbers
    there = blob.ranges()
    sending.send(source, blob, sending.wrong(source, numbers, there), fence, progress)
    _mark(blob, _ours(blob, fence), {**state.metadata, PREPARED: "yes"})
    emptied = sum(one.length for one in sending.stale(source, there))
    return emptied, f" on top of {name}" if known else ", all of it: what an earlier run built on is not known here"


def _kept(source: Source, work: sending.Work) -> str:
    left = sending.everything(source).length - work.length
    return f", {left >> 20} were there from an earlier run" if left else ""


def _ours(blob: PageBlob, fence: int) -> State:
    """What the blob says of itself. Raises CallerError where another writer has taken over since that fence."""
    state = blob.state()
    if state is None or state.sequence != fence:
        raise sending.overtaken(blob)
    return state


def _mark(blob: PageBlob, since: State, metadata: dict[str, str]) -> None:
    """Give it this metadata. Raises CallerError where anybody has changed anything since it said so of itself."""
    if not blob.note(metadata, since.etag):
        raise sending.overtaken(blob)


def _metadata(source: Source, state: str, staging: Staging) -> dict[str, str]:
    told = {DIGEST: source.digest, SIZE: str(source.size), STATE: state, TOOL: "kiln", OWNER: staging.owner}
    return {key: value for key, value in told.items() if value}


def ensure(staging: Staging) -> None:
    """Make the container, if it is not there."""
    from azure.core.exceptions import ResourceExistsError

    with refusals.told(f"staging account {staging.endpoint}"), suppress(ResourceExistsError):
        refusals.patiently(staging.client().create_container)


def staged(staging: Staging) -> list[tuple[str, str, int]]:
    """Name, digest and bytes of every file that this owner has staged, in the order of their names."""
    with refusals.told(f"staging account {staging.endpoint}"):
        found = refusals.patiently(lambda: list(staging.client().list_blobs(include=["metadata"])))
        ours = [one for one in found if (one.metadata or {}).get(TOOL) and one.metadata.get(OWNER, "") == staging.owner]
        return sorted((one.name, one.metadata[DIGEST], one.size) for one in ours)


def standing(staging: Staging, name: str, source: Source) -> str:
    """What of a file is in the account already, in words; "" where nothing is. It is only looked at.

    Raises CallerError where another file has the name, else as `refusals.told` does.
    """
    blob = staging.blob(name)
    with refusals.told(f"staging account {staging.endpoint}"):
        state = blob.state()
        if not state:
            return ""
        if _is_complete(state, source, blob):
            return "it is staged already: nothing is sent"
        if state.copy == "pending" or (BASE in state.metadata and PREPARED not in state.metadata):
            return "an earlier run has begun with a copy of its base"
        left = sending.missing(source, blob.ranges()).length
    return f"an earlier run has begun: {left >> 20} MiB are left"


def remove(staging: Staging, names: Iterable[str]) -> None:
    """Remove these files."""
    for name in names:
        with refusals.told(f"removal of {name}"):
            staging.blob(name).delete()


def find(staging: Staging, name: str) -> State | None:
    """What a staged file says of itself."""
    with refusals.told(f"staging account {staging.endpoint}"):
        return staging.blob(name).state()
