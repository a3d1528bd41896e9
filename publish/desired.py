"""The resources as they are wanted, in the words of Azure Resource Manager; nothing here asks or changes anything.

Source: the OpenAPI documents of Microsoft.Compute (galleries, disks, images), API versions of 2024 and later. What a
service would choose by itself is said here: since API version 2025-03-03 an image definition without a generation is of
the second, and one without SecurityType is taken for TrustedLaunchSupported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from publish.target import Definition, Region, Target

Body = dict[str, Any]
GENERATION = {1: "V1", 2: "V2"}
UEFI_SIGNATURES = "MicrosoftUefiCertificateAuthorityTemplate"
"""The keys that every Azure machine with Secure Boot has; extra ones come on top."""


@dataclass(frozen=True)
class Source:
    """Where a version takes a disk from: a staged blob of an account, or a managed disk's or snapshot's id."""

    blob: str = ""
    account_id: str = ""
    id: str = ""

    def as_body(self) -> Body:
        """As a version names it: blobs and disks stand in the disk's own source."""
        return {"id": self.id} if self.id else {"uri": self.blob, "storageAccountId": self.account_id}


def gallery(target: Target) -> Body:
    """The gallery; how it is shared decides what it can be asked for later."""
    properties: Body = {"description": target.description}
    if community := target.sharing.community:
        told = {
            "publisherUri": community.website,
            "publisherContact": community.contact,
            "eula": community.eula,
            "publicNamePrefix": community.prefix,
        }
        properties["sharingProfile"] = {"permissions": "Community", "communityGalleryInfo": told}
    elif target.sharing.tenants:
        properties["sharingProfile"] = {"permissions": "Groups"}
    return {"location": target.location, "properties": properties}


def definition(target: Target, one: Definition) -> Body:
    """An image definition, with everything that Azure would otherwise choose."""
    properties: Body = {
        "osType": "Linux",
        "osState": one.state.capitalize(),
        "hyperVGeneration": GENERATION[one.generation],
        "architecture": one.architecture,
        "identifier": {"publisher": one.publisher, "offer": one.offer, "sku": one.sku},
        "features": features(one),
    }
    texts = {
        "description": one.description,
        "eula": one.eula,
        "privacyStatementUri": one.privacy,
        "releaseNoteUri": one.release_notes,
        "endOfLifeDate": midnight(one.end_of_life) if one.end_of_life else "",
    }
    properties |= {key: text for key, text in texts.items() if text}
    return {"location": target.location, "properties": properties}


def features(one: Definition) -> list[Body]:
    """What machines of a definition may choose. Values are text."""
    said = {
        "SecurityType": one.security,
        "DiskControllerTypes": ",".join(one.controllers) if one.generation == 2 else "",
        "IsAcceleratedNetworkSupported": "" if one.accelerated_networking is None else str(one.accelerated_networking),
        "IsHibernateSupported": "True" if one.hibernation else "",
    }
    return [{"name": name, "value": value} for name, value in said.items() if value]


def version(target: Target, source: Source, data: Mapping[int, Source], tags: Mapping[str, str]) -> Body:
    """A version of a gallery's definition, at first left out of the latest unless the target says otherwise."""
    wishes = target.version
    profile: Body = {
        "targetRegions": [region(one, list(data)) for one in wishes.regions],
        "excludeFromLatest": wishes.exclude_from_latest,
        "replicationMode": wishes.replication.capitalize(),
        "storageAccountType": wishes.storage,
    }
    if wishes.end_of_life:
        profile["endOfLifeDate"] = midnight(wishes.end_of_life)
    disks: Body = {"osDiskImage": {"source": source.as_body()}}
    if data:
        disks["dataDiskImages"] = [{"lun": lun, "source": one.as_body()} for lun, one in sorted(data.items())]
    properties: Body = {
        "publishingProfile": profile,
        "safetyProfile": {
            "allowDeletionOfReplicatedLocations": False,
            "blockDeletionBeforeEndOfLife": wishes.keep_until_end_of_life,
        },
        "storageProfile": disks,
    }
    if keys := wishes.uefi_keys:
        properties["securityProfile"] = {"uefiSettings": uefi(keys)}
    return {"location": target.location, "tags": {**wishes.tags, **tags}, "properties": properties}


def uefi(keys: Mapping[str, Sequence[tuple[str, tuple[str, ...]]]]) -> Body:
    """Keys besides Microsoft's. A database may have several, the platform key is one alone."""
    told: Body = {}
    for base, several in keys.items():
        entries = [{"type": kind, "value": list(values)} for kind, values in several]
        told[base] = entries[0] if base == "pk" else entries
    return {"signatureTemplateNames": [UEFI_SIGNATURES], "additionalSignatures": told}


def region(one: Region, luns: Sequence[int]) -> Body:
    """A region that a version is replicated to."""
    told: Body = {"name": one.name, "regionalReplicaCount": one.replicas, "storageAccountType": one.storage}
    if one.encryption_set:
        disks = [{"lun": lun, "diskEncryptionSetId": one.encryption_set} for lun in sorted(luns)]
        told["encryption"] = {"osDiskImage": {"diskEncryptionSetId": one.encryption_set}}
        if disks:
            told["encryption"]["dataDiskImages"] = disks
    return told


def disk(target: Target, size: int, architecture: str, generation: int, tags: Mapping[str, str]) -> Body:
    """A managed disk that waits for its upload; `size` bytes with the footer."""
    return {
        "location": target.location,
        "tags": dict(tags),
        "sku": {"name": target.disk_sku},
        "properties": {
            "osType": "Linux",
            "hyperVGeneration": GENERATION[generation],
            "supportedCapabilities": {"architecture": architecture},
            "creationData": {"createOption": "Upload", "uploadSizeBytes": size},
        },
    }


def managed_image(target: Target, blob: str, data: Mapping[int, str], tags: Mapping[str, str]) -> Body:
    """A managed image of a staged blob: one region, generalized."""
    assert target.generation
    storage: Body = {"osDisk": {"osType": "Linux", "osState": "Generalized", "blobUri": blob}}
    if data:
        storage["dataDisks"] = [{"lun": lun, "blobUri": one} for lun, one in sorted(data.items())]
    properties = {"hyperVGeneration": GENERATION[target.generation], "storageProfile": storage}
    return {"location": target.location, "tags": dict(tags), "properties": properties}


def midnight(day: date) -> str:
    """A day as the service writes moments."""
    return f"{day.isoformat()}T00:00:00Z"
