"""The wireserver."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from harness.azure.certificates import make_identity
from harness.azure.host import AzureHost
from harness.azure.http import Request, Response
from harness.azure.remoteaccess import RemoteUser
from harness.azure.wireserver import wireserver
from harness.vm import VirtualMachine
from tests.harness.azure.machines import GENERALIZED

VERSION = {"x-ms-version": "2012-11-30", "User-Agent": "Cloud-Init/25.1.4", "x-ms-agent-name": "WALinuxAgent"}


@pytest.fixture
def host() -> AzureHost:
    return AzureHost(GENERALIZED)


def get(host: AzureHost, target: str, **headers: str) -> Response:
    return wireserver(host)(Request.to("GET", target, {**VERSION, **headers}))


def post(host: AzureHost, target: str, body: str | bytes, **headers: str) -> Response:
    data = body if isinstance(body, bytes) else body.encode()
    return wireserver(host)(Request.to("POST", target, {**VERSION, **headers}, data))


def tree(response: Response) -> ElementTree.Element:
    return ElementTree.fromstring(response.body)


def report(vm: VirtualMachine = GENERALIZED, state: str = "Ready", substatus: str = "", description: str = "") -> str:
    details = f"<Details><SubStatus>{substatus}</SubStatus><Description>{escape(description)}</Description></Details>"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<Health xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <GoalStateIncarnation>{vm.incarnation}</GoalStateIncarnation>
  <Container><ContainerId>{vm.container_id}</ContainerId>
    <RoleInstanceList><Role><InstanceId>{vm.role_instance}</InstanceId>
      <Health><State>{state}</State>{details if substatus else ""}</Health>
    </Role></RoleInstanceList>
  </Container>
</Health>"""


def test_lists_versions_without_a_version_header(host: AzureHost) -> None:
    root = tree(wireserver(host)(Request.to("GET", "/?comp=versions")))
    assert root.findtext("Preferred/Version") == "2015-04-05"
    assert "2012-11-30" in [version.text for version in root.iterfind("Supported/Version")]


@pytest.mark.parametrize("path", ["/machine", "/machine/"])
def test_gives_the_goal_state(host: AzureHost, path: str) -> None:
    root = tree(get(host, f"{path}?comp=goalstate"))
    assert root.findtext("Incarnation") == "1"
    assert root.findtext("Machine/ExpectedState") == "Started"
    assert root.findtext("Container/ContainerId") == str(GENERALIZED.container_id)
    assert root.findtext("Container/RoleInstanceList/RoleInstance/InstanceId") == GENERALIZED.role_instance


def test_serves_every_document_that_the_goal_state_names(host: AzureHost) -> None:
    configuration = tree(get(host, "/machine?comp=goalstate")).find(".//Configuration")
    assert configuration is not None
    links = {link.tag: link.text or "" for link in configuration if link.tag not in ("ConfigName", "Certificates")}
    assert sorted(links) == ["ExtensionsConfig", "FullConfig", "HostingEnvironmentConfig", "SharedConfig"]
    for link in links.values():
        assert get(host, link.removeprefix("http://168.63.129.16:80")).status == 200


def test_names_in_shared_config_an_instance_that_afterburn_finds(host: AzureHost) -> None:
    path = f"/machine/{GENERALIZED.container_id}/{GENERALIZED.role_instance}"
    root = tree(get(host, f"{path}?comp=config&type=sharedConfig&incarnation=1"))
    incarnation, instance = root.find("Incarnation"), root.find("Instances/Instance")
    assert incarnation is not None
    assert instance is not None
    assert incarnation.get("instance") == instance.get("id")


@pytest.mark.parametrize("cipher", ["AES128_CBC", "DES_EDE3_CBC"])
def test_seals_certificates_for_whoever_asks(host: AzureHost, cipher: str) -> None:
    transport = base64.b64encode(make_identity().certificate.public_bytes(Encoding.DER)).decode()
    path = f"/machine/{GENERALIZED.container_id}/{GENERALIZED.role_instance}?comp=certificates&incarnation=1"
    asked = {"x-ms-guest-agent-public-x509-cert": transport, "x-ms-cipher-name": cipher}
    root = tree(get(host, path, **asked))
    assert root.findtext("Format") == "Pkcs7BlobWithPfxContents"
    assert len(base64.b64decode(root.findtext("Data") or "")) > 2000


def test_tells_of_users_for_a_while_only_where_there_are_some(host: AzureHost) -> None:
    assert tree(get(host, "/machine?comp=goalstate")).find("Container/RemoteAccessInfo") is None
    host.admit(RemoteUser("visitor", "secret", datetime(2040, 2, 3, tzinfo=UTC)))
    link = tree(get(host, "/machine?comp=goalstate")).findtext("Container/RemoteAccessInfo") or ""
    transport = make_identity()
    certificate = base64.b64encode(transport.certificate.public_bytes(Encoding.DER)).decode()
    asked = {"x-ms-guest-agent-public-x509-cert": certificate, "x-ms-cipher-name": "AES128_CBC"}
    root = tree(get(host, link.removeprefix("http://168.63.129.16:80"), **asked))
    assert (root.findtext("Users/User/Name"), root.findtext("Incarnation")) == ("visitor", "2")
    hidden = base64.b64decode(root.findtext("Users/User/Password") or "")
    opened = pkcs7.pkcs7_decrypt_der(hidden, transport.certificate, transport.key, [])
    assert opened.decode("utf-16-le") == "secret"
    assert "secret" not in repr((host.journal.entries, host.remote_users))


PATH = f"/machine/{GENERALIZED.container_id}/{GENERALIZED.role_instance}"


@pytest.mark.parametrize(
    ("method", "target", "headers", "status", "code"),
    [
        ("GET", "/machine?comp=goalstate", {}, 400, "MissingOrIncorrectVersionHeader"),
        ("GET", "/machine?comp=goalstate", {"x-ms-version": "1999-01-01"}, 400, "MissingOrIncorrectVersionHeader"),
        ("POST", "/machine?comp=health", {}, 400, "MissingOrIncorrectVersionHeader"),
        ("POST", "/machine?comp=health", VERSION, 400, "InvalidXmlDocument"),
        ("GET", "/machine?comp=nothing", VERSION, 400, "InvalidQueryParameterValue"),
        ("GET", "/machine?comp=health", VERSION, 400, "InvalidQueryParameterValue"),
        ("GET", f"{PATH}?comp=config&type=secrets", VERSION, 400, "InvalidQueryParameterValue"),
        ("GET", f"{PATH}?comp=certificates", VERSION, 400, "InvalidHeaderValue"),
        ("GET", f"{PATH}?comp=remoteAccess", VERSION, 400, "InvalidHeaderValue"),
        ("GET", "/machine/other/instance?comp=config&type=fullConfig", VERSION, 410, "ResourceNotAvailable"),
        ("GET", "/", {}, 404, "ResourceNotFound"),
        ("GET", "/HealthService", {}, 404, "ResourceNotFound"),
        ("POST", "/HealthService", {}, 400, "InvalidInput"),
        ("DELETE", "/machine?comp=goalstate", VERSION, 400, "InvalidQueryParameterValue"),
    ],
)
def test_refuses_what_azure_refuses(
    host: AzureHost, method: str, target: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = wireserver(host)(Request.to(method, target, headers))
    assert (answer.status, tree(answer).findtext("Code")) == (status, code)


@pytest.mark.parametrize("path", ["/machine", "/machine/"])
def test_takes_a_health_report(host: AzureHost, path: str) -> None:
    answer = post(host, f"{path}?comp=health", report())
    assert (answer.status, answer.body) == (200, b"")
    assert host.ready is not None
    assert host.ready.client == "cloud-init"


def test_takes_a_failure_with_its_words(host: AzureHost) -> None:
    said = "result=error|reason=<made up> & such"
    post(host, "/machine?comp=health", report(state="NotReady", substatus="ProvisioningFailed", description=said))
    assert host.failure is not None
    assert host.failure.description == said


@pytest.mark.parametrize(
    ("vm", "status"),
    [
        (replace(GENERALIZED, container_id=GENERALIZED.subscription_id), 400),
        (replace(GENERALIZED, name="other"), 400),
        (replace(GENERALIZED, incarnation=9), 200),
    ],
)
def test_does_not_take_a_report_of_another_goal_state_for_ready(
    host: AzureHost, vm: VirtualMachine, status: int
) -> None:
    assert post(host, "/machine?comp=health", report(vm)).status == status
    assert [one.matches for one in host.health] == [False]
    assert host.ready is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (report(state="Perhaps"), "the state is none of"),
        (report(substatus="Maybe"), "the substatus is none of"),
        (report(state="NotReady", substatus="Provisioning", description="x" * 5000), "too long"),
        ("<Sickness/>", "no Health element"),
        ('<!DOCTYPE Health [<!ENTITY a "b">]><Health>&a;</Health>', "a document type is refused"),
    ],
)
def test_refuses_malformed_reports(host: AzureHost, body: str, message: str) -> None:
    answer = post(host, "/machine?comp=health", body)
    assert (answer.status, message in (tree(answer).findtext("Message") or "")) == (400, True)
    assert host.health == ()


def test_takes_role_properties(host: AzureHost) -> None:
    body = """<RoleProperties><Container><RoleInstances><RoleInstance><Properties>
    <Property name="CertificateThumbprint" value="AB12"/></Properties></RoleInstance></RoleInstances></Container>
    </RoleProperties>"""
    assert post(host, "/machine?comp=roleProperties", body).status == 202
    assert host.role_properties == {"CertificateThumbprint": "AB12"}


def test_takes_telemetry(host: AzureHost) -> None:
    event = '<Event id="1"><![CDATA[<Param Name="Message" Value="b"/>]]></Event>'
    body = f'<TelemetryData><Provider id="x">{event}</Provider></TelemetryData>'
    assert post(host, "/machine?comp=telemetrydata", body).status == 200
    assert [one.message for one in host.telemetry] == ["b"]


def test_takes_observations(host: AzureHost) -> None:
    told = {"Api": "reporttargethealth", "Observations": [{"ObservationName": "x", "IsHealthy": True}]}
    assert post(host, "/HealthService", json.dumps(told)).status == 200
    assert host.observations[0]["IsHealthy"] is True


def test_takes_azure_inits_report(host: AzureHost) -> None:
    azure_init = {"x-ms-guest-agent-name": "azure-init v0.1.1", "User-Agent": ""}
    assert post(host, "/provisioning/health", '{"state":"Ready"}', **azure_init).status == 201
    assert host.ready is not None
    assert host.ready.client == "azure-init"


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"state":7}', '{"state":"NotReady","details":{"subStatus":"Odd"}}'])
def test_refuses_azure_inits_nonsense(host: AzureHost, body: str) -> None:
    assert post(host, "/provisioning/health", body).status == 400
    assert host.health == ()


def test_escapes_what_a_name_may_hold() -> None:
    odd = AzureHost(replace(GENERALIZED, name='a<b&"c'))
    root = tree(get(odd, "/machine?comp=goalstate"))
    assert (root.findtext(".//InstanceId") or "").endswith('._a<b&"c')
