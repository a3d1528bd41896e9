"""The double's managed disks, snapshots and managed images.

Source: Azure's "Upload a VHD to Azure" (states of a disk that is uploaded to) and "Create a managed image".
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from build.vhd import LENGTH, MIB
from publish.playground.blobs import vhd_fault
from publish.playground.operations import begin
from publish.playground.resources import listing, looked_at, merged, region, remove
from publish.playground.world import Ask, Refused, Reply, World, shown

SMALLEST = 20 * MIB + LENGTH
UPLOADING = ("ReadyToUpload", "ActiveUpload")
OWN = ("uniqueId", "timeCreated")
"""What tells a disk from another one that had its name before."""


def disk(world: World, ask: Ask) -> Reply:
    """One managed disk or snapshot."""
    if ask.method == "GET":
        return looked_at(world, ask)
    if ask.method == "DELETE":
        if (have := world.find(ask.id)) and have["properties"].get("diskState") in ("ActiveSAS", "ActiveUpload"):
            raise Refused(409, "OperationNotAllowed", "The disk is in use: revoke its access first.")
        return remove(world, ask, "")
    have = world.find(ask.id)
    told = merged(ask, have)
    if have and have["properties"]["creationData"] != told["properties"]["creationData"]:
        raise Refused(409, "PropertyChangeNotAllowed", "Changing property 'disk.creationData' is not allowed.")
    made = _changed(have, told) if have else _made(world, told)
    world.keep(made)
    made["properties"]["provisioningState"] = "Updating"
    return begin(world, ask, made, 200 if have else 202, shown(made))


def _changed(have: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """A disk that is there already, its blob and state as they were."""
    kept = {key: one for key, one in have.items() if key.startswith("_")}
    state = {key: have["properties"][key] for key in ("diskState", *OWN) if key in have["properties"]}
    return {**told, **kept, "location": have["location"], "properties": told["properties"] | state}


def _made(world: World, made: dict[str, Any]) -> dict[str, Any]:
    made["location"] = region(made["location"])
    made["properties"] |= {"uniqueId": str(uuid.uuid4()), "timeCreated": datetime.now(UTC).isoformat()}
    told = made["properties"]["creationData"]
    blob = f"{made['name']}-{len(world.resources)}"
    if told["createOption"] == "Upload":
        length = int(told.get("uploadSizeBytes", 0))
        if length < SMALLEST or (length - LENGTH) % MIB:
            raise Refused(
                400,
                "InvalidParameter",
                f"The upload size in bytes {length} - 512 must be a multiple of MiB, and 20 at least.",
            )
        made["_url"] = world.blobs.make_disk(blob, length)
        made["properties"]["diskState"] = "ReadyToUpload"
    elif told["createOption"] == "Import":
        if fault := vhd_fault(world.blobs.footer(told["sourceUri"])):
            raise Refused(400, "InvalidVhd", fault)
        made["_url"] = world.blobs.copy_disk(blob, told["sourceUri"])
        made["properties"]["diskState"] = "Unattached"
    elif told["createOption"] == "Copy":
        made["_url"] = world.need(told["sourceResourceId"])["_url"]
        made["properties"]["diskState"] = "Unattached"
    else:
        raise Refused(400, "InvalidParameter", f"createOption {told['createOption']} is not played here.")
    return made


def grant(world: World, ask: Ask) -> Reply:
    """Give an address."""
    have = world.need(ask.id.rsplit("/", 1)[0])
    write = ask.body["access"] == "Write"
    state = have["properties"].get("diskState")
    if write != (state in UPLOADING):
        text = f"{ask.body['access']} access is not granted to a disk in the state {state}."
        raise Refused(409, "OperationNotAllowed", text)
    have["properties"]["diskState"] = "ActiveUpload" if write else "ActiveSAS"
    url = world.blobs.address(str(have["_url"]), int(ask.body["durationInSeconds"]), write=write)
    have["_output"] = {"accessSAS": url}
    return begin(world, ask, have, 202, None)


def revoke(world: World, ask: Ask) -> Reply:
    """Take the address back; what was uploaded must be a disk by now."""
    have = world.need(ask.id.rsplit("/", 1)[0])
    have.pop("_output", None)
    fault = vhd_fault(world.blobs.footer(str(have["_url"])))
    if fault and have["properties"].get("diskState") in UPLOADING:
        raise Refused(400, "InvalidVhd", fault)
    have["properties"]["diskState"] = "Unattached"
    return begin(world, ask, have, 202, None)


def image(world: World, ask: Ask) -> Reply:
    """One managed image."""
    if ask.method == "GET":
        return looked_at(world, ask)
    if ask.method == "DELETE":
        return remove(world, ask, "")
    have = world.find(ask.id)
    made = merged(ask, have)
    made["location"] = region(made["location"])
    if have and have["properties"]["storageProfile"] != made["properties"]["storageProfile"]:
        raise Refused(409, "PropertyChangeNotAllowed", "Changing property 'storageProfile' is not allowed.")
    if made["properties"]["storageProfile"]["osDisk"].get("osState") != "Generalized":
        raise Refused(400, "InvalidParameter", "A managed image must be generalized.")
    if not have or "_source" in have:
        made["_source"] = made["properties"]["storageProfile"]["osDisk"].get("blobUri", "")
    made["properties"]["provisioningState"] = "Creating"
    world.keep(made)
    return begin(world, ask, made, 200 if have else 201, shown(made))


HANDLERS: tuple[tuple[str, Callable[[World, Ask], Reply]], ...] = (
    (r"(disks|snapshots)/[^/]+/beginGetAccess", grant),
    (r"(disks|snapshots)/[^/]+/endGetAccess", revoke),
    (r"(disks|snapshots)/[^/]+", disk),
    (r"images/[^/]+", image),
    (r"(disks|snapshots|images)", listing),
)
"""What answers at which path below Microsoft.Compute."""
