"""The metadata service."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.azure.apiversions import INTRODUCED, VERSIONS
from harness.azure.host import AzureHost
from harness.azure.http import Request, Response
from harness.azure.imds import imds
from harness.azure.instance import instance
from harness.vm import DataDisk, NetworkInterface, VirtualMachine
from tests.harness.azure.machines import GENERALIZED, KEY, SPECIALIZED

METADATA = {"Metadata": "true"}
NEWEST = "api-version=2025-04-07"


def ask(
    target: str,
    vm: VirtualMachine = GENERALIZED,
    method: str = "GET",
    headers: Mapping[str, str] = METADATA,
) -> Response:
    request = Request.to(method, f"/metadata/{target}", headers)
    return imds(AzureHost(vm))(request)


def document(version: str = "2025-04-07", vm: VirtualMachine = GENERALIZED) -> Any:
    return json.loads(ask(f"instance?api-version={version}", vm).body)


@pytest.mark.parametrize("version", VERSIONS)
def test_answers_every_version(version: str) -> None:
    assert document(version)["compute"]["vmId"] == str(GENERALIZED.vm_id)


def test_lists_its_versions_without_being_asked_for_one() -> None:
    assert json.loads(ask("versions").body) == {"apiVersions": list(VERSIONS)}


@pytest.mark.parametrize(
    ("target", "method", "headers", "status", "message"),
    [
        (f"instance?{NEWEST}", "GET", {"Accept": "*/*"}, 400, "Required metadata header"),
        (f"instance?{NEWEST}", "GET", {"Metadata": "false"}, 400, "Required metadata header"),
        ("versions", "GET", {"Accept": "*/*"}, 400, "Required metadata header"),
        (f"instance?{NEWEST}", "GET", {**METADATA, "X-Forwarded-For": "10.0.0.9"}, 400, "forwarded"),
        (f"instance?{NEWEST}", "POST", METADATA, 405, "Method not allowed"),
        ("instance", "GET", METADATA, 400, "api-version"),
        ("instance?api-version=2017-01-01", "GET", METADATA, 400, "api-version"),
        (f"instance?{NEWEST}&{NEWEST}", "GET", METADATA, 400, "more than once"),
        (f"instance/compute/nothing?{NEWEST}", "GET", METADATA, 404, "Not found"),
        (f"instance/network/interface/1?{NEWEST}", "GET", METADATA, 404, "Not found"),
        (f"instance/network/interface/-1?{NEWEST}", "GET", METADATA, 404, "Not found"),
        (f"instance/compute/name/x?{NEWEST}&format=text", "GET", METADATA, 404, "Not found"),
        (f"instance/extended?{NEWEST}", "GET", METADATA, 404, "Not found"),
        (f"instancex?{NEWEST}", "GET", METADATA, 404, "Not found"),
        (f"attested?{NEWEST}", "GET", METADATA, 404, "Not found"),
        (f"attested/document?{NEWEST}&nonce=12345678901", "GET", METADATA, 400, "10 digits"),
        (f"attested/document?{NEWEST}&nonce=secret", "GET", METADATA, 400, "10 digits"),
        ("attested/document?api-version=2018-04-02", "GET", METADATA, 400, "api-version"),
        (f"loadbalancer?{NEWEST}", "GET", METADATA, 404, "No load balancer"),
        (f"loadbalancer/x?{NEWEST}", "GET", METADATA, 404, "No load balancer"),
        ("loadbalancer?api-version=2020-09-01", "GET", METADATA, 400, "api-version"),
        ("reprovisiondata?api-version=2019-06-01", "GET", METADATA, 404, "Not found"),
        ("scheduledevents", "GET", METADATA, 400, "2020-07-01"),
        ("scheduledevents?api-version=2021-08-01", "GET", METADATA, 400, "api-version"),
        ("scheduledevents/x?api-version=2020-07-01", "GET", METADATA, 404, "Not found"),
        ("scheduledevents?api-version=2020-07-01", "PUT", METADATA, 405, "Method not allowed"),
        ("scheduledevents?api-version=2020-07-01", "POST", METADATA, 400, "StartRequests"),
        (f"instance/compute/name?{NEWEST}", "GET", METADATA, 400, "format=text"),
        (f"instance?{NEWEST}&format=yaml", "GET", METADATA, 400, "format"),
        ("identity/oauth2/token?api-version=2018-02-01&resource=x", "GET", METADATA, 400, "Identity not found"),
        ("identity/info?api-version=2018-02-01", "GET", METADATA, 400, "Identity not found"),
        ("identity/oauth2/token?api-version=2018-02-01", "GET", METADATA, 400, "'resource' is missing"),
        ("identity/oauth2/token?resource=x", "GET", METADATA, 400, "'api-version' is missing"),
        ("identity/oauth2/token?api-version=2018-02-01&resource=x", "GET", {}, 400, "bad_request_102"),
        ("identity/oauth2/token?api-version=2018-02-01&resource=x", "POST", METADATA, 405, "Method not allowed"),
        ("identity?api-version=2018-02-01", "GET", METADATA, 404, "Not found"),
    ],
)
def test_refuses_what_azure_refuses(
    target: str, method: str, headers: dict[str, str], status: int, message: str
) -> None:
    answer = ask(target, method=method, headers=headers)
    assert (answer.status, message in answer.body.decode()) == (status, True)


def test_names_newest_versions_when_it_refuses_one() -> None:
    told = json.loads(ask("instance?api-version=2099-01-01").body)
    assert told["newest-versions"] == ["2025-04-07", "2024-07-17", "2024-03-15"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("compute/name", "vm-alpha"),
        ("compute/userData", base64.b64encode(b"#cloud-config\n{}\n").decode()),
        ("compute/customData", ""),
        ("compute/osProfile/disablePasswordAuthentication", "true"),
        ("compute/publicKeys", "0/"),
        ("compute/publicKeys/0/keyData", KEY),
        ("compute/tags", "purpose:test;owner:kiln"),
        ("network/interface/0/macAddress", "6045BD000004"),
        ("network/interface/0/ipv4/ipAddress/0/privateIpAddress", "10.0.0.4"),
        ("network/interface/0", "ipv4/\nipv6/\nmacAddress"),
        ("", "compute/\nnetwork/"),
    ],
)
def test_gives_nodes_as_text(path: str, text: str) -> None:
    answer = ask(f"instance/{path}?{NEWEST}&format=text")
    assert (answer.status, answer.body.decode()) == (200, text)


def test_gives_part_of_the_document() -> None:
    assert json.loads(ask(f"instance/network/interface/0/?{NEWEST}").body) == document()["network"]["interface"][0]


def test_tells_more_when_asked_for_extended() -> None:
    told = json.loads(ask("instance?api-version=2021-08-01&extended=true").body)
    assert told["extended"] == {"compute": {"hasCustomData": True, "ppsType": "None"}}


def test_holds_strings_alone() -> None:
    def leaves(node: Any) -> list[Any]:
        if isinstance(node, dict):
            return [leaf for child in node.values() for leaf in leaves(child)]
        return [leaf for child in node for leaf in leaves(child)] if isinstance(node, list) else [node]

    assert {type(leaf) for leaf in leaves(document())} == {str}


def test_knows_no_profile_of_a_specialized_machine() -> None:
    compute = document(vm=SPECIALIZED)["compute"]
    assert "osProfile" not in compute
    assert (compute["publicKeys"], compute["userData"]) == ([], "")


def test_swaps_the_identity_of_generation_1() -> None:
    vm = replace(GENERALIZED, generation=1)
    assert document(vm=vm)["compute"]["vmId"] == "22221111-3333-4444-5555-666677778888"


@pytest.mark.parametrize(
    ("version", "missing", "present"),
    [
        ("2017-03-01", "network", "compute"),
        ("2019-06-01", "compute/osProfile", "compute/storageProfile"),
        ("2020-07-15", "compute/osProfile/disablePasswordAuthentication", "compute/osProfile/computerName"),
        ("2020-12-01", "compute/userData", "compute/priority"),
        ("2021-08-01", "compute/physicalZone", "compute/userData"),
    ],
)
def test_hides_newer_fields(version: str, missing: str, present: str) -> None:
    def has(path: str, version: str) -> bool:
        node = document(version)
        for key in path.split("/"):
            if key not in node:
                return False
            node = node[key]
        return True

    assert has(missing, VERSIONS[-1])
    assert not has(missing, version)
    assert has(present, version)


def test_introduces_only_fields_that_exist() -> None:
    whole = instance(replace(GENERALIZED, data_disks=(DataDisk(0, 4),)))
    for path in (path for paths in INTRODUCED.values() for path in paths):
        node: Any = whole
        for key in path.split("/"):
            node = (node[0] if isinstance(node, list) else node)[key]
    assert set(INTRODUCED) <= set(VERSIONS)


def test_tells_of_every_address_and_interface() -> None:
    second = NetworkInterface("60:45:bd:00:00:14", ("10.0.0.20", "10.0.0.21"))
    vm = replace(GENERALIZED, more_addresses=("10.0.0.8",), more_interfaces=(second,))
    told = document(vm=vm)["network"]["interface"]
    addresses = [[one["privateIpAddress"] for one in card["ipv4"]["ipAddress"]] for card in told]
    assert addresses == [["10.0.0.4", "10.0.0.8"], ["10.0.0.20", "10.0.0.21"]]
    assert [card["macAddress"] for card in told] == ["6045BD000004", "6045BD000014"]


def test_tells_of_addresses_of_both_kinds() -> None:
    (card,) = document(vm=replace(GENERALIZED, more_addresses=("fd00::4",)))["network"]["interface"]
    assert card["ipv6"]["ipAddress"] == [{"privateIpAddress": "fd00::4"}]
    assert [one["privateIpAddress"] for one in card["ipv4"]["ipAddress"]] == ["10.0.0.4"]


def test_tells_of_a_trusted_machine() -> None:
    told = document(vm=replace(GENERALIZED, secure_boot=True, vtpm=True))["compute"]["securityProfile"]
    assert (told["securityType"], told["secureBootEnabled"], told["virtualTpmEnabled"]) == (
        "TrustedLaunch",
        "true",
        "true",
    )


def test_tells_of_every_disk() -> None:
    vm = replace(GENERALIZED, data_disks=(DataDisk(0, 4), DataDisk(3, 64)), resource_disk_gib=16)
    told = document(vm=vm)["compute"]["storageProfile"]
    assert [(one["lun"], one["diskSizeGB"]) for one in told["dataDisks"]] == [("0", "4"), ("3", "64")]
    assert told["resourceDisk"] == {"size": str(16 << 20)}


def test_hides_newer_fields_of_disks_too() -> None:
    vm = replace(GENERALIZED, data_disks=(DataDisk(0, 4),))
    (disk,) = document("2021-03-01", vm)["compute"]["storageProfile"]["dataDisks"]
    assert "isUltraDisk" not in disk
    assert disk["lun"] == "0"


def test_tells_of_a_load_balancer() -> None:
    told = json.loads(ask(f"loadbalancer?{NEWEST}", replace(GENERALIZED, public_address="203.0.113.7")).body)
    assert told["loadbalancer"]["publicIpAddresses"] == [
        {"frontendIpAddress": "203.0.113.7", "privateIpAddress": "10.0.0.4"}
    ]


def test_has_nothing_for_a_pooled_vm_until_it_is_handed_over() -> None:
    host = AzureHost(replace(GENERALIZED, pool="Running"))
    data = Request.to("GET", "/metadata/reprovisiondata?api-version=2019-06-01", METADATA)
    extended = Request.to("GET", f"/metadata/instance?{NEWEST}&extended=true", METADATA)
    assert imds(host)(data).status == 404
    assert json.loads(imds(host)(extended).body)["extended"]["compute"]["ppsType"] == "Running"
    host.hand_over(GENERALIZED, b"<Environment/>")
    assert imds(host)(data).body == b"<Environment/>"
    assert json.loads(imds(host)(extended).body)["extended"]["compute"]["ppsType"] == "None"
