"""ovf-env.xml."""

import base64
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from build.errors import CallerError
from harness.azure.ovf import AZURE, OVF, ovf_environment
from harness.vm import OSProfile
from tests.harness.azure.machines import GENERALIZED, KEY, PROFILE, SPECIALIZED

PLACES = {"o": OVF, "w": AZURE}
CONFIGURATION = "w:ProvisioningSection/w:LinuxProvisioningConfigurationSet"


def read(profile: OSProfile = PROFILE) -> ElementTree.Element:
    return ElementTree.fromstring(ovf_environment(replace(GENERALIZED, os_profile=profile)))


def text(root: ElementTree.Element, path: str) -> str | None:
    return root.findtext(f"{CONFIGURATION}/{path}", namespaces=PLACES)


def test_tells_what_to_provision() -> None:
    root = read()
    assert root.tag == f"{{{OVF}}}Environment"
    assert (text(root, "w:HostName"), text(root, "w:UserName")) == ("vm-alpha", "azureuser")
    assert text(root, "w:SSH/w:PublicKeys/w:PublicKey/w:Value") == KEY
    assert text(root, "w:SSH/w:PublicKeys/w:PublicKey/w:Path") == "/home/azureuser/.ssh/authorized_keys"
    assert base64.b64decode(text(root, "w:CustomData") or "") == PROFILE.custom_data
    assert text(root, "w:DisableSshPasswordAuthentication") == "true"
    assert text(root, "w:UserPassword") is None


def test_carries_a_password_when_there_is_one() -> None:
    root = read(replace(PROFILE, password="a<b&c", public_keys=()))
    assert text(root, "w:UserPassword") == "a<b&c"
    assert text(root, "w:DisableSshPasswordAuthentication") == "false"
    assert text(root, "w:SSH/w:PublicKeys/w:PublicKey/w:Value") is None


def test_lets_the_agent_run() -> None:
    path = "w:PlatformSettingsSection/w:PlatformSettings/w:ProvisionGuestAgent"
    assert read().findtext(path, namespaces=PLACES) == "true"


@pytest.mark.parametrize(("pool", "waits"), [("None", "false"), ("Running", "true"), ("Savable", "true")])
def test_tells_how_a_pooled_machine_waits(pool: str, waits: str) -> None:
    root = ElementTree.fromstring(ovf_environment(replace(GENERALIZED, pool=pool)))
    path = "w:PlatformSettingsSection/w:PlatformSettings/w:Preprovisioned"
    assert root.findtext(f"{path}Vm", namespaces=PLACES) == waits
    assert root.findtext(f"{path}VMType", namespaces=PLACES) == pool


def test_keeps_the_literal_prefixes_that_azure_init_wants() -> None:
    document = ovf_environment(GENERALIZED)
    assert "<wa:ProvisioningSection>" in document
    assert f'<LinuxProvisioningConfigurationSet xmlns="{AZURE}">' in document


def test_is_not_made_for_a_specialized_machine() -> None:
    with pytest.raises(CallerError, match="specialized"):
        ovf_environment(SPECIALIZED)
