"""Managed disks, snapshots and managed images, and the addresses that disks are uploaded to."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute import ComputeManagementClient
from azure.storage.blob import BlobClient

from build.vhd import LENGTH, MIB
from publish.playground.azure import GROUP, Playground
from tests.publish.playground.bodies import BELOW, SIZE, STORAGE, code, disk, footer, image, upload

pytestmark = pytest.mark.real
READ: dict[str, Any] = {"access": "Read", "durationInSeconds": 600}
WRITE = READ | {"access": "Write"}


def state(compute: ComputeManagementClient, name: str) -> str:
    return str(compute.disks.get(GROUP, name).as_dict()["properties"]["diskState"])


def opened(compute: ComputeManagementClient, playground: Playground, name: str, asked: dict[str, Any]) -> BlobClient:
    """The blob of a disk, by an address that was granted."""
    granted = compute.disks.begin_grant_access(GROUP, name, asked).result()
    return BlobClient.from_blob_url(
        str(granted.access_sas), connection_verify=str(playground.certificate.authority), retry_total=0
    )


def test_takes_an_upload_from_its_first_byte_to_its_last(
    compute: ComputeManagementClient, name: str, playground: Playground
) -> None:
    compute.disks.begin_create_or_update(GROUP, name, disk()).result()
    seen = [state(compute, name)]
    blob = opened(compute, playground, name, WRITE)
    seen.append(state(compute, name))
    blob.upload_page(bytes(range(256)) * 2, 0, 512)
    with pytest.raises(HttpResponseError) as caught:
        compute.disks.begin_revoke_access(GROUP, name).result()
    assert code(caught) == "InvalidVhd"
    seen.append(state(compute, name))
    blob.upload_page(footer(), SIZE, LENGTH)
    compute.disks.begin_revoke_access(GROUP, name).result()
    assert [*seen, state(compute, name)] == ["ReadyToUpload", "ActiveUpload", "ActiveUpload", "Unattached"]
    with pytest.raises(HttpResponseError, match="Write access"):
        compute.disks.begin_grant_access(GROUP, name, WRITE)
    assert opened(compute, playground, name, READ).download_blob(0, 3).readall() == b"\0\1\2"


def test_grants_only_what_was_asked_for(
    compute: ComputeManagementClient, name: str, vhd: str, playground: Playground
) -> None:
    made = {"createOption": "Import", "sourceUri": vhd, "storageAccountId": STORAGE}
    compute.disks.begin_create_or_update(GROUP, name, disk(**made)).result()
    blob = opened(compute, playground, name, READ)
    assert (state(compute, name), blob.get_blob_properties().size) == ("ActiveSAS", SIZE + LENGTH)
    with pytest.raises(HttpResponseError) as caught:
        blob.upload_page(bytes(512), 0, 512)
    assert caught.value.status_code == 403
    with pytest.raises(HttpResponseError, match="revoke its access"):
        compute.disks.begin_delete(GROUP, name)
    compute.disks.begin_revoke_access(GROUP, name).result()
    compute.disks.begin_delete(GROUP, name).result()
    compute.disks.begin_delete(GROUP, name).result()
    assert name not in {one.name for one in compute.disks.list_by_resource_group(GROUP)}


@pytest.mark.parametrize("state_of_it", ["ReadyToUpload", "ActiveUpload"])
def test_lets_nobody_read_what_is_not_there_yet(state_of_it: str, compute: ComputeManagementClient, name: str) -> None:
    compute.disks.begin_create_or_update(GROUP, name, disk()).result()
    if state_of_it == "ActiveUpload":
        compute.disks.begin_grant_access(GROUP, name, WRITE).result()
    with pytest.raises(HttpResponseError, match="Read access"):
        compute.disks.begin_grant_access(GROUP, name, READ)
    assert state(compute, name) == state_of_it


@pytest.mark.parametrize("length", [19 * MIB + LENGTH, 64 * MIB, 64 * MIB + 2 * LENGTH, 0])
def test_refuses_a_size_that_is_none(length: int, compute: ComputeManagementClient, name: str) -> None:
    with pytest.raises(HttpResponseError, match="multiple of MiB"):
        compute.disks.begin_create_or_update(GROUP, name, disk(createOption="Upload", uploadSizeBytes=length))


def test_keeps_what_a_disk_was_made_of(compute: ComputeManagementClient, name: str) -> None:
    begin = compute.disks.begin_create_or_update
    begin(GROUP, name, disk()).result()
    begin(GROUP, name, disk() | {"tags": {"digest": "x"}}).result()
    assert compute.disks.get(GROUP, name).tags == {"digest": "x"}
    compute.disks.begin_update(GROUP, name, {"tags": {"digest": "y"}}).result()
    found = compute.disks.get(GROUP, name).as_dict()
    assert (found["tags"], found["properties"]["diskState"]) == ({"digest": "y"}, "ReadyToUpload")
    with pytest.raises(HttpResponseError) as caught:
        begin(GROUP, name, disk(createOption="Upload", uploadSizeBytes=32 * MIB + LENGTH))
    assert code(caught) == "PropertyChangeNotAllowed"


@pytest.mark.parametrize("kind", ["disks", "snapshots"])
def test_copies_what_a_disk_holds(
    kind: str, compute: ComputeManagementClient, name: str, playground: Playground
) -> None:
    data = {"createOption": "Import", "sourceUri": upload(playground), "storageAccountId": STORAGE}
    compute.disks.begin_create_or_update(GROUP, name, disk(**data)).result()
    made = {"createOption": "Copy", "sourceResourceId": f"{BELOW}/Microsoft.Compute/disks/{name}"}
    copies = getattr(compute, kind)
    copies.begin_create_or_update(GROUP, f"{name}-copy", disk(**made)).result()
    granted = copies.begin_grant_access(GROUP, f"{name}-copy", READ).result()
    blob = BlobClient.from_blob_url(
        str(granted.access_sas), connection_verify=str(playground.certificate.authority), retry_total=0
    )
    assert blob.download_blob(SIZE, LENGTH).readall() == footer()


def test_imports_only_what_is_a_fixed_vhd(compute: ComputeManagementClient, name: str, playground: Playground) -> None:
    data = {"createOption": "Import", "storageAccountId": STORAGE, "sourceUri": upload(playground, bytes(512))}
    with pytest.raises(HttpResponseError) as caught:
        compute.disks.begin_create_or_update(GROUP, name, disk(**data))
    assert code(caught) == "InvalidVhd"


def test_plays_nothing_that_it_does_not_know(compute: ComputeManagementClient, name: str) -> None:
    with pytest.raises(HttpResponseError, match="not played"):
        compute.disks.begin_create_or_update(GROUP, name, disk(createOption="Empty"))
    with pytest.raises(HttpResponseError, match="Nothing of this double"):
        compute.availability_sets.get(GROUP, name)


def test_makes_a_managed_image_of_what_is_generalized(compute: ComputeManagementClient, name: str, vhd: str) -> None:
    begin = compute.images.begin_create_or_update
    with pytest.raises(HttpResponseError, match="generalized"):
        begin(GROUP, name, image(vhd, "Specialized"))
    begin(GROUP, name, image(vhd)).result()
    with pytest.raises(HttpResponseError) as caught:
        begin(GROUP, name, image(f"{vhd}.other"))
    assert code(caught) == "PropertyChangeNotAllowed"
    compute.images.begin_update(GROUP, name, {"tags": {"a": "b"}}).result()
    found = {one.name: one for one in compute.images.list_by_resource_group(GROUP)}[name]
    assert (found.tags, found.location) == ({"a": "b"}, "West Europe")
    compute.images.begin_delete(GROUP, name).result()
    with pytest.raises(HttpResponseError) as caught:
        compute.images.get(GROUP, name)
    assert code(caught) == "ResourceNotFound"


def test_fails_where_a_managed_image_s_blob_is_none(
    compute: ComputeManagementClient, name: str, playground: Playground
) -> None:
    with pytest.raises(HttpResponseError, match="conectix"):
        compute.images.begin_create_or_update(GROUP, name, image(upload(playground, bytes(512)))).result()
    assert compute.images.get(GROUP, name).as_dict()["properties"]["provisioningState"] == "Failed"


@pytest.mark.parametrize("place", ["atlantis", ""])
def test_knows_which_regions_there_are(place: str, compute: ComputeManagementClient, name: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        compute.disks.begin_create_or_update(GROUP, name, disk() | {"location": place})
    assert code(caught) == "LocationNotAvailableForResourceType"
