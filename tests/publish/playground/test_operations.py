"""What takes long, told in all three styles: each client's poller ends when the service does, and how it does."""

from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute import ComputeManagementClient

from publish.playground.around import jwt
from publish.playground.azure import GROUP, Playground
from publish.playground.world import STYLES, SUBSCRIPTION
from tests.publish.playground.bodies import PLACE, definition, disk, image, version

pytestmark = pytest.mark.real


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest, playground: Playground) -> str:
    playground.world.style = request.param
    return str(request.param)


def states(found: Any) -> str:
    return str(found.as_dict()["properties"]["provisioningState"])


def test_makes_and_removes_everything(
    style: str, compute: ComputeManagementClient, name: str, vhd: str, playground: Playground
) -> None:
    made = [
        compute.galleries.begin_create_or_update(GROUP, name, {"location": PLACE, "properties": {}}).result(),
        compute.gallery_images.begin_create_or_update(GROUP, name, "a", definition()).result(),
        compute.gallery_image_versions.begin_create_or_update(GROUP, name, "a", "1.2.3", version(vhd)).result(),
        compute.disks.begin_create_or_update(GROUP, name, disk()).result(),
        compute.images.begin_create_or_update(GROUP, name, image(vhd)).result(),
    ]
    assert {states(one) for one in made} == {"Succeeded"}
    compute.gallery_image_versions.begin_delete(GROUP, name, "a", "1.2.3").result()
    compute.gallery_images.begin_delete(GROUP, name, "a").result()
    for one in (compute.galleries, compute.disks, compute.images):
        one.begin_delete(GROUP, name).result()
    assert not [one for one in playground.world.resources if f"/{name}" in one]


def test_changes_everything(style: str, compute: ComputeManagementClient, images: str, vhd: str) -> None:
    put = compute.gallery_image_versions.begin_create_or_update
    put(GROUP, images, "a", "1.2.3", version(vhd, excludeFromLatest=True)).result()
    changed = put(GROUP, images, "a", "1.2.3", version(vhd, excludeFromLatest=False)).result().as_dict()
    assert changed["properties"]["publishingProfile"]["excludeFromLatest"] is False
    tagged = {"tags": {"a": "b"}}
    assert compute.galleries.begin_update(GROUP, images, tagged).result().tags == tagged["tags"]
    assert compute.gallery_images.begin_update(GROUP, images, "a", tagged).result().tags == tagged["tags"]


def test_gives_the_address_in_the_end(style: str, compute: ComputeManagementClient, name: str) -> None:
    compute.disks.begin_create_or_update(GROUP, name, disk()).result()
    asked = {"access": "Write", "durationInSeconds": 60}
    granted = compute.disks.begin_grant_access(GROUP, name, asked).result()
    assert "sig=" in str(granted.access_sas)


@pytest.mark.parametrize("kind", ["galleries", "disks", "images"])
def test_fails_as_it_was_told_to(
    kind: str, style: str, compute: ComputeManagementClient, name: str, vhd: str, playground: Playground
) -> None:
    bodies = {"galleries": {"location": PLACE, "properties": {}}, "disks": disk(), "images": image(vhd)}
    playground.world.faults.failing[name] = ("InternalExecutionError", "It broke inside.")
    with pytest.raises(HttpResponseError) as caught:
        getattr(compute, kind).begin_create_or_update(GROUP, name, bodies[kind]).result()
    if style != "body":  # there, the service says no more than Failed
        assert "It broke inside." in str(caught.value)
    assert states(getattr(compute, kind).get(GROUP, name)) == "Failed"


def test_goes_on_where_a_poller_was_left(compute: ComputeManagementClient, images: str, vhd: str) -> None:
    begin = compute.gallery_image_versions.begin_create_or_update
    begin(GROUP, images, "a", "1.2.3", version(vhd), polling=False)
    seen = [states(compute.gallery_image_versions.get(GROUP, images, "a", "1.2.3")) for _ in range(6)]
    assert (seen[0], seen[-1]) == ("Creating", "Succeeded") and seen == sorted(seen)


def test_needs_as_many_questions_as_it_is_told_to(
    compute: ComputeManagementClient, name: str, playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playground.world, "polls", 4)
    before = len(playground.world.exchanges)
    compute.disks.begin_create_or_update(GROUP, name, disk()).result()
    asked = [one for one in playground.world.exchanges[before:] if "/operations/" in one.path]
    assert len(asked) == 4


def test_knows_no_operation_that_it_did_not_begin(playground: Playground) -> None:
    world = playground.world
    url = f"{world.url}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/operations/none"
    headers = {"Authorization": f"Bearer {jwt(world.url)}"}
    answer = requests.get(url, headers=headers, verify=playground.certificate.authority, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NotFound")
