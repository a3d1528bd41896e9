"""What Azure's guests ask, in their order, over the wire: each must get what it cannot go on without.

The orders are those of the clients' own sources: cloud-init (`sources/azure`, `sources/helpers/azure.py`), WALinuxAgent
(`common/protocol`), azure-init (`libazureinit/src`), afterburn (`src/providers/microsoft/azure`), Ignition
(`internal/providers/azure`), systemd-imdsd.
"""

import base64
import http.client
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from harness.azure.certificates import make_identity
from harness.azure.host import AzureHost
from harness.azure.server import serve
from harness.azure.services import services
from tests.harness.azure.machines import GENERALIZED, KEY

METADATA = {"Metadata": "true"}
WIRE = {"x-ms-version": "2012-11-30", "x-ms-agent-name": "WALinuxAgent"}
PLUGIN = {
    "x-ms-version": "2015-09-01",
    "x-ms-containerid": str(GENERALIZED.container_id),
    "x-ms-host-config-name": "any.1.xml",
}
TRANSPORT = base64.b64encode(make_identity("LinuxTransport").certificate.public_bytes(Encoding.DER)).decode()
USER_DATA = base64.b64encode(b"#cloud-config\n{}\n").decode()
STATUS = base64.b64encode(b'{"aggregateStatus":{"guestAgentStatus":{"status":"Ready"}}}').decode()


@dataclass(frozen=True)
class Ask:
    """One question: `holds` must be in the answer. A target such as `SharedConfig` is the link in the goal state."""

    service: str
    target: str
    holds: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: str = ""
    status: int = 200


def imds(target: str, holds: str) -> Ask:
    return Ask("imds", f"/metadata/instance{target}", holds, METADATA)


def health(path: str, state: str = "Ready", details: str = "") -> Ask:
    role = f"<Role><InstanceId>{GENERALIZED.role_instance}</InstanceId><Health><State>{state}</State>{details}</Health>"
    place = f"<ContainerId>{GENERALIZED.container_id}</ContainerId><RoleInstanceList>{role}</Role></RoleInstanceList>"
    body = f"<Health><GoalStateIncarnation>1</GoalStateIncarnation><Container>{place}</Container></Health>"
    return Ask("wireserver", path, "", WIRE, "POST", body)


def certificates(cipher: str) -> Ask:
    asked = {"x-ms-guest-agent-public-x509-cert": TRANSPORT, "x-ms-cipher-name": cipher}
    return Ask("wireserver", "Certificates", "Pkcs7BlobWithPfxContents", {**WIRE, **asked})


VERSIONS = Ask("wireserver", "/?comp=versions", "<Version>2012-11-30</Version>")
GOAL_STATE = Ask("wireserver", "/machine/?comp=goalstate", "<State>Started</State>", WIRE)
HOSTING = Ask("wireserver", "HostingEnvironmentConfig", "<HostingEnvironmentConfig", WIRE)
SHARED = Ask("wireserver", "SharedConfig", "<SharedConfig", WIRE)
EXTENSIONS = Ask("wireserver", "ExtensionsConfig", "<StatusUploadBlob", WIRE)
STARTING = "<Details><SubStatus>Provisioning</SubStatus><Description>Starting</Description></Details>"
OBSERVATION = '{"Api":"reporttargethealth","Observations":[{"ObservationName":"a","IsHealthy":true}]}'

CLIENTS: Mapping[str, tuple[str, tuple[Ask, ...]]] = {
    "cloud-init": (
        "Cloud-Init/25.1.4",
        (
            imds("?api-version=2021-08-01&extended=true", '"hasCustomData":true'),
            imds("?api-version=2021-08-01&extended=true", '"computerName":"vm-alpha"'),
            imds("?api-version=2021-08-01&extended=true", '"macAddress":"6045BD000004"'),
            GOAL_STATE,
            certificates("DES_EDE3_CBC"),
            health("/machine?comp=health"),
        ),
    ),
    "cloud-init that an older version was left to": (
        "Cloud-Init/25.1.4",
        (
            imds("?api-version=2019-06-01", '"macAddress":"6045BD000004"'),
            imds("?api-version=2019-06-01", f'"keyData":"{KEY}"'),
            GOAL_STATE,
            health("/machine?comp=health"),
        ),
    ),
    "WALinuxAgent": (
        "WALinuxAgent/2.12.0.2",
        (
            VERSIONS,
            GOAL_STATE,
            Ask("hostplugin", "/versions", "2015-09-01", {"x-ms-containerid": str(GENERALIZED.container_id)}),
            Ask("hostplugin", "/vmSettings", '"extensionGoalStatesSource":"Fabric"', PLUGIN),
            EXTENSIONS,
            HOSTING,
            SHARED,
            certificates("AES128_CBC"),
            health("/machine?comp=health", "NotReady", STARTING),
            Ask(
                "wireserver",
                "/machine?comp=roleProperties",
                "",
                WIRE,
                "POST",
                '<RoleProperties><Property name="CertificateThumbprint" value="AB"/></RoleProperties>',
                202,
            ),
            health("/machine?comp=health"),
            imds("/compute?api-version=2018-02-01", '"vmSize":"Standard_D2s_v5"'),
            imds("?api-version=2018-02-01", '"privateIpAddress":"10.0.0.4"'),
            Ask(
                "wireserver",
                "/machine?comp=telemetrydata",
                "",
                WIRE,
                "POST",
                '<TelemetryData version="1.0"><Provider id="a"><Event id="1">b</Event></Provider></TelemetryData>',
            ),
            Ask("wireserver", "/HealthService", "", {}, "POST", OBSERVATION),
            Ask("hostplugin", "/health"),
            Ask(
                "hostplugin",
                "/status",
                "",
                PLUGIN,
                "PUT",
                f'{{"requestUri":"https://x","headers":[],"content":"{STATUS}"}}',
            ),
            Ask("hostplugin", "/vmAgentLog", "", PLUGIN, "PUT", "an archive"),
        ),
    ),
    "azure-init": (
        "azure-init v0.1.1",
        (
            imds("?api-version=2023-11-15&extended=true", '"disablePasswordAuthentication":"true"'),
            imds("?api-version=2023-11-15&extended=true", '"adminUsername":"azureuser"'),
            Ask("wireserver", "/provisioning/health", "", {}, "POST", '{"state":"Ready"}', 201),
        ),
    ),
    "afterburn": (
        "com.coreos.afterburn",
        (
            VERSIONS,
            imds("/compute/name?api-version=2017-08-01&format=text", "vm-alpha"),
            GOAL_STATE,
            SHARED,
            imds("/compute/vmSize?api-version=2017-08-01&format=text", "Standard_D2s_v5"),
            imds("/compute/publicKeys?api-version=2021-02-01", KEY),
            certificates("DES_EDE3_CBC"),
            health("/machine/?comp=health"),
        ),
    ),
    "Ignition": (
        "Ignition/2.22.0",
        (imds("/compute/userData?api-version=2021-01-01&format=text", USER_DATA),),
    ),
    "systemd-imdsd": (
        "",
        (
            imds("/compute/osProfile/computerName?api-version=2025-04-07&format=text", "vm-alpha"),
            imds("/compute/location?api-version=2025-04-07&format=text", "westeurope"),
            imds("/compute/physicalZone?api-version=2025-04-07&format=text", ""),
            imds("/network/interface/0/ipv4/ipAddress/0/publicIpAddress?api-version=2025-04-07&format=text", ""),
            imds("/compute/publicKeys/0/keyData?api-version=2025-04-07&format=text", KEY),
            imds("/compute/userData?api-version=2025-04-07&format=text", USER_DATA),
        ),
    ),
}


@pytest.fixture
def host() -> AzureHost:
    return AzureHost(GENERALIZED)


@pytest.fixture
def ports(host: AzureHost) -> Iterator[Mapping[str, int]]:
    here = [binding._replace(address="127.0.0.1", port=0) for binding in services(host)]
    with serve(here, host.journal) as ports:
        yield dict(zip((binding.source for binding in here), ports, strict=True))


def asked(port: int, agent: str, ask: Ask, target: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(ask.method, target, ask.body.encode() or None, {**ask.headers, "User-Agent": agent})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize("name", CLIENTS)
def test_get_what_they_ask_for(host: AzureHost, ports: Mapping[str, int], name: str) -> None:
    agent, asks = CLIENTS[name]
    goal_state = ElementTree.Element("GoalState")
    for ask in asks:
        link = goal_state.findtext(f".//{ask.target}") if ask.target.isalpha() else None
        target = (link or ask.target).removeprefix("http://168.63.129.16:80")
        status, body = asked(ports[ask.service], agent, ask, target)
        assert (ask.target, status, ask.holds in body) == (ask.target, ask.status, True), body
        if ask is GOAL_STATE:
            goal_state = ElementTree.fromstring(body)
    reports = [ask for ask in asks if "health" in ask.target and ask.method == "POST"]
    assert len(host.health) == len(reports)
    assert {report.client for report in host.health} <= {name.split()[0]}
    assert (host.ready is not None) == bool(reports)
    assert not host.journal.find(event="crash")


def test_are_told_by_their_status_what_they_lack(ports: Mapping[str, int]) -> None:
    """cloud-init asks for an older version when it hears 400, and for nothing more when it hears anything else."""
    unknown = replace(imds("?api-version=2026-01-01&extended=true", ""), status=400)
    status, body = asked(ports["imds"], "Cloud-Init/99", unknown, unknown.target)
    assert (status, "newest-versions" in body) == (400, True)
