"""The document `/metadata/instance`: what IMDS says about a VM, derived from its record alone. Pure.

https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service (host-protocol 3.1 and 3.3). Every
primitive is a string, the missing ones are empty; only `extended` holds a boolean.
"""

import base64
from collections.abc import Mapping
from typing import Any

from harness.vm import DataDisk, NetworkInterface, OSProfile, VirtualMachine

VERSIONS = (
    "2017-03-01",
    "2017-04-02",
    "2017-08-01",
    "2017-10-01",
    "2017-12-01",
    "2018-02-01",
    "2018-04-02",
    "2018-10-01",
    "2019-02-01",
    "2019-03-11",
    "2019-04-30",
    "2019-06-01",
    "2019-06-04",
    "2019-08-01",
    "2019-08-15",
    "2019-11-01",
    "2020-06-01",
    "2020-07-15",
    "2020-09-01",
    "2020-10-01",
    "2020-12-01",
    "2021-01-01",
    "2021-02-01",
    "2021-03-01",
    "2021-05-01",
    "2021-08-01",
    "2021-10-01",
    "2021-11-01",
    "2021-11-15",
    "2021-12-13",
    "2023-07-01",
    "2023-11-15",
    "2024-03-15",
    "2024-07-17",
    "2025-04-07",
)

DISK_FIELDS_OF_2021 = (
    "bytesPerSecondThrottle",
    "diskCapacityBytes",
    "isSharedDisk",
    "isUltraDisk",
    "opsPerSecondThrottle",
)
INTRODUCED: Mapping[str, tuple[str, ...]] = {
    "2017-04-02": ("network",),
    "2017-08-01": (
        "compute/placementGroupId",
        "compute/resourceGroupName",
        "compute/subscriptionId",
        "compute/tags",
    ),
    "2017-12-01": ("compute/vmScaleSetName", "compute/zone"),
    "2018-04-02": ("compute/plan", "compute/publicKeys"),
    "2018-10-01": ("compute/azEnvironment", "compute/provider"),
    "2019-02-01": ("compute/customData",),
    "2019-03-11": ("compute/resourceId",),
    "2019-06-01": ("compute/storageProfile",),
    "2019-06-04": ("compute/tagsList",),
    "2020-06-01": ("compute/isHostCompatibilityLayerVm", "compute/securityProfile"),
    "2020-07-15": ("compute/osProfile",),
    "2020-09-01": ("compute/licenseType",),
    "2020-10-01": ("compute/osProfile/disablePasswordAuthentication",),
    "2020-12-01": ("compute/evictionPolicy", "compute/priority"),
    "2021-01-01": ("compute/userData",),
    "2021-02-01": ("compute/storageProfile/resourceDisk",),
    "2021-03-01": ("compute/extendedLocation", "compute/virtualMachineScaleSet"),
    "2021-05-01": tuple(f"compute/storageProfile/dataDisks/{name}" for name in DISK_FIELDS_OF_2021),
    "2021-10-01": ("compute/platformSubFaultDomain",),
    "2021-11-01": ("compute/additionalCapabilities", "compute/securityProfile/encryptionAtHost"),
    "2021-11-15": ("compute/host", "compute/hostGroup"),
    "2021-12-13": ("compute/securityProfile/securityType",),
    "2023-07-01": (
        "compute/storageProfile/imageReference/communityGalleryImageId",
        "compute/storageProfile/imageReference/sharedGalleryImageId",
        "compute/storageProfile/imageReference/exactVersion",
    ),
    "2023-11-15": ("compute/physicalZone",),
}
"""Fields by the version that brought them; what is not listed has always been there.

By the tables of the documentation, but for the first fields of `compute`: those say 2017-04-02, while the documentation
of 2017 asked for them with 2017-03-01.
"""

Node = dict[str, Any]


def instance(vm: VirtualMachine, extended: bool = False) -> Node:
    """The whole document; `extended` adds what only provisioning agents ask for."""
    document: Node = {"compute": compute(vm), "network": network(vm)}
    if extended:
        has_custom_data = bool(vm.os_profile and vm.os_profile.custom_data)
        document["extended"] = {"compute": {"hasCustomData": has_custom_data, "ppsType": vm.pool}}
    return document


def known_in(document: Mapping[str, Any], version: str) -> Node:
    """The document without the fields that came after a version."""
    newer = {path for since, paths in INTRODUCED.items() if since > version for path in paths}
    return _without(document, newer)


def _without(node: Mapping[str, Any], paths: set[str], prefix: str = "") -> Node:
    def kept(child: Any, below: str) -> Any:
        if isinstance(child, Mapping):
            return _without(child, paths, below)
        return [kept(one, below) for one in child] if isinstance(child, list) else child

    return {name: kept(child, f"{prefix}{name}/") for name, child in node.items() if prefix + name not in paths}


def compute(vm: VirtualMachine) -> Node:
    """The VM itself. A specialized VM has no osProfile and no keys."""
    profile = vm.os_profile
    return {
        "additionalCapabilities": {"hibernationEnabled": "false"},
        "azEnvironment": "AzurePublicCloud",
        "customData": "",
        "evictionPolicy": "",
        "extendedLocation": {"name": "", "type": ""},
        "host": {"id": ""},
        "hostGroup": {"id": ""},
        "isHostCompatibilityLayerVm": "false",
        "isVmInStandbyPool": "",
        "licenseType": "",
        "location": vm.location,
        "name": vm.name,
        "offer": "",
        **({"osProfile": _os_profile(profile)} if profile else {}),
        "osType": "Linux",
        "placementGroupId": "",
        "plan": {"name": "", "product": "", "publisher": ""},
        "platformFaultDomain": "0",
        "platformSubFaultDomain": "",
        "platformUpdateDomain": "0",
        "physicalZone": "",
        "priority": "",
        "provider": "Microsoft.Compute",
        "publicKeys": _public_keys(profile) if profile else [],
        "publisher": "",
        "resourceGroupName": vm.resource_group,
        "resourceId": _resource_id(vm),
        "securityProfile": {
            "encryptionAtHost": "false",
            "secureBootEnabled": _bool(vm.secure_boot),
            "securityType": "TrustedLaunch" if vm.secure_boot or vm.vtpm else "",
            "virtualTpmEnabled": _bool(vm.vtpm),
        },
        "sku": "",
        "storageProfile": _storage(vm),
        "subscriptionId": str(vm.subscription_id),
        "tags": ";".join(f"{name}:{value}" for name, value in vm.tags),
        "tagsList": [{"name": name, "value": value} for name, value in vm.tags],
        "userData": base64.b64encode(profile.user_data).decode() if profile else "",
        "version": "",
        "virtualMachineScaleSet": {"id": ""},
        "vmId": str(vm.vm_id),
        "vmScaleSetName": "",
        "vmSize": vm.vm_size,
        "zone": "",
    }


def network(vm: VirtualMachine) -> Node:
    """The interfaces. Their MACs must be those of the NICs: cloud-init leaves a guest without network otherwise."""
    first = NetworkInterface(vm.mac, (vm.address, *vm.more_addresses))
    return {"interface": [_interface(vm, one) for one in (first, *vm.more_interfaces)]}


def _interface(vm: VirtualMachine, one: NetworkInterface) -> Node:
    older = [address for address in one.addresses if ":" not in address]
    newer = [{"privateIpAddress": address} for address in one.addresses if ":" in address]
    ipv4 = {
        "ipAddress": [{"privateIpAddress": address, "publicIpAddress": ""} for address in older],
        "subnet": [{"address": vm.network, "prefix": str(vm.prefix)}],
    }
    return {"ipv4": ipv4, "ipv6": {"ipAddress": newer}, "macAddress": one.mac.replace(":", "").upper()}


def _bool(value: bool) -> str:
    return str(value).lower()


def _os_profile(profile: OSProfile) -> Node:
    return {
        "adminUsername": profile.admin,
        "computerName": profile.computer_name,
        "disablePasswordAuthentication": _bool(not profile.password),
    }


def _public_keys(profile: OSProfile) -> list[Node]:
    path = f"/home/{profile.admin}/.ssh/authorized_keys"
    return [{"keyData": key, "path": path} for key in profile.public_keys]


def _resource_id(vm: VirtualMachine) -> str:
    group = f"/subscriptions/{vm.subscription_id}/resourceGroups/{vm.resource_group}"
    return f"{group}/providers/Microsoft.Compute/virtualMachines/{vm.name}"


def _storage(vm: VirtualMachine) -> Node:
    disk = {
        "caching": "ReadWrite",
        "createOption": "FromImage" if vm.os_profile else "Attach",
        "diffDiskSettings": {"option": ""},
        "diskSizeGB": str(vm.os_disk_gib),
        "encryptionSettings": {"enabled": "false"},
        "image": {"uri": ""},
        "managedDisk": {"id": "", "storageAccountType": "Premium_LRS"},
        "name": f"{vm.name}_OsDisk",
        "osType": "Linux",
        "vhd": {"uri": ""},
        "writeAcceleratorEnabled": "false",
    }
    names = ("id", "offer", "publisher", "sku", "version")
    gallery = ("communityGalleryImageId", "sharedGalleryImageId", "exactVersion")
    return {
        "dataDisks": [_data_disk(vm, one) for one in vm.data_disks],
        "imageReference": dict.fromkeys((*names, *gallery), ""),
        "osDisk": disk,
        "resourceDisk": {"size": str(vm.resource_disk_gib << 20)},
    }


def _data_disk(vm: VirtualMachine, disk: DataDisk) -> Node:
    """A disk that is no Ultra Disk: only those are told their capacity in bytes and their limits."""
    return {
        "bytesPerSecondThrottle": "",
        "caching": "None",
        "createOption": "Empty",
        "diskCapacityBytes": "",
        "diskSizeGB": str(disk.size_gib),
        "image": {"uri": ""},
        "isSharedDisk": "false",
        "isUltraDisk": "false",
        "lun": str(disk.lun),
        "managedDisk": {"id": "", "storageAccountType": "Premium_LRS"},
        "name": f"{vm.name}_DataDisk_{disk.lun}",
        "opsPerSecondThrottle": "",
        "vhd": {"uri": ""},
        "writeAcceleratorEnabled": "false",
    }
