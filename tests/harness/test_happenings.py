"""The journal in words: what happened comes first, details behind a colon, and what is empty is left out."""

import pytest

from harness.azure.journal import Entry
from harness.happenings import describe, events_of
from tests.harness.reports import entry, exchange


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            exchange(1.0, "imds", "GET", "/metadata/instance?api-version=2021-08-01", 200, "Cloud-Init/25"),
            "GET /metadata/instance → 200: api-version=2021-08-01, agent Cloud-Init/25, client 10.0.0.4, seconds 0.004",
        ),
        (
            exchange(1.0, "wireserver", "GET", "/machine/?comp=goalstate", 410),
            "GET /machine/?comp=goalstate → 410: client 10.0.0.4, seconds 0.004",
        ),
        (entry(1.0, "dhcp", "DISCOVER", host_name="vm", mac="00"), "DISCOVER vm: host_name vm, mac 00"),
        (entry(1.0, "dhcp", "ACK", address="10.0.0.4"), "ACK 10.0.0.4: address 10.0.0.4"),
        (entry(1.0, "dhcp", "DISCOVER", mac="00"), "DISCOVER: mac 00"),
        (entry(1.0, "health", "Ready", substatus="", matches=False), "Ready: matches False"),
        (entry(1.0, "dvd", "ejected"), "ejected"),
    ],
)
def test_says_what_happened(one: Entry, words: str) -> None:
    assert describe(one) == words


def test_leaves_what_the_name_server_was_asked_to_the_journal() -> None:
    told = events_of([entry(0.5, "dns", "query", name="example.org"), entry(1.0, "health", "Ready")])
    assert [(event.at, event.source, event.text) for event in told] == [(1.0, "health", "Ready")]
