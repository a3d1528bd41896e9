"""Galleries, definitions and versions: the rules of publishing that no schema tells."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute import ComputeManagementClient

from build.vhd import DYNAMIC
from publish.playground.azure import GROUP, Playground
from publish.playground.world import SUBSCRIPTION
from tests.publish.playground.bodies import BELOW, PLACE, SIZE, STORAGE, code, definition, disk, footer, upload, version

pytestmark = pytest.mark.real
LATER = "2999-01-01T00:00:00Z"
OTHERS = [{"name": "westeurope"}, {"name": "northeurope"}]


def disk_id(name: str) -> str:
    return f"{BELOW}/Microsoft.Compute/disks/{name}"


def state(compute: ComputeManagementClient, gallery: str, name: str = "1.2.3") -> dict[str, Any]:
    found = compute.gallery_image_versions.get(GROUP, gallery, "a", name, expand="ReplicationStatus")
    return dict(found.as_dict()["properties"])


def put(compute: ComputeManagementClient, gallery: str, body: dict[str, Any], name: str = "1.2.3") -> None:
    compute.gallery_image_versions.begin_create_or_update(GROUP, gallery, "a", name, body).result()


@pytest.mark.parametrize("name", ["with-dash", "x" * 81, "ends_"])
def test_refuses_a_gallery_s_name(name: str, compute: ComputeManagementClient) -> None:
    with pytest.raises(HttpResponseError, match="invalid"):
        compute.galleries.begin_create_or_update(GROUP, name, {"location": PLACE, "properties": {}})


def test_knows_a_gallery_s_name_once_in_the_subscription(
    compute: ComputeManagementClient, gallery: str, playground: Playground
) -> None:
    other = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{gallery}"
    playground.world.keep({"id": other, "name": gallery, "location": PLACE, "properties": {}})
    with pytest.raises(HttpResponseError, match="unique in the subscription"):
        compute.galleries.begin_create_or_update(gallery, gallery, {"location": PLACE, "properties": {}})
    assert gallery in {one.name for one in compute.galleries.list()}


@pytest.mark.parametrize("name", ["ends-", "x" * 81, "with space"])
def test_refuses_a_definition_s_name(name: str, compute: ComputeManagementClient, gallery: str) -> None:
    with pytest.raises(HttpResponseError, match="invalid"):
        compute.gallery_images.begin_create_or_update(GROUP, gallery, name, definition())


@pytest.mark.parametrize(("key", "length"), [("publisher", 128), ("offer", 64), ("sku", 64)])
def test_limits_what_a_definition_is_called(
    key: str, length: int, compute: ComputeManagementClient, gallery: str
) -> None:
    begin, told = compute.gallery_images.begin_create_or_update, definition()
    told["properties"]["identifier"][key] = "x" * (length + 1)
    with pytest.raises(HttpResponseError, match=key):
        begin(GROUP, gallery, "a", told)
    told["properties"]["identifier"][key] = "x" * length
    begin(GROUP, gallery, "a", told).result()


@pytest.mark.parametrize(
    "changes",
    [
        {"osType": "Windows"},
        {"osState": "Specialized"},
        {"hyperVGeneration": "V1"},
        {"architecture": "Arm64"},
        {"identifier": {"publisher": "Kiln", "offer": "linux", "sku": "other"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_keeps_what_a_definition_is(changes: dict[str, Any], compute: ComputeManagementClient, images: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        compute.gallery_images.begin_create_or_update(GROUP, images, "a", definition(**changes))
    assert code(caught) == "PropertyChangeNotAllowed"


def test_takes_an_unset_generation_for_the_second(compute: ComputeManagementClient, gallery: str) -> None:
    told = definition()
    del told["properties"]["hyperVGeneration"]
    made = compute.gallery_images.begin_create_or_update(GROUP, gallery, "a", told).result()
    assert made.as_dict()["properties"]["hyperVGeneration"] == "V2"


def test_knows_an_identity_once_whatever_its_case(compute: ComputeManagementClient, images: str) -> None:
    told = definition(identifier={"publisher": "KILN", "offer": "Linux", "sku": "GEN2"})
    with pytest.raises(HttpResponseError) as caught:
        compute.gallery_images.begin_create_or_update(GROUP, images, "b", told)
    assert code(caught) == "Conflict"


def test_needs_what_it_belongs_to(compute: ComputeManagementClient, gallery: str, vhd: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        compute.gallery_images.begin_create_or_update(GROUP, "none", "a", definition())
    assert code(caught) == "ParentResourceNotFound"
    with pytest.raises(HttpResponseError) as caught:
        put(compute, gallery, version(vhd))
    assert code(caught) == "ParentResourceNotFound"
    with pytest.raises(HttpResponseError) as caught:
        compute.galleries.get("nowhere", gallery)
    assert code(caught) == "ResourceGroupNotFound"


def test_replicates_region_by_region(compute: ComputeManagementClient, images: str, vhd: str) -> None:
    begin = compute.gallery_image_versions.begin_create_or_update
    begin(GROUP, images, "a", "1.2.3", version(vhd, targetRegions=OTHERS), polling=False)
    seen = [state(compute, images)["replicationStatus"] for _ in range(8)]
    progress = [[one["progress"] for one in told["summary"]] for told in seen]
    assert progress == sorted(progress) and [0, 0] in progress and [100, 0] in progress
    assert [told["aggregatedState"] for told in (seen[0], seen[-1])] == ["InProgress", "Completed"]
    assert [one["region"] for one in seen[-1]["summary"]] == ["West Europe", "North Europe"]


def test_says_nothing_of_replication_unless_asked(compute: ComputeManagementClient, images: str, vhd: str) -> None:
    put(compute, images, version(vhd))
    found = compute.gallery_image_versions.get(GROUP, images, "a", "1.2.3").as_dict()["properties"]
    assert "replicationStatus" not in found
    assert found["publishingProfile"]["targetRegions"] == [
        {"name": "West Europe", "regionalReplicaCount": 1, "storageAccountType": "Standard_LRS"}
    ]


@pytest.mark.parametrize(
    ("end", "what"),
    [
        (bytes(512), "conectix"),
        (footer(disk_type=DYNAMIC), "Only fixed"),
        (footer(current_size=SIZE - 512), "whole number"),
        (footer()[:-1] + b"x", "checksum"),
    ],
    ids=["nothing", "dynamic", "size", "damaged"],
)
def test_finds_that_a_blob_is_no_fixed_vhd(
    end: bytes, what: str, compute: ComputeManagementClient, images: str, playground: Playground
) -> None:
    with pytest.raises(HttpResponseError, match=what) as caught:
        put(compute, images, version(upload(playground, end)))
    assert code(caught) == "InvalidVhd"


def test_takes_a_disk_as_the_disk_of_an_image_only(compute: ComputeManagementClient, images: str, vhd: str) -> None:
    made = {"createOption": "Import", "sourceUri": vhd, "storageAccountId": STORAGE}
    compute.disks.begin_create_or_update(GROUP, images, disk(**made)).result()
    told = version(disk_id(images))
    wrong = told | {"properties": told["properties"] | {"storageProfile": {"source": {"id": disk_id(images)}}}}
    with pytest.raises(HttpResponseError, match="must either be a managed image"):
        put(compute, images, wrong)
    put(compute, images, told)
    assert state(compute, images)["provisioningState"] == "Succeeded"


def test_takes_no_disk_that_is_uploaded_to(compute: ComputeManagementClient, images: str) -> None:
    compute.disks.begin_create_or_update(GROUP, images, disk()).result()
    with pytest.raises(HttpResponseError, match="still being uploaded to"):
        put(compute, images, version(disk_id(images)))


def test_wants_its_source_where_it_is_itself(
    compute: ComputeManagementClient, images: str, vhd: str, playground: Playground
) -> None:
    away = f"{STORAGE}away"
    playground.world.keep({"id": away, "name": "away", "location": "West US", "properties": {}})
    told = version(vhd)
    source = told["properties"]["storageProfile"]["osDiskImage"]["source"]
    for account, what in ((away, "same region"), (f"{STORAGE}none", "not found")):
        source["storageAccountId"] = account
        with pytest.raises(HttpResponseError, match=what):
            put(compute, images, told)
    del source["storageAccountId"]
    with pytest.raises(HttpResponseError, match="storageAccountId"):
        put(compute, images, told)


def test_needs_the_permission_to_list_the_keys_of_its_source_s_account(
    compute: ComputeManagementClient, images: str, vhd: str, playground: Playground
) -> None:
    action = "Microsoft.Storage/storageAccounts/listKeys/action"
    playground.world.faults.denied.add(action)
    with pytest.raises(HttpResponseError, match=action) as caught:
        put(compute, images, version(vhd))
    assert (caught.value.status_code, code(caught)) == (403, "LinkedAuthorizationFailed")


def test_keeps_what_a_version_was_made_of(
    compute: ComputeManagementClient, images: str, vhd: str, playground: Playground
) -> None:
    put(compute, images, version(vhd))
    with pytest.raises(HttpResponseError) as caught:
        put(compute, images, version(upload(playground)))
    assert code(caught) == "PropertyChangeNotAllowed"


def test_needs_its_source_no_more_once_it_is_made(
    compute: ComputeManagementClient, images: str, vhd: str, playground: Playground
) -> None:
    """Replication has copied it: staging may be collected, and the version promoted afterwards."""
    put(compute, images, version(vhd, excludeFromLatest=True))
    playground.blobs._client(vhd).delete_blob()
    put(compute, images, version(vhd, excludeFromLatest=False))
    assert state(compute, images)["provisioningState"] == "Succeeded"


def test_is_made_anew_where_it_failed(
    compute: ComputeManagementClient, images: str, vhd: str, playground: Playground
) -> None:
    playground.world.faults.regions.add("northeurope")
    with pytest.raises(HttpResponseError, match="North Europe"):
        put(compute, images, version(vhd, targetRegions=OTHERS))
    told = state(compute, images)
    assert (told["provisioningState"], told["replicationStatus"]["aggregatedState"]) == ("Failed", "Failed")
    assert [one["state"] for one in told["replicationStatus"]["summary"]] == ["Completed", "Failed"]
    playground.world.faults.regions.clear()
    put(compute, images, version(vhd, targetRegions=OTHERS))
    assert state(compute, images)["provisioningState"] == "Succeeded"


def test_drops_a_region_only_where_that_is_allowed(compute: ComputeManagementClient, images: str, vhd: str) -> None:
    put(compute, images, version(vhd, {"allowDeletionOfReplicatedLocations": False}, targetRegions=OTHERS))
    with pytest.raises(HttpResponseError, match="allowDeletionOfReplicatedLocations"):
        put(compute, images, version(vhd, {"allowDeletionOfReplicatedLocations": False}))
    put(compute, images, version(vhd, {"allowDeletionOfReplicatedLocations": True}))
    assert len(state(compute, images)["replicationStatus"]["summary"]) == 1


def test_keeps_a_version_until_its_end_where_that_is_wished(
    compute: ComputeManagementClient, images: str, vhd: str
) -> None:
    put(compute, images, version(vhd, {"blockDeletionBeforeEndOfLife": True}, endOfLifeDate=LATER))
    with pytest.raises(HttpResponseError, match="end of life"):
        compute.gallery_image_versions.begin_delete(GROUP, images, "a", "1.2.3")
    put(compute, images, version(vhd, {"blockDeletionBeforeEndOfLife": False}, endOfLifeDate=LATER))
    compute.gallery_image_versions.begin_delete(GROUP, images, "a", "1.2.3").result()
    compute.gallery_image_versions.begin_delete(GROUP, images, "a", "1.2.3").result()
    assert not list(compute.gallery_image_versions.list_by_gallery_image(GROUP, images, "a"))


@pytest.mark.parametrize("count", [0, 101])
def test_limits_how_many_replicas_a_region_has(
    count: int, compute: ComputeManagementClient, images: str, vhd: str
) -> None:
    with pytest.raises(HttpResponseError, match="from 1 to 100"):
        put(compute, images, version(vhd, targetRegions=[{"name": PLACE, "regionalReplicaCount": count}]))


def test_is_left_alone_while_it_is_made(compute: ComputeManagementClient, images: str, vhd: str) -> None:
    begin = compute.gallery_image_versions.begin_create_or_update
    begin(GROUP, images, "a", "1.2.3", version(vhd), polling=False)
    with pytest.raises(HttpResponseError, match="in progress"):
        begin(GROUP, images, "a", "1.2.3", version(vhd))


def test_changes_what_a_patch_names(compute: ComputeManagementClient, images: str, vhd: str) -> None:
    put(compute, images, version(vhd, excludeFromLatest=True))
    only = {"properties": {"publishingProfile": {"excludeFromLatest": False}, "storageProfile": {}}}
    compute.gallery_image_versions.begin_update(GROUP, images, "a", "1.2.3", only).result()
    found = state(compute, images)
    assert found["publishingProfile"]["excludeFromLatest"] is False
    assert found["storageProfile"]["osDiskImage"]["source"]["uri"] == vhd


def test_is_shared_as_its_profile_allows(compute: ComputeManagementClient, gallery: str) -> None:
    share = compute.gallery_sharing_profile.begin_update
    told = {"operationType": "Add", "groups": [{"type": "AADTenants", "ids": ["t"]}]}
    for refused in (told, {"operationType": "EnableCommunity"}):
        with pytest.raises(HttpResponseError) as caught:
            share(GROUP, gallery, refused)
        assert code(caught) == "Conflict"
    body = {"location": PLACE, "properties": {"sharingProfile": {"permissions": "Groups"}}}
    compute.galleries.begin_create_or_update(GROUP, gallery, body).result()
    share(GROUP, gallery, told).result()
    found = compute.galleries.get(GROUP, gallery).as_dict()
    assert found["properties"]["sharingProfile"]["groups"] == told["groups"]
    share(GROUP, gallery, {"operationType": "Reset"}).result()
    assert "groups" not in compute.galleries.get(GROUP, gallery).as_dict()["properties"]["sharingProfile"]
