"""Scheduled events: announced, let begin by the guest, over."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from harness.azure.events import NOTICE, Event, Schedule
from harness.azure.host import AzureHost
from harness.azure.http import Request, Response
from harness.azure.imds import imds
from tests.harness.azure.machines import GENERALIZED

ID = UUID("c7061bac-afdc-4513-b24b-aa5f13a16123")
FREEZE = Event(ID, "Freeze", "vm-alpha", datetime(2026, 11, 22, 22, 0, tzinfo=UTC), "Host maintenance", duration=5)
VERSION = "2020-07-01"


def ask(host: AzureHost, body: object = None, version: str = VERSION) -> Response:
    headers, target = {"Metadata": "true"}, f"/metadata/scheduledevents?api-version={version}"
    raw = b"" if body is None else json.dumps(body).encode()
    return imds(host)(Request.to("GET" if body is None else "POST", target, headers, raw))


def document(host: AzureHost, version: str = VERSION) -> Any:
    return json.loads(ask(host, version=version).body)


def test_is_empty_while_nothing_is_to_come() -> None:
    assert document(AzureHost(GENERALIZED)) == {"DocumentIncarnation": 1, "Events": []}


def test_tells_of_what_is_to_come() -> None:
    host = AzureHost(GENERALIZED)
    host.announce(FREEZE)
    assert document(host) == {
        "DocumentIncarnation": 2,
        "Events": [
            {
                "EventId": "C7061BAC-AFDC-4513-B24B-AA5F13A16123",
                "EventType": "Freeze",
                "ResourceType": "VirtualMachine",
                "Resources": ["vm-alpha"],
                "EventStatus": "Scheduled",
                "NotBefore": "Sun, 22 Nov 2026 22:00:00 GMT",
                "Description": "Host maintenance",
                "EventSource": "Platform",
                "DurationInSeconds": 5,
            }
        ],
    }


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("2019-08-01", {"DurationInSeconds"}),
        ("2019-04-01", {"DurationInSeconds", "EventSource"}),
        ("2017-08-01", {"DurationInSeconds", "EventSource", "Description"}),
    ],
)
def test_tells_older_versions_less(version: str, missing: set[str]) -> None:
    host = AzureHost(GENERALIZED)
    host.announce(FREEZE)
    (newest,), (older,) = (document(host, one)["Events"] for one in (VERSION, version))
    assert newest.keys() - older.keys() == missing


def test_begins_when_the_guest_lets_it() -> None:
    host = AzureHost(GENERALIZED)
    host.announce(FREEZE)
    assert ask(host, {"StartRequests": [{"EventId": str(ID).upper()}]}).status == 200
    told = document(host)
    assert told["DocumentIncarnation"] == 3
    assert (told["Events"][0]["EventStatus"], told["Events"][0]["NotBefore"]) == ("Started", "")
    ask(host, {"StartRequests": [{"EventId": str(ID)}]})
    assert document(host)["DocumentIncarnation"] == 3


@pytest.mark.parametrize(
    "body", [{"StartRequests": [{"EventId": "x"}]}, {"StartRequests": [{}]}, {"StartRequests": 1}, [], {}]
)
def test_refuses_a_request_that_makes_no_sense(body: object) -> None:
    host = AzureHost(GENERALIZED)
    host.announce(FREEZE)
    assert ask(host, body).status == 400
    assert document(host)["DocumentIncarnation"] == 2


def test_is_gone_when_it_is_over() -> None:
    schedule = Schedule().with_event(FREEZE)
    assert schedule.without(ID) == Schedule(3)
    assert schedule.without(UUID(int=1)) == schedule


def test_knows_azures_types_alone() -> None:
    assert set(NOTICE) == {"Freeze", "Reboot", "Redeploy", "Preempt", "Terminate"}
    with pytest.raises(ValueError, match="no events of type Party"):
        AzureHost(GENERALIZED).announce(Event(ID, "Party", "vm-alpha", FREEZE.not_before))
