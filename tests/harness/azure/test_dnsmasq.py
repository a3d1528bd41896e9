"""dnsmasq, as far as it needs no network."""

from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import MachineError
from harness.azure.dnsmasq import QUERY, Settings, dnsmasq, write_hosts
from harness.azure.host import AzureHost
from harness.azure.members import Members
from tests.harness.azure.machines import GENERALIZED, TWO_CARDS


def test_reads_queries_from_the_log() -> None:
    found = QUERY.search("dnsmasq: query[AAAA] www.example.org from 10.0.0.4")
    assert found is not None
    assert found.groupdict() == {"type": "AAAA", "name": "www.example.org", "client": "10.0.0.4"}


def test_names_every_card_of_every_machine_and_tags_those_beyond_the_first(tmp_path: Path) -> None:
    members = Members(AzureHost(TWO_CARDS))
    with members.joined(AzureHost(replace(GENERALIZED, mac="60:45:bd:00:00:05", address="10.0.0.5"))):
        write_hosts(members, tmp_path, Settings(lease=60))
    assert (tmp_path / "hosts").read_text().splitlines() == [
        "60:45:bd:00:00:04,10.0.0.4,60",
        "60:45:bd:00:01:04,set:secondary,10.0.0.24,60",
        "60:45:bd:00:00:05,10.0.0.5,60",
    ]


@pytest.mark.real
def test_says_what_dnsmasq_said_when_it_does_not_start(tmp_path: Path) -> None:
    """Out here nobody has Azure's address."""
    with (
        pytest.raises(MachineError, match="does not start: dnsmasq: failed to create listening socket"),
        dnsmasq(GENERALIZED, Members(AzureHost(GENERALIZED)), tmp_path),
    ):
        pass
