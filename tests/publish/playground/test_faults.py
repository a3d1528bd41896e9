"""What goes wrong on purpose, and who may ask: seen by the real libraries, until it is taken out again."""

from typing import Any

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient

from publish.playground.around import expires, jwt
from publish.playground.azure import GROUP, Playground
from publish.playground.world import CLIENT, SUBSCRIPTION, TENANT
from tests.publish.playground.bodies import PLACE, code, version

pytestmark = pytest.mark.real
EMPTY: dict[str, Any] = {"location": PLACE, "properties": {}}


def credential(playground: Playground, secret: str) -> ClientSecretCredential:
    return ClientSecretCredential(
        TENANT,
        CLIENT,
        secret,
        authority=playground.world.url,
        disable_instance_discovery=True,
        connection_verify=str(playground.certificate.authority),
    )


def test_signs_in_who_knows_the_secret(playground: Playground) -> None:
    token = credential(playground, playground.world.secret).get_token("https://x/.default")
    assert expires(token.token) > 0


def test_signs_in_nobody_else(playground: Playground) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        credential(playground, "guessed").get_token("https://x/.default")


@pytest.mark.parametrize(
    ("token", "what"),
    [
        (None, "AuthenticationFailed"),
        ("Basic eDp4", "AuthenticationFailed"),
        ("Bearer nothing", "ExpiredAuthenticationToken"),
        (f"Bearer {jwt('x', -60)}", "ExpiredAuthenticationToken"),
    ],
    ids=["none", "another kind", "not one", "expired"],
)
def test_answers_to_nobody_whose_token_does_not_count(token: str | None, what: str, playground: Playground) -> None:
    url = f"{playground.world.url}/subscriptions/{SUBSCRIPTION}?api-version=2022-12-01"
    headers = {"Authorization": token} if token else {}
    answer = requests.get(url, headers=headers, verify=playground.certificate.authority, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, what)


def test_throttles_and_breaks_as_often_as_told(
    compute: ComputeManagementClient, gallery: str, playground: Playground
) -> None:
    playground.world.faults.throttled = playground.world.faults.broken = 1
    for status in (429, 500):
        with pytest.raises(HttpResponseError) as caught:
            compute.galleries.get(GROUP, gallery)
        assert caught.value.status_code == status
    assert compute.galleries.get(GROUP, gallery).name == gallery


def test_is_patient_with_a_client_that_is(settings: dict[str, Any], gallery: str, playground: Playground) -> None:
    playground.world.faults.throttled = 2
    with ComputeManagementClient(**settings | {"retry_total": 3, "retry_backoff_factor": 0}) as patient:
        assert patient.galleries.get(GROUP, gallery).name == gallery
    assert not playground.world.faults.throttled


@pytest.mark.parametrize(
    ("action", "may"),
    [
        ("Microsoft.Compute/galleries/read", False),
        ("Microsoft.Compute/galleries/write", True),
        ("Microsoft.Compute/galleries/images/read", True),
    ],
)
def test_denies_an_action_and_no_other(
    action: str, may: bool, compute: ComputeManagementClient, gallery: str, playground: Playground
) -> None:
    playground.world.faults.denied.add(action)
    if may:
        assert compute.galleries.get(GROUP, gallery).name == gallery
        return
    with pytest.raises(HttpResponseError, match=f"'{action}'") as caught:
        compute.galleries.get(GROUP, gallery)
    assert (caught.value.status_code, code(caught)) == (403, "AuthorizationFailed")


@pytest.mark.parametrize(
    ("ask", "action"),
    [
        (lambda compute, name: compute.galleries.begin_create_or_update(GROUP, name, EMPTY), "galleries/write"),
        (lambda compute, name: compute.galleries.begin_delete(GROUP, name), "galleries/delete"),
        (lambda compute, name: compute.gallery_images.begin_delete(GROUP, name, "a"), "galleries/images/delete"),
        (lambda compute, name: list(compute.galleries.list_by_resource_group(GROUP)), "galleries/read"),
        (lambda compute, name: compute.disks.begin_revoke_access(GROUP, name), "disks/endGetAccess/action"),
    ],
    ids=["write", "delete", "below", "list", "action"],
)
def test_names_the_action_that_is_needed(
    ask: Any, action: str, compute: ComputeManagementClient, name: str, playground: Playground
) -> None:
    playground.world.faults.denied.add(f"Microsoft.Compute/{action}")
    with pytest.raises(HttpResponseError, match=f"'Microsoft.Compute/{action}'"):
        ask(compute, name)


def test_counts_versions_against_the_quota(
    compute: ComputeManagementClient, images: str, vhd: str, playground: Playground
) -> None:
    put, world = compute.gallery_image_versions.begin_create_or_update, playground.world
    put(GROUP, images, "a", "1.2.3", version(vhd)).result()
    (told,) = compute.usage.list("westeurope")
    world.faults.quota = told.current_value
    with pytest.raises(HttpResponseError) as caught:
        put(GROUP, images, "a", "1.2.4", version(vhd))
    assert code(caught) == "QuotaExceeded"
    put(GROUP, images, "a", "1.2.3", version(vhd)).result()
    world.faults.quota += 1
    put(GROUP, images, "a", "1.2.4", version(vhd)).result()


def test_offers_the_storage_that_each_region_has(compute: ComputeManagementClient) -> None:
    told = list(compute.resource_skus.list())
    zoned = {(one.locations or [""])[0] for one in told if one.name == "Standard_ZRS"}
    assert "westeurope" in zoned and "westus" not in zoned


def test_registers_its_provider_when_asked(playground: Playground) -> None:
    playground.world.faults.unregistered = True
    provider = f"{playground.world.url}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute"
    options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {jwt('x')}"}, "timeout": 60}
    options["verify"] = playground.certificate.authority
    refused = requests.get(f"{provider}/galleries", **options)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "MissingSubscriptionRegistration")
    assert requests.get(provider, **options).json()["registrationState"] == "NotRegistered"
    assert requests.post(f"{provider}/register", **options).json()["registrationState"] == "Registered"
    assert requests.get(f"{provider}/galleries", **options).status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"{", 400), (b"", 400), (b"[]", 400), (b'{"location": "westeurope", "propertys": {}}', 400)],
    ids=["no json", "nothing", "a list", "a slip of the pen"],
)
def test_refuses_a_body_that_is_none(sent: bytes, status: int, playground: Playground) -> None:
    group = f"{playground.world.url}/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    headers = {"Authorization": f"Bearer {jwt('x')}", "Content-Type": "application/json"}
    url = f"{group}/providers/Microsoft.Compute/galleries/x"
    answer = requests.put(url, sent, headers=headers, verify=playground.certificate.authority, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, "InvalidRequestContent")
    playground.world.violations.clear()
