"""Where an image goes, as `gallery.toml` says it: plain values. `targetfile` reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from publish.clouds import Cloud

KINDS = ("gallery", "managed-image", "managed-disk")
"""The three ways in which Azure keeps an image."""


@dataclass(frozen=True)
class Region:
    """A region that a version is replicated to: how many replicas, on which storage, encrypted by which set."""

    name: str
    replicas: int = 1
    storage: str = ""
    encryption_set: str = ""


@dataclass(frozen=True)
class Definition:
    """An image definition. `image` is a pattern of names of images that may become its versions.

    What never changes once it exists: publisher, offer and sku, generation, state, architecture. `security` is the
    feature SecurityType, `controllers` are disk controllers that its virtual machines may have; what is said of
    `accelerated_networking` is left to Azure where it is None.
    """

    name: str
    publisher: str
    offer: str
    sku: str
    generation: int
    state: str = "generalized"
    architecture: str = "x64"
    security: str = "Standard"
    controllers: tuple[str, ...] = ("SCSI",)
    accelerated_networking: bool | None = None
    hibernation: bool = False
    image: str = "*"
    description: str = ""
    eula: str = ""
    privacy: str = ""
    release_notes: str = ""
    end_of_life: date | None = None


@dataclass(frozen=True)
class VersionWishes:
    """How versions are made: `major` where the image's recipe does not say it, `storage` for regions without their own.

    `uefi_keys` are extra keys by database (db, dbx, kek, pk), each a type ("x509" or "sha256") and base64 texts.
    """

    regions: tuple[Region, ...]
    major: int | None = None
    replication: str = "full"
    storage: str = "Standard_LRS"
    end_of_life: date | None = None
    keep_until_end_of_life: bool = False
    exclude_from_latest: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)
    uefi_keys: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Community:
    """What a community gallery tells the public about whose it is."""

    prefix: str
    website: str
    contact: str
    eula: str


@dataclass(frozen=True)
class Sharing:
    """Who else may use the gallery: object ids of groups (role Reader), ids of tenants, everybody."""

    groups: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    community: Community | None = None


@dataclass(frozen=True)
class Staging:
    """The storage account that files are uploaded to. `route` is how they get on: as "blob" or by a managed "disk"."""

    account: str
    container: str = "kiln"
    resource_group: str = ""
    route: str = "blob"


@dataclass(frozen=True)
class DataDisk:
    """A data disk that comes with the image: the number that a machine has it at, and a fixed VHD."""

    lun: int
    file: Path


@dataclass(frozen=True)
class Target:
    """The whole of it. `kind` is one of KINDS; `name` that of the gallery, the managed image or the managed disk.

    `disk_sku` is a managed disk's storage; `file` is what it was read from, as the caller named it.
    """

    file: str
    cloud: Cloud
    subscription: str
    resource_group: str
    location: str
    kind: str
    name: str
    staging: Staging
    description: str = ""
    definitions: tuple[Definition, ...] = ()
    version: VersionWishes = VersionWishes(())
    sharing: Sharing = Sharing()
    data_disks: tuple[DataDisk, ...] = ()
    disk_sku: str = "StandardSSD_LRS"
    generation: int | None = None

    @property
    def group_id(self) -> str:
        """The resource group's id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def account_id(self) -> str:
        """The staging account's id."""
        group = self.staging.resource_group or self.resource_group
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{group}"
            f"/providers/Microsoft.Storage/storageAccounts/{self.staging.account}"
        )

    @property
    def blob_endpoint(self) -> str:
        """The URL of the staging account's blobs."""
        return self.cloud.blob.format(account=self.staging.account)

    def compute_id(self, kind: str, name: str) -> str:
        """The id of a resource of Microsoft.Compute in the group."""
        return f"{self.group_id}/providers/Microsoft.Compute/{kind}/{name}"


def plain_region(name: str) -> str:
    """A region's name as it is compared: Azure answers "West Europe" where "westeurope" was said."""
    return name.replace(" ", "").lower()
