"""What the double is asked with: bodies that the service takes, to be spoilt by a test."""

import uuid
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.storage.blob import BlobClient, ContainerClient

from build.vhd import LENGTH, MIB, Footer
from publish.playground.azure import ACCOUNT, GROUP, Playground
from publish.playground.world import SUBSCRIPTION

PLACE = "westeurope"
SIZE = 64 * MIB
"""Bytes of a disk, without its footer."""
BELOW = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
STORAGE = f"{BELOW}/Microsoft.Storage/storageAccounts/{ACCOUNT}"


def definition(**changes: Any) -> dict[str, Any]:
    identifier = {"publisher": "Kiln", "offer": "linux", "sku": "gen2"}
    properties = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2", "identifier": identifier}
    return {"location": PLACE, "properties": {**properties, **changes}}


def version(source: str, safety: dict[str, Any] | None = None, **profile: Any) -> dict[str, Any]:
    """A version of a staged blob, or of the disk or snapshot with this id."""
    told = {"uri": source, "storageAccountId": STORAGE} if source.startswith("https:") else {"id": source}
    properties = {
        "publishingProfile": {"targetRegions": [{"name": PLACE}], **profile},
        "storageProfile": {"osDiskImage": {"source": told}},
    }
    return {"location": PLACE, "properties": properties | ({"safetyProfile": safety} if safety else {})}


def disk(**data: Any) -> dict[str, Any]:
    """A disk that is uploaded to, or made as `data` says."""
    told = data or {"createOption": "Upload", "uploadSizeBytes": SIZE + LENGTH}
    return {"location": PLACE, "properties": {"osType": "Linux", "creationData": told}}


def image(blob: str, state: str = "Generalized") -> dict[str, Any]:
    """A managed image."""
    told = {"osType": "Linux", "osState": state, "blobUri": blob}
    return {"location": PLACE, "properties": {"hyperVGeneration": "V2", "storageProfile": {"osDisk": told}}}


def upload(playground: Playground, end: bytes | None = None) -> str:
    """Stage an empty disk's VHD, or one that ends so; its URL."""
    key = playground.blobs.azurite.keys[ACCOUNT]
    options: dict[str, Any] = {"credential": key, "connection_verify": str(playground.certificate.authority)}
    with suppress(ResourceExistsError):
        ContainerClient(playground.endpoint, "bodies", **options).create_container()
    url = f"{playground.endpoint}/bodies/x{len(playground.gate.exchanges)}.vhd"
    blob = BlobClient.from_blob_url(url, **options)
    blob.create_page_blob(SIZE + LENGTH)
    blob.upload_page(end or footer(), SIZE, LENGTH)
    return url


def footer(**changes: Any) -> bytes:
    """A fixed VHD's footer, changed as told; its checksum is right nevertheless."""
    return bytes(replace(Footer.build(SIZE, uuid.UUID(int=1), 1_700_000_000), **changes))


def code(error: "pytest.ExceptionInfo[HttpResponseError]") -> str:
    """What the service calls a refusal."""
    return str(error.value.error.code if error.value.error else "")
