"""ovf-env.xml, the provisioning document on the DVD of a generalized VM (docs/azure/host-protocol.md 2.2).

The shape is the one that cloud-init, WALinuxAgent and azure-init all read: some go by namespace, some by the literal
prefix `wa:`, some by elements without prefix.
"""

import base64
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from build.errors import CallerError
from harness.azure.xmltext import element
from harness.vm import OSProfile, VirtualMachine

OVF = "http://schemas.dmtf.org/ovf/environment/1"
AZURE = "http://schemas.microsoft.com/windowsazure"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


def profile_of(vm: VirtualMachine) -> OSProfile:
    """What is to be provisioned. Raises CallerError for a specialized VM, which has no DVD."""
    if vm.os_profile is None:
        raise CallerError(f"{vm.name} is specialized: Azure gives it no provisioning DVD", "boot it without a seed")
    return vm.os_profile


def ovf_environment(vm: VirtualMachine) -> str:
    """The document's text. Raises CallerError for a specialized VM."""
    profile = profile_of(vm)
    version = element("wa:Version", "1.0")
    provisioning = element("wa:ProvisioningSection", version, _configuration(profile))
    platform = element("wa:PlatformSettingsSection", version, _platform(vm.pool))
    # ElementTree would rename prefixes of its own accord, so they are written as plain names and attributes.
    namespaces = {"xmlns:ns0": OVF, "xmlns:wa": AZURE, "xmlns:xsi": INSTANCE}
    root = element("ns0:Environment", provisioning, platform, **namespaces)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _configuration(profile: OSProfile) -> Element:
    custom_data = base64.b64encode(profile.custom_data).decode() if profile.custom_data else None
    return element(
        "LinuxProvisioningConfigurationSet",
        element("ConfigurationSetType", "LinuxProvisioningConfiguration"),
        element("HostName", profile.computer_name),
        element("UserName", profile.admin),
        element("UserPassword", profile.password) if profile.password else None,
        element("CustomData", custom_data) if custom_data else None,
        element("DisableSshPasswordAuthentication", "false" if profile.password else "true"),
        element("SSH", element("PublicKeys", _public_keys(profile))) if profile.public_keys else None,
        xmlns=AZURE,
    )


def _public_keys(profile: OSProfile) -> list[Element]:
    path = f"/home/{profile.admin}/.ssh/authorized_keys"
    return [element("PublicKey", element("Path", path), element("Value", key)) for key in profile.public_keys]


def _platform(pool: str) -> Element:
    """`pool` is how a VM waits for its owner, "None" where it has one."""
    return element(
        "PlatformSettings",
        element("KmsServerHostname", "azkms.core.windows.net"),
        element("ProvisionGuestAgent", "true"),
        element("GuestAgentPackageName", **{"xsi:nil": "true"}),
        element("RetainWindowsPEPassInUnattend", "true"),
        element("RerunProvisioning", "false"),
        element("PreprovisionedVm", "false" if pool == "None" else "true"),
        element("PreprovisionedVMType", pool),
        xmlns=AZURE,
    )
