"""What `./kiln pull` calls: finds the address of what is meant, brings it here, and takes the address back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build.errors import CallerError, KilnError
from build.progress import Progress
from publish import arm as resources
from publish import credentials, pageblob, targetfile
from publish.address import Address
from publish.clouds import PUBLIC, Cloud
from publish.guard import anything, only_looking
from publish.pull import Origin
from publish.pull import pull as bring
from publish.refusals import without_secrets

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

READ_SECONDS = 24 * 3600


@dataclass(frozen=True)
class PullRequest:
    """A disk of Azure: the id of a snapshot or a managed disk, or the URL of a blob; `cloud` is its cloud's."""

    output: Path
    snapshot: str = ""
    disk: str = ""
    blob: str = ""
    to: Path | None = None


def pull(request: PullRequest, progress: Progress) -> Path:
    """Bring it here as a fixed VHD. Raises as `pull.pull` does."""
    given = [word for word in (request.snapshot, request.disk, request.blob) if word]
    if len(given) != 1:
        raise CallerError("which one?", "say one of --snapshot ID, --disk ID, --blob URL")
    cloud = targetfile.load(request.to).cloud if request.to else PUBLIC
    who = credentials.credential(cloud)
    if request.blob:
        reach = partial(pageblob.by_address, request.blob, cloud.certificate, only_looking, who)
        origin = Origin({"blob": without_secrets(request.blob)}, may_change=True)
        return bring(origin, Address(reach, float("inf")), request.output, progress)
    return _pull_disk(request, given[0], cloud, who, progress)


def _pull_disk(request: PullRequest, id: str, cloud: Cloud, who: "TokenCredential", progress: Progress) -> Path:
    """By an address that is granted for the while, and taken back at the end."""
    subscription, group, name = _parts(id, "snapshots" if request.snapshot else "disks")
    with resources.session(cloud, subscription, group, who, anything) as arm:
        client: Any = arm.compute.snapshots if request.snapshot else arm.compute.disks
        asked = {"access": "Read", "durationInSeconds": READ_SECONDS}

        def reach() -> Any:
            granted = arm.finish(f"access to {name}", partial(client.begin_grant_access, group, name, asked))
            return pageblob.by_address(str(granted["accessSAS"]), cloud.certificate, only_looking)

        found = arm.get(name, partial(client.get, group, name))
        if found is None:
            raise CallerError(f"there is no {name} in {group}", "is the id right, and does it still exist?")
        own = found["properties"]
        known_by = {"disk": id, **{key: str(own.get(key, "")) for key in ("uniqueId", "timeCreated")}}
        # While an address of a disk is granted no machine can have it; between two grants one may.
        origin = Origin(known_by, may_change=not request.snapshot)
        # One that was refused is not taken back: whatever address there is was granted to somebody else.
        address = Address(reach, READ_SECONDS)
        close = partial(arm.finish, f"closing {name}", partial(client.begin_revoke_access, group, name))
        with _closed_afterwards(close, progress):
            return bring(origin, address, request.output, progress)


@contextmanager
def _closed_afterwards(close: Callable[[], object], progress: Progress) -> Iterator[None]:
    """Take an address back in the end; where more than that went wrong, what did so first is raised."""
    try:
        yield
    except BaseException:
        try:
            close()
        except KilnError as refusal:
            progress.note(refusal.what)
        raise
    close()


def _parts(id: str, kind: str) -> tuple[str, str, str]:
    """Subscription, group and name of a resource's id. Raises CallerError where it is none of that kind."""
    words = id.strip("/").split("/")
    form = f"/subscriptions/…/resourceGroups/…/providers/Microsoft.Compute/{kind}/NAME"
    if len(words) != 8 or [words[0].lower(), words[2].lower(), words[6].lower()] != [
        "subscriptions",
        "resourcegroups",
        kind,
    ]:
        raise CallerError(f"{id} is no id of one of {kind}", f"its form is {form}")
    return words[1], words[3], words[7]
