"""The guest's network, for real: dnsmasq, relay and services in a sealed namespace, a guest in another."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.sandbox import run_sealed
from harness.vm import WIRESERVER

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("network")
    assert run_sealed("tests.harness.azure.sealed_network", {"folder": str(folder)}) == 0
    return json.loads(Path(folder, "facts.json").read_text())


@pytest.fixture
def guest(facts: Any) -> Any:
    return facts["guest"]


def test_leases_as_azure_does(guest: Any) -> None:
    ack = guest["ack"]
    assert (ack["type"], ack["address"], ack["giaddr"], ack["sname"]) == ("ACK", "10.0.0.4", WIRESERVER, "KILNHOST01")
    router = "10.0.0.1"
    assert ack["routes"] == [f"{net} {router}" for net in ("0.0.0.0/0", "168.63.129.16/32", "169.254.169.254/32")]
    domain = b"kilnhostkilnhostkilnhost12.ax.internal.cloudapp.net".hex()
    routes = ack["options"]["121"]
    assert ack["options"] == {
        "53": "05",
        "54": "a83f8110",
        "51": "ffffffff",
        "58": "ffffffff",
        "59": "ffffffff",
        "1": "ffffff00",
        "3": "0a000001",
        "6": "a83f8110",
        "15": domain,
        "121": routes,
        "245": "a83f8110",
        "249": routes,
    }


def test_offers_routes_and_wireserver_unasked(guest: Any) -> None:
    assert guest["offer"]["type"] == "OFFER"
    assert {"121", "245", "249"} <= set(guest["offer"]["options"])


def test_leases_a_second_card_its_address_and_no_way_out(guest: Any) -> None:
    for told in (guest["second_offer"], guest["second_ack"]):
        assert told["address"] == "10.0.0.24"
        assert not {"3", "12", "121", "245", "249"} & set(told["options"])
        assert (told["options"]["51"], told["options"]["6"]) == ("ffffffff", "a83f8110")


def test_takes_no_name_from_a_second_card(guest: Any) -> None:
    assert guest["second_name"] == [3, False]
    assert guest["second_reverse"] == [3, False]


def test_knows_which_card_has_which_address_and_does_not_ask(facts: Any) -> None:
    entries = {line.split()[0]: line.split()[2] for line in facts["known"].splitlines() if "PERMANENT" in line}
    assert entries == {
        "10.0.0.4": "60:45:bd:00:00:04",
        "10.0.0.14": "60:45:bd:00:00:04",
        "10.0.0.24": "60:45:bd:00:01:04",
    }


def test_never_returns_the_name(guest: Any) -> None:
    assert "12" not in guest["other_ack"]["options"]


def test_gives_every_client_of_the_guest_the_same_address(guest: Any) -> None:
    kinds = [guest[name]["type"] for name in ("offer", "ack", "other_offer", "other_ack", "again")]
    assert kinds == ["OFFER", "ACK", "OFFER", "ACK", "ACK"]
    assert {guest[name]["address"] for name in ("offer", "ack", "other_offer", "other_ack", "again")} == {"10.0.0.4"}


def test_answers_so_that_the_guest_can_hear(guest: Any) -> None:
    assert guest["ack"]["to"] == ["60:45:bd:00:00:04", "10.0.0.4", WIRESERVER]
    assert guest["other_ack"]["to"] == ["ff:ff:ff:ff:ff:ff", "255.255.255.255", WIRESERVER]
    assert guest["renewal"] == "ACK"


def test_refuses_a_stale_address_and_a_strange_guest(guest: Any) -> None:
    assert guest["stale"]["type"] == "NAK"
    assert guest["stranger"] is None


def test_resolves_the_guests_own_name_and_no_other(guest: Any) -> None:
    assert guest["own_name"] == guest["bare_name"] == [0, "10.0.0.4"]
    assert guest["reverse"] == [0, True]
    assert guest["tcp"] == 0
    assert guest["foreign"][0] == guest["neighbour"][0] == 3


def test_serves_at_azures_addresses(guest: Any, facts: Any) -> None:
    assert guest["imds"] == [200, "vm-alpha"]
    assert guest["goal_state"][0] == 200
    assert guest["plugin"] == [200, '["2015-09-01"]']
    assert guest["health"] == [200, ""]
    assert facts["ready"]


def test_journals_all_that_passed(facts: Any) -> None:
    told = [(source, event) for source, event, _ in facts["journal"]]
    assert told[:2] == [("dhcp", "malformed"), ("dhcp", "DISCOVER")]
    assert {"imds", "wireserver", "hostplugin", "health"} <= {source for source, _ in told}
    asked = [details["name"] for source, _, details in facts["journal"] if source == "dns"]
    assert "www.example.org" in asked
    assert facts["hostnames"] == ["vm-alpha"]


def test_lets_nothing_out(guest: Any) -> None:
    assert guest["outside"] is False


def test_takes_its_addresses_away_again(facts: Any) -> None:
    assert facts["left"] == ""
