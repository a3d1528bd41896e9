"""What takes long: how it is told to a client, in all three styles, and how it ends.

Source: Azure Resource Manager's "Track asynchronous Azure operations". Nothing waits for a clock: each question brings
what it is about one step further, so that tests take as long as they ask.
"""

import uuid
from typing import Any

from publish.playground.blobs import vhd_fault
from publish.playground.world import Ask, Refused, Reply, World, shown

MOMENT = "2026-11-22T00:00:00+00:00"
STEP = 50
"""Percent that a region comes further each time."""


def begin(world: World, ask: Ask, resource: dict[str, Any], status: int, body: Any) -> Reply:
    """The answer to a request whose work goes on: with it begins what `advance` brings to its end."""
    number = str(uuid.uuid4())
    resource["_left"] = world.polls
    world.operations[number] = str(resource["id"])
    version = ask.query.get("api-version", "2024-03-03")
    where = (
        f"{world.url}/subscriptions/{ask.words[1]}/providers/Microsoft.Compute/locations/westeurope/operations/{number}"
    )
    headers = {**_soon(world), "x-ms-request-id": number}
    if world.style in ("azure-async", "location") or body is None:
        headers["Location"] = f"{where}?monitor=true&api-version={version}"
    if world.style == "azure-async":
        headers["Azure-AsyncOperation"] = f"{where}?api-version={version}"
    world.save()
    return Reply(status, body, headers)


def poll(world: World, ask: Ask) -> Reply:
    """What a client hears that asks for an operation."""
    id = world.operations.get(ask.words[-1])
    if id is None:
        raise Refused(404, "NotFound", "The operation was not found.")
    resource = world.find(id) or {"id": id, "properties": {}}
    advance(world, resource)
    over = "_left" not in resource
    monitor = "monitor" in ask.query
    if not over:
        headers = {**_soon(world), "Location": f"{world.url}{ask.path}?monitor=true"}
        body = {"startTime": MOMENT, "status": "InProgress", "name": ask.words[-1]}
        return Reply(202, None, headers) if monitor else Reply(200, body, _soon(world))
    return _ended(resource, ask.words[-1], monitor=monitor)


def _soon(world: World) -> dict[str, str]:
    """When to ask again."""
    return {"x-ms-retry-after-ms": str(world.milliseconds)}


def _ended(resource: dict[str, Any], number: str, *, monitor: bool) -> Reply:
    error = resource.get("_error")
    output = resource.get("_output")
    if monitor:
        if error:
            return Reply(409, {"error": error})
        found = output or (shown(resource) if "location" in resource else None)
        return Reply(200, found) if found else Reply(204)
    body: dict[str, Any] = {"startTime": MOMENT, "endTime": MOMENT, "name": number}
    body["status"] = "Failed" if error else "Succeeded"
    if error:
        body["error"] = error
    elif output:
        body["properties"] = {"output": output}
    return Reply(200, body)


def advance(world: World, resource: dict[str, Any]) -> None:
    """Bring something one step further."""
    if "_left" not in resource or str(resource["id"]).rsplit("/", 1)[-1] in world.faults.stuck:
        return
    resource["_left"] -= 1
    if resource["_left"] > 0:
        return
    if resource.get("_regions") is not None and not _replicate(world, resource):
        return
    _end(world, resource)


def _replicate(world: World, resource: dict[str, Any]) -> bool:
    """Fill the regions one after the other; True once all have ended."""
    for region in resource["_regions"]:
        if region["state"] in ("Completed", "Failed"):
            continue
        if region["region"].replace(" ", "").lower() in world.faults.regions:
            region |= {"state": "Failed", "details": "The replication to this region failed: capacity."}
        else:
            region["progress"] = min(100, region["progress"] + STEP)
            region["state"] = "Completed" if region["progress"] == 100 else "Replicating"
        break
    return all(region["state"] in ("Completed", "Failed") for region in resource["_regions"])


def _end(world: World, resource: dict[str, Any]) -> None:
    """The last step: made, failed, or gone."""
    del resource["_left"]
    name = str(resource["id"]).rsplit("/", 1)[-1]
    if resource.pop("_deleting", False):
        world.forget(str(resource["id"]))
        return
    error = world.faults.failing.get(name)
    if not error and (source := resource.get("_source")) and (fault := vhd_fault(world.blobs.footer(source))):
        error = ("InvalidVhd", fault)
    failed = [one for one in resource.get("_regions") or () if one["state"] == "Failed"]
    if not error and failed:
        error = ("ReplicationJobsNotCompleted", f"replication failed in {failed[0]['region']}")
    if error:
        resource["_error"] = {"code": error[0], "message": error[1]}
    else:
        resource.pop("_error", None)
        resource.pop("_source", None)  # copied by now: whoever made it may remove it
    if "location" in resource:
        resource["properties"]["provisioningState"] = "Failed" if error else "Succeeded"
    world.save()
