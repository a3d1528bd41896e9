"""dnsmasq under faults, for real: leases that end, another address at renewal, no names."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.sandbox import run_sealed

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("moved")
    assert run_sealed("tests.harness.azure.sealed_move", {"folder": str(folder)}) == 0
    return json.loads(Path(folder, "facts.json").read_text())


def test_leases_may_end(facts: Any) -> None:
    assert facts["first"] == [["OFFER", "10.0.0.4", "00000078"], ["ACK", "10.0.0.4", "00000078"]]


def test_moves_the_guest_when_it_renews_and_its_name_with_it(facts: Any) -> None:
    assert facts["renewal"][0] == "NAK"
    assert [one[:2] for one in facts["then"]] == [["OFFER", "10.0.0.9"], ["ACK", "10.0.0.9"]]
    (address,), (name,) = facts["names"]
    assert (address, name.partition(".")[0]) == ("10.0.0.9", "vm-alpha")


def test_may_have_nobody_who_resolves_names(facts: Any) -> None:
    assert facts["nameless"] == ["OFFER", "10.0.0.4", "ffffffff"]
    assert facts["unresolved"] is True
