"""What `az` asks besides galleries and disks: found by its lane, held here without it."""

from typing import Any

import pytest
import requests
from azure.mgmt.compute import ComputeManagementClient

from publish.playground import contract
from publish.playground.around import jwt
from publish.playground.azure import GROUP, Playground
from publish.playground.world import REGIONS, SUBSCRIPTION
from tests.publish.playground.bodies import version

pytestmark = pytest.mark.real


def get(playground: Playground, path: str, *, signed_in: bool = True) -> tuple[int, Any]:
    """Status and body of an answer."""
    world = playground.world
    token = {"Authorization": f"Bearer {jwt(world.url)}"} if signed_in else {}
    answer = requests.get(f"{world.url}{path}", headers=token, verify=playground.certificate.authority, timeout=60)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("version", ["2019-05-01", "2022-09-01"])
def test_tells_its_endpoints_as_one_cloud_to_whoever_asks(version: str, playground: Playground) -> None:
    told = get(playground, f"/metadata/endpoints?api-version={version}", signed_in=False)[1]
    assert (told["resourceManager"], told["authentication"]["loginEndpoint"]) == (playground.world.url,) * 2


def test_tells_the_regions_of_a_subscription(playground: Playground) -> None:
    status, told = get(playground, f"/subscriptions/{SUBSCRIPTION}/locations?api-version=2022-12-01")
    assert status == 200
    assert {one["name"]: one["displayName"] for one in told["value"]} == REGIONS


@pytest.mark.parametrize("path", ["", "/providers/Microsoft.Compute/disks/x"])
def test_knows_nothing_of_a_group_that_is_not_there(path: str, playground: Playground) -> None:
    status, told = get(playground, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/none{path}?api-version=2024-03-02")
    assert (status, told["error"]["code"]) == (404, "ResourceGroupNotFound")


def test_takes_no_role_assignment_s_id_for_any_path() -> None:
    """A document of the contract has a path that is nothing but a parameter: all others would fit it."""
    assert contract.find("GET", "/subscriptions") is None
    assert contract.find("PUT", "/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/r") is not None


@pytest.mark.parametrize("said", ["nothing", "its address"])
def test_takes_a_version_s_source_for_unchanged_where_less_is_said_of_it(
    said: str, compute: ComputeManagementClient, images: str, vhd: str
) -> None:
    """`az` says nothing of it; the account is unknown to older API versions."""
    put = compute.gallery_image_versions.begin_create_or_update
    put(GROUP, images, "a", "1.2.3", version(vhd)).result()
    told = version(vhd, excludeFromLatest=True)
    same = {"source": {"uri": vhd}} if said == "its address" else {}
    told["properties"]["storageProfile"] = {"osDiskImage": {"hostCaching": "ReadOnly", **same}}
    put(GROUP, images, "a", "1.2.3", told).result()
    found = compute.gallery_image_versions.get(GROUP, images, "a", "1.2.3").as_dict()["properties"]
    assert found["publishingProfile"]["excludeFromLatest"] is True
    assert found["storageProfile"]["osDiskImage"]["source"]["uri"] == vhd
