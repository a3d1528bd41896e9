"""What the host remembers."""

import pytest

from harness.azure.host import AzureHost, client_of
from harness.azure.http import Request
from tests.harness.azure.machines import GENERALIZED


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({"User-Agent": "Cloud-Init/25.1.4", "x-ms-agent-name": "WALinuxAgent"}, "cloud-init"),
        ({"User-Agent": "WALinuxAgent/2.12.0.2"}, "WALinuxAgent"),
        ({"x-ms-guest-agent-name": "azure-init v0.1.1"}, "azure-init"),
        ({"User-Agent": "report-ready/1"}, "report-ready"),
        ({"User-Agent": "curl/8"}, "other"),
        ({}, "other"),
    ],
)
def test_tells_agents_apart(headers: dict[str, str], client: str) -> None:
    assert client_of(Request("POST", "/machine", headers=headers)) == client


def test_latches_ready_and_keeps_the_last_word() -> None:
    host = AzureHost(GENERALIZED)
    host.take_health("Ready", matches=False)
    first = host.take_health("Ready", client="cloud-init")
    last = host.take_health("NotReady", "Provisioning", "Starting", "WALinuxAgent")
    assert host.ready == first
    assert host.latest_health == last
    assert host.failure is None
    assert [entry.event for entry in host.journal.find("health")] == ["Ready", "Ready", "NotReady"]


def test_takes_failed_provisioning_for_final() -> None:
    host = AzureHost(GENERALIZED)
    failed = host.take_health("NotReady", "ProvisioningFailed", "no DVD")
    host.take_health("Ready")
    assert host.failure == failed


def test_keeps_names_in_order_of_change() -> None:
    host = AzureHost(GENERALIZED)
    for name in ("localhost", "localhost", "vm-alpha", "vm-alpha"):
        host.take_hostname(name)
    assert host.hostnames == ("localhost", "vm-alpha")


def test_remembers_the_eject() -> None:
    host = AzureHost(GENERALIZED)
    host.take_eject()
    assert host.ejected
    assert host.journal.find("dvd", "ejected")
