"""The double of Azure: rules of the service that no schema tells, asked by the real library."""

import subprocess
import sys
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute import ComputeManagementClient

from publish.playground.azure import GROUP, Playground
from tests.publish.playground.bodies import PLACE, code, definition, version

pytestmark = pytest.mark.real


def test_keeps_an_identity_for_ever_and_for_one(compute: ComputeManagementClient, gallery: str) -> None:
    put = compute.gallery_images.begin_create_or_update
    put(GROUP, gallery, "a", definition()).result()
    with pytest.raises(HttpResponseError) as caught:
        put(GROUP, gallery, "b", definition())
    assert code(caught) == "Conflict"
    with pytest.raises(HttpResponseError) as caught:
        put(GROUP, gallery, "a", definition(osState="Specialized"))
    assert code(caught) == "PropertyChangeNotAllowed"
    features = [{"name": "SecurityType", "value": "Standard"}]
    with pytest.raises(HttpResponseError):
        put(GROUP, gallery, "a", definition(features=features))
    put(GROUP, gallery, "a", definition(features=features, allowUpdateImage=True)).result()


@pytest.mark.parametrize(
    ("name", "profile", "what"),
    [
        ("1.2", {}, "invalid"),
        ("1.2.2147483648", {}, "invalid"),
        ("1.2.3", {"targetRegions": [{"name": "westus"}]}, "must contain the version's own location"),
        ("1.2.3", {"targetRegions": [{"name": PLACE}, {"name": "West Europe"}]}, "named twice"),
        ("1.2.3", {"targetRegions": [{"name": PLACE}, {"name": "atlantis"}]}, "not available"),
        (
            "1.2.3",
            {"targetRegions": [{"name": PLACE}, {"name": "westus", "storageAccountType": "Standard_ZRS"}]},
            "ZRS storage account type is not supported",
        ),
        ("1.2.3", {"endOfLifeDate": "2020-01-01T00:00:00Z"}, "must lie in the future"),
    ],
)
def test_refuses_a_version_as_the_service_does(
    name: str,
    profile: dict[str, Any],
    what: str,
    compute: ComputeManagementClient,
    gallery: str,
    playground: Playground,
) -> None:
    compute.gallery_images.begin_create_or_update(GROUP, gallery, "a", definition()).result()
    with pytest.raises(HttpResponseError, match=what):
        compute.gallery_image_versions.begin_create_or_update(
            GROUP, gallery, "a", name, version(f"{playground.endpoint}/kiln/none.vhd", **profile)
        )


@pytest.mark.parametrize("style", ["azure-async", "location", "body"])
def test_fails_in_every_style(
    style: str, compute: ComputeManagementClient, gallery: str, playground: Playground
) -> None:
    playground.world.style = style
    compute.gallery_images.begin_create_or_update(GROUP, gallery, "a", definition()).result()
    put = compute.gallery_image_versions.begin_create_or_update
    with pytest.raises(HttpResponseError):
        put(GROUP, gallery, "a", "1.2.3", version(f"{playground.endpoint}/kiln/none.vhd")).result()
    found = compute.gallery_image_versions.get(GROUP, gallery, "a", "1.2.3").as_dict()
    assert found["properties"]["provisioningState"] == "Failed"


def test_stays_in_creating_as_long_as_it_is_stuck(
    compute: ComputeManagementClient, gallery: str, playground: Playground
) -> None:
    compute.gallery_images.begin_create_or_update(GROUP, gallery, "a", definition()).result()
    playground.world.faults.stuck.add("1.2.3")
    compute.gallery_image_versions.begin_create_or_update(
        GROUP, gallery, "a", "1.2.3", version(f"{playground.endpoint}/kiln/none.vhd"), polling=False
    )
    for _ in range(9):
        found = compute.gallery_image_versions.get(GROUP, gallery, "a", "1.2.3", expand="ReplicationStatus").as_dict()
    assert found["properties"]["provisioningState"] == "Creating"


def test_removes_nothing_that_holds_something(compute: ComputeManagementClient, gallery: str) -> None:
    compute.gallery_images.begin_create_or_update(GROUP, gallery, "a", definition()).result()
    with pytest.raises(HttpResponseError, match="nested resources"):
        compute.galleries.begin_delete(GROUP, gallery)
    compute.gallery_images.begin_delete(GROUP, gallery, "a").result()
    compute.galleries.begin_delete(GROUP, gallery).result()
    with pytest.raises(HttpResponseError) as caught:
        compute.galleries.get(GROUP, gallery)
    assert code(caught) == "ResourceNotFound"


def test_closes_no_disk_that_holds_none(compute: ComputeManagementClient, playground: Playground) -> None:
    name = f"disk{len(playground.world.resources)}"
    data = {"createOption": "Upload", "uploadSizeBytes": (64 << 20) + 512}
    body = {"location": PLACE, "properties": {"osType": "Linux", "creationData": data}}
    compute.disks.begin_create_or_update(GROUP, name, body).result()
    granted = compute.disks.begin_grant_access(GROUP, name, {"access": "Write", "durationInSeconds": 60}).result()
    assert "sig=" in str(granted.access_sas)
    assert compute.disks.get(GROUP, name).as_dict()["properties"]["diskState"] == "ActiveUpload"
    with pytest.raises(HttpResponseError, match="conectix"):
        compute.disks.begin_revoke_access(GROUP, name)


def test_is_gone_when_whoever_started_it_is_killed(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("killed")
    code = (
        "import os, pathlib, sys, time\nfrom publish.playground import azure\n"
        "with azure.running(pathlib.Path(sys.argv[1])) as one:\n"
        "    print(one.blobs.azurite.port, flush=True)\n    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    port = int(child.stdout.readline())
    child.kill()
    child.wait()
    assert not answers_soon(port)


def answers_soon(port: int) -> bool:
    """Whether somebody still listens there; the kernel may need a moment to end a process."""
    import socket
    import time

    for _ in range(50):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)):
                return False
        time.sleep(0.1)
    return True
