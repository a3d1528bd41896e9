"""The blobs that the double of Azure looks at: staged files, and the managed disks that it makes itself."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from build.errors import CallerError
from build.vhd import LENGTH, MIB, Footer
from publish.playground.azurite import Azurite

DISKS = "md-impexp-playground"
"""The account of managed disks."""
CONTAINER = "disks"
COPYING = 600
"""Seconds that the source of a copy may be read."""


class Blobs(Protocol):
    """What the double needs of storage."""

    def footer(self, url: str) -> tuple[int, bytes] | None:
        """Length in bytes and the last 512 of a page blob, None where there is none."""

    def make_disk(self, name: str, length: int) -> str:
        """An empty managed disk of that many bytes; its URL."""

    def copy_disk(self, name: str, source: str) -> str:
        """A managed disk with another's content; its URL."""

    def address(self, url: str, seconds: int, *, write: bool) -> str:
        """A URL that grants access to a managed disk for a while."""


@dataclass(frozen=True)
class AzuriteBlobs:
    """Blobs of an Azurite, whose addresses lead through `gate`; `authority` signed its certificate."""

    azurite: Azurite
    gate: str
    authority: str

    def footer(self, url: str) -> tuple[int, bytes] | None:
        """See Blobs."""
        from azure.core.exceptions import ResourceNotFoundError

        client = self._client(url)
        try:
            length = client.get_blob_properties().size
            return length, client.download_blob(max(0, length - LENGTH), LENGTH).readall()
        except ResourceNotFoundError:
            return None

    def make_disk(self, name: str, length: int) -> str:
        """See Blobs."""
        url = f"{self.gate}/{DISKS}/{CONTAINER}/{name}"
        self._container()
        self._client(url).create_page_blob(length)
        return url

    def copy_disk(self, name: str, source: str) -> str:
        """See Blobs."""
        url = f"{self.gate}/{DISKS}/{CONTAINER}/{name}"
        self._container()
        readable = self.address(source.partition("?")[0], COPYING, write=False)
        self._client(url).start_copy_from_url(self._inner(readable))
        return url

    def address(self, url: str, seconds: int, *, write: bool) -> str:
        """See Blobs."""
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        _, account, container, name = urlsplit(url).path.split("/", 3)
        granted = generate_blob_sas(
            account,
            container,
            name,
            account_key=self.azurite.keys[account],
            permission=BlobSasPermissions(read=True, write=write),
            expiry=datetime.now(UTC) + timedelta(seconds=seconds),
        )
        return f"{url}?{granted}"

    def fence(self, url: str) -> None:
        """Take a blob over, as another writer would."""
        self._client(url).set_sequence_number("increment")

    def _inner(self, url: str) -> str:
        return f"{self.azurite.url}/{url.split('/', 3)[3]}"

    def _client(self, url: str) -> Any:
        from azure.storage.blob import BlobClient

        url = url.partition("?")[0]  # the key grants everything
        credential = self.azurite.keys.get(urlsplit(url).path.split("/")[1])
        return BlobClient.from_blob_url(self._inner(url), credential=credential, connection_verify=self.authority)

    def _container(self) -> None:
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import ContainerClient

        key = self.azurite.keys[DISKS]
        client = ContainerClient(f"{self.azurite.url}/{DISKS}", CONTAINER, key, connection_verify=self.authority)
        try:
            client.create_container()
        except ResourceExistsError:
            return


def vhd_fault(found: tuple[int, bytes] | None) -> str:
    """What the service says of a blob that is no fixed VHD; "" of one that is.

    Source: the texts that people quote of the service's own (publishing rules, InvalidVhd).
    """
    if found is None:
        return "The source blob was not found."
    length, footer = found
    if not footer.startswith(b"conectix"):
        return "The specified cookie value in VHD footer is wrong: expected to have cookie value 'conectix'."
    try:
        told = Footer.parse(footer)
    except CallerError as damaged:
        return str(damaged)
    if told.disk_type != 2:
        return "Only fixed VHDs are supported."
    if told.current_size + LENGTH != length or told.current_size % MIB:
        size = f"an unsupported virtual size of {told.current_size} bytes"
        return f"The VHD has {size}. The size must be a whole number (in MBs)."
    return ""
