"""Whose host answers, by network card and by address; for real in a sealed namespace."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.azure.host import AzureHost
from harness.azure.http import Request, Response
from harness.azure.members import Members
from harness.sandbox import run_sealed
from tests.harness.azure.machines import GENERALIZED, TWO_CARDS

OTHER = replace(GENERALIZED, name="vm-beta", mac="60:45:bd:00:00:05", address="10.0.0.5")


def test_answers_whoever_speaks_to_a_machine_that_is_alone() -> None:
    host = AzureHost(GENERALIZED)
    members = Members(host)
    members.open(host, {"imds": lambda _: Response.text("alpha")})
    assert members.desk("imds")(Request.to("GET", "/", client="192.0.2.9")).body == b"alpha"
    assert members.of_card("02:02:02:02:02:02") is host
    assert members.journal_of("192.0.2.9") is host.journal


def test_answers_each_machine_by_its_own_host_and_nobody_else() -> None:
    first, second = AzureHost(TWO_CARDS), AzureHost(OTHER)
    members = Members(first)
    members.open(first, {"imds": lambda _: Response.text("alpha")})
    with members.joined(second):
        members.open(second, {"imds": lambda _: Response.text("beta")})
        desk = members.desk("imds")
        said = {at: desk(Request.to("GET", "/", client=f"10.0.0.{at}")).body for at in (4, 14, 24, 5)}
        assert said == {4: b"alpha", 14: b"alpha", 24: b"alpha", 5: b"beta"}
        assert desk(Request.to("GET", "/", client="10.0.0.6")).status == 404
        assert [members.of_card(f"60:45:bd:00:{card}") for card in ("00:04", "01:04", "00:05")] == [
            first,
            first,
            second,
        ]
        assert members.journal_of("10.0.0.5") is second.journal
        assert members.journal_of("10.0.0.6") is first.journal
    assert members.of_card(OTHER.mac) is first


def test_knows_a_machine_by_the_address_that_it_was_moved_from_and_by_a_new_card() -> None:
    first, second = AzureHost(GENERALIZED), AzureHost(OTHER)
    members = Members(first)
    with members.joined(second):
        members.lease(second, "60:45:bd:00:00:06", "10.0.0.9")
        assert {members.journal_of(f"10.0.0.{at}") for at in (5, 9)} == {second.journal}
        assert members.of_card("60:45:bd:00:00:06") is second
        assert [cards[0].addresses for cards in members.cards] == [("10.0.0.4",), ("10.0.0.9",)]


@pytest.mark.real
def test_keeps_what_two_machines_ask_apart(tmp_path: Path) -> None:
    assert run_sealed("tests.harness.azure.sealed_neighbours", {"folder": str(tmp_path)}) == 0
    told = json.loads((tmp_path / "facts.json").read_text())
    assert told["names"] == {"10.0.0.4": "vm-alpha", "10.0.0.5": "vm-beta"}
    assert told["stranger"] == 404
    assert told["leases"] == {"10.0.0.4": "60:45:bd:00:00:04", "10.0.0.5": "60:45:bd:00:00:05"}
    assert told["resolved"] == [["10.0.0.4"], ["10.0.0.5"]]
    for host, address in (("first", "10.0.0.4"), ("second", "10.0.0.5")):
        assert told["exchanges"][host][0] == address
        assert told["questions"][host] == [address]
    assert told["exchanges"]["second"] == ["10.0.0.5"]
    assert told["gone"] == "NAK"
