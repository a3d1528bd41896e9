"""The host's guest agent plugin."""

import base64
import json

import pytest

from harness.azure.host import AzureHost, agent_status, computer_name
from harness.azure.hostplugin import hostplugin
from harness.azure.http import Request
from tests.harness.azure.machines import GENERALIZED

HERE = {"x-ms-containerid": str(GENERALIZED.container_id)}
STATUS = {"guestOSInfo": {"computerName": "vm-alpha"}, "aggregateStatus": {"guestAgentStatus": {"status": "Ready"}}}


def put(content: bytes) -> Request:
    body = {"requestUri": "https://x", "headers": [], "content": base64.b64encode(content).decode()}
    return Request("PUT", "/status", headers=HERE, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/versions", 200),
        ("GET", "/health", 200),
        ("GET", "/vmSettings", 200),
        ("GET", "/extensionArtifact", 404),
        ("PUT", "/vmAgentLog", 200),
        ("POST", "/status", 404),
        ("GET", "/", 404),
    ],
)
def test_answers(method: str, path: str, status: int) -> None:
    assert hostplugin(AzureHost(GENERALIZED))(Request(method, path, headers=HERE)).status == status


@pytest.mark.parametrize("path", ["/vmSettings", "/extensionArtifact"])
def test_sends_who_asks_for_another_container_back_to_the_goal_state(path: str) -> None:
    elsewhere = {"x-ms-containerid": "00000000-0000-0000-0000-00000000dead"}
    assert hostplugin(AzureHost(GENERALIZED))(Request("GET", path, headers=elsewhere)).status == 410
    assert hostplugin(AzureHost(GENERALIZED))(Request("GET", path)).status == 400


def test_offers_the_version_that_agents_look_for() -> None:
    assert json.loads(hostplugin(AzureHost(GENERALIZED))(Request("GET", "/versions")).body) == ["2015-09-01"]


def test_keeps_the_agents_status() -> None:
    host = AzureHost(GENERALIZED)
    assert hostplugin(host)(put(json.dumps(STATUS).encode())).status == 200
    assert (agent_status(host.status[-1]), computer_name(host.status[-1])) == ("Ready", "vm-alpha")
    assert host.journal.find("status", "Ready")


def test_passes_over_an_empty_page_blob() -> None:
    host = AzureHost(GENERALIZED)
    assert hostplugin(host)(put(bytes(512))).status == 200
    assert host.status == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"content":7}', b'{"content":"W10="}', b'{"content":"////"}'])
def test_refuses_a_status_without_sense(body: bytes) -> None:
    assert hostplugin(AzureHost(GENERALIZED))(Request("PUT", "/status", headers=HERE, body=body)).status == 400


def test_keeps_the_last_archive_of_logs() -> None:
    host = AzureHost(GENERALIZED)
    for archive in (b"one", b"two"):
        hostplugin(host)(Request("PUT", "/vmAgentLog", headers=HERE, body=archive))
    assert host.agent_log == b"two"
