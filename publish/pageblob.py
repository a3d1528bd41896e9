"""One page blob, as the storage service has it: the one module that knows the storage library.

Source: the REST reference of Azure Storage (Put Blob, Put Page, Get Page Ranges, Set Blob Properties, Copy Blob).
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from build.errors import CallerError
from publish import refusals
from publish.blocks import CHUNK, Extent, Ranges
from publish.guard import Guard, hook

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ContainerClient

PATIENCE = 120
"""Seconds that one request may take: on a slow line the library's own 20 seconds end every write."""


def options(certificate: str, guard: Guard) -> dict[str, Any]:
    """What every client of ours is made with: it never retries by itself, since `transfer` does, and asks the guard
    before each request that changes something."""
    return {
        "connection_verify": certificate or True,
        "connection_timeout": PATIENCE,
        "read_timeout": PATIENCE,
        "retry_total": 0,
        "max_page_size": CHUNK,
        "max_single_get_size": CHUNK,
        "max_chunk_get_size": CHUNK,
        "raw_request_hook": hook(guard),
    }


def by_address(url: str, certificate: str, guard: Guard, credential: Any = None) -> "BlobClient":
    """The client of the blob that a URL leads to, which has a grant of its own (SAS) or needs the credential."""
    from azure.storage.blob import BlobClient

    return BlobClient.from_blob_url(url, None if "sig=" in url else credential, **options(certificate, guard))


def container(endpoint: str, name: str, credential: Any, certificate: str, guard: Guard) -> "ContainerClient":
    """A container of an account."""
    from azure.storage.blob import ContainerClient

    return ContainerClient(endpoint, name, credential=credential, **options(certificate, guard))


@dataclass(frozen=True)
class State:
    """What a blob says of itself: its length in bytes, its metadata, the number that fences writers, and the tag (ETag)
    that another one takes the place of whenever anything of it changes."""

    length: int
    metadata: Mapping[str, str]
    sequence: int
    copy: str = ""
    copy_told: str = ""
    kind: str = "PageBlob"
    etag: str = ""


@dataclass(frozen=True)
class PageBlob:
    """A page blob. Every verb is one request; see `refusals.told` for what comes back from a service that refuses."""

    reach: Callable[[], "BlobClient"]

    @property
    def client(self) -> "BlobClient":
        """The library's own, as it is now: an address that is granted for a while is renewed meanwhile."""
        return self.reach()

    @property
    def url(self) -> str:
        """Where it is, without what grants access to it."""
        return self.client.url.split("?")[0]

    def state(self) -> State | None:
        """What it says of itself, None where it does not exist."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            told = refusals.patiently(self.client.get_blob_properties)
        except ResourceNotFoundError as absent:
            # A HEAD has no body: its code is in a header.
            if refusals.code_of(absent) in ("", "BlobNotFound", "ContainerNotFound", "ResourceNotFound"):
                return None
            raise
        copy = told.copy
        return State(
            length=told.size,
            metadata=dict(told.metadata or {}),
            sequence=told.page_blob_sequence_number or 0,
            copy=copy.status or "",
            copy_told=copy.status_description or "",
            kind=str(told.blob_type).rsplit(".", 1)[-1],
            etag=told.etag or "",
        )

    def create(self, length: int, metadata: Mapping[str, str]) -> bool:
        """Make it, all zeros; False where there is one already."""
        from azure.core.exceptions import ResourceExistsError

        try:
            refusals.patiently(
                lambda: self.client.create_page_blob(length, metadata=dict(metadata), headers={"If-None-Match": "*"})
            )
        except ResourceExistsError:
            return False
        return True

    def fence(self) -> int:
        """Shut out every other writer: from now on only writes with this number are taken."""
        told: dict[str, Any] = refusals.patiently(lambda: self.client.set_sequence_number("increment"))
        return int(told["blob_sequence_number"])

    def put(self, data: bytes, offset: int, fence: int | None) -> None:
        """Write pages; the service checks their MD5."""
        guard: dict[str, Any] = {} if fence is None else {"if_sequence_number_eq": fence}
        self.client.upload_page(data, offset, len(data), validate_content=True, **guard)

    def clear(self, one: Extent, fence: int | None) -> None:
        """Make pages zero, which takes them off the blob."""
        guard: dict[str, Any] = {} if fence is None else {"if_sequence_number_eq": fence}
        self.client.clear_page(one.offset, one.length, **guard)

    def read(self, one: Extent, etag: str = "") -> bytes:
        """The bytes of a piece, which the service's MD5 vouches for (at most 4 MiB). With `etag` CallerError is raised
        where anything of the blob has changed since it had that tag."""
        from azure.core.exceptions import ResourceModifiedError

        try:
            asked: Any = self.client.download_blob(
                one.offset, one.length, validate_content=True, max_concurrency=1, **_unchanged(etag)
            )
            return bytes(asked.readall())
        except ResourceModifiedError:
            hint = "let it be, and run it again: it begins anew"
            raise CallerError(f"{self.url} was changed while it was read", hint) from None

    def ranges(self) -> Ranges:
        """Where something was written."""
        told = refusals.patiently(lambda: list(self.client.list_page_ranges()))
        return Ranges.of((one.start or 0, (one.end or 0) + 1) for one in told if not one.cleared)

    def note(self, metadata: Mapping[str, str], etag: str) -> bool:
        """Replace its metadata, if nothing of it has changed since it had that tag; False where something has."""
        from azure.core.exceptions import ResourceModifiedError

        try:
            refusals.patiently(lambda: self.client.set_blob_metadata(dict(metadata), **_unchanged(etag)))
        except ResourceModifiedError:
            # Our own word may have come through though its answer did not.
            state = self.state()
            return state is not None and state.metadata == metadata
        return True

    def copy_from(self, url: str, metadata: Mapping[str, str]) -> None:
        """Have the service copy another blob of the account here, if there is none; it may go on after this returns."""
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError

        headers = {"If-None-Match": "*"}
        # Begun by a try whose answer was lost, or by somebody else: 409, or 412 as Copy Blob has it for its conditions.
        with suppress(ResourceExistsError, ResourceModifiedError):
            refusals.patiently(lambda: self.client.start_copy_from_url(url, metadata=dict(metadata), headers=headers))

    def delete(self, etag: str = "") -> None:
        """Remove it; with `etag` only if nothing of it has changed since. One that is gone already is no fault."""
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

        with suppress(ResourceNotFoundError, ResourceModifiedError):
            refusals.patiently(lambda: self.client.delete_blob(**_unchanged(etag)))


def _unchanged(etag: str) -> dict[str, Any]:
    """The condition that a blob still has this tag; none without one."""
    from azure.core import MatchConditions

    return {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
