"""vmSettings, by which the host plugin tells of a VM's extensions sooner than the goal state does. Pure.

Its shape is WALinuxAgent's reading of it (`extensions_goal_state_from_vm_settings.py`, Apache-2.0); agents from 2.8 on
go by it where it comes by Fast Track, and keep to extensionsConfig where it comes by Fabric.
"""

import json
from typing import Any

from harness.azure.certificates import Identity
from harness.azure.extensions import Extension, Goal, hidden
from harness.azure.goalstate import status_blob
from harness.vm import VirtualMachine

PLUGIN_VERSION = "1.0.8.133"
"""Agents take older plugins for ones without vmSettings."""


def vm_settings(vm: VirtualMachine, goal: Goal, identity: Identity) -> dict[str, Any]:
    """The document about these extensions; what is protected only the VM's own certificate opens."""
    return {
        "hostGAPluginVersion": PLUGIN_VERSION,
        "vmSettingsSchemaVersion": "0.0",
        "activityId": goal.activity,
        "correlationId": goal.activity,
        "inSvdSeqNo": goal.number,
        "extensionsLastModifiedTickCount": goal.ticks,
        "extensionGoalStatesSource": "FastTrack" if goal.fast else "Fabric",
        "onHold": goal.on_hold,
        "statusUploadBlob": {"statusBlobType": "BlockBlob", "value": status_blob(vm)},
        "inVMMetadata": _metadata(vm),
        "requiredFeatures": [],
        "gaFamilies": [],
        "extensionGoalStates": [_state(one, identity) for one in goal.extensions],
    }


def _metadata(vm: VirtualMachine) -> dict[str, str]:
    return {
        "subscriptionId": str(vm.subscription_id),
        "resourceGroupName": vm.resource_group,
        "vmName": vm.name,
        "location": vm.location,
        "vmId": str(vm.vm_id),
        "vmSize": vm.vm_size,
        "osType": "Linux",
    }


def _state(one: Extension, identity: Identity) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": one.version,
        "location": one.manifest_url,
        "state": "enabled",
        "autoUpgrade": False,
        "runAsStartupTask": False,
        "isJson": True,
        "useExactVersion": True,
        "settingsSeqNo": one.number,
        "isMultiConfig": False,
        "settings": [{**hidden(one, identity), "publicSettings": json.dumps(dict(one.settings))}],
    }
