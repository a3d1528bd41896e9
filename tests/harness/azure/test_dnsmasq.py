"""dnsmasq, as far as it needs no network."""

from pathlib import Path

import pytest

from build.errors import MachineError
from harness.azure.dnsmasq import QUERY, dnsmasq
from harness.azure.journal import Journal
from tests.harness.azure.machines import GENERALIZED


def test_reads_queries_from_the_log() -> None:
    found = QUERY.search("dnsmasq: query[AAAA] www.example.org from 10.0.0.4")
    assert found is not None
    assert found.groupdict() == {"type": "AAAA", "name": "www.example.org", "client": "10.0.0.4"}


@pytest.mark.real
def test_says_what_dnsmasq_said_when_it_does_not_start(tmp_path: Path) -> None:
    """Out here nobody has Azure's address."""
    with (
        pytest.raises(MachineError, match="does not start: dnsmasq: failed to create listening socket"),
        dnsmasq(GENERALIZED, tmp_path, Journal()),
    ):
        pass
