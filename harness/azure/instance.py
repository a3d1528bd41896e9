"""The document `/metadata/instance`: what IMDS says about a VM, derived from its record alone. Pure.

https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service (docs/azure/host-protocol.md 3.1, 3.3).
Every primitive is a string, the missing ones are empty; only `extended` holds a boolean.
"""

import base64
from typing import Any

from harness.vm import DataDisk, NetworkInterface, OSProfile, VirtualMachine

Node = dict[str, Any]


def instance(vm: VirtualMachine, extended: bool = False) -> Node:
    """The whole document; `extended` adds what only provisioning agents ask for."""
    document: Node = {"compute": compute(vm), "network": network(vm)}
    if extended:
        has_custom_data = bool(vm.os_profile and vm.os_profile.custom_data)
        document["extended"] = {"compute": {"hasCustomData": has_custom_data, "ppsType": vm.pool}}
    return document


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
    return {"interface": [_interface(vm, one) for one in vm.interfaces]}


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
