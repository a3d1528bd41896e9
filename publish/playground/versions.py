"""The double's versions of image definitions: their rules, their regions, and what they are made of.

Source: "Store and share images in an Azure Compute Gallery" and the service's own refusals that people quote.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from publish.playground.operations import advance
from publish.playground.resources import merged, put, region, remove
from publish.playground.world import ZONED, Ask, Refused, Reply, World, shown
from publish.target import plain_region

VERSION = re.compile(r"\d+\.\d+\.\d+")
LARGEST = 2**31 - 1
LIST_KEYS = "Microsoft.Storage/storageAccounts/listKeys/action"


def version(world: World, ask: Ask) -> Reply:
    """One version."""
    if ask.method == "GET":
        advance(world, found := world.need(ask.id))
        return Reply(200, _version(found, ask.query.get("$expand") == "ReplicationStatus"))
    if ask.method == "DELETE":
        if there := world.find(ask.id):
            _may_go(there)
        return remove(world, ask, "")
    parent = world.need(ask.id.rsplit("/versions/", 1)[0], "ParentResourceNotFound")
    have = world.find(ask.id)
    if have and "_left" in have:
        raise Refused(409, "OperationNotAllowed", "Another operation on this image version is in progress.")
    made = merged(ask, have)
    made["location"] = region(made["location"])
    if have and not any(_sources(made)):  # as `az` sends it: what it was made of stays
        made["properties"]["storageProfile"] = have["properties"]["storageProfile"]
    _check_version(world, ask, made, parent, have)
    made["_regions"] = _regions(made, have)
    made["properties"]["publishingProfile"].setdefault("publishedDate", datetime.now(UTC).isoformat())
    if not have or "_source" in have:
        made["_source"] = _source(world, made)
    return put(world, ask, made, have)


def _check_version(
    world: World, ask: Ask, made: dict[str, Any], parent: Mapping[str, Any], have: dict[str, Any] | None
) -> None:
    name = ask.words[-1]
    if not VERSION.fullmatch(name) or any(int(part) > LARGEST for part in name.split(".")):
        raise Refused(
            400, "InvalidParameter", f"The image version name '{name}' is invalid: Major.Minor.Patch of 32 bits."
        )
    if made["location"] != parent["location"]:
        raise Refused(400, "InvalidParameter", "The version's location must be that of its image definition.")
    if not have:
        count = len([one for key, one in world.resources.items() if "/versions/" in key])
        if count >= world.faults.quota:
            raise Refused(
                409, "QuotaExceeded", f"The quota of {world.faults.quota} gallery image versions is exceeded."
            )
    _check_regions(made)
    _check_dropped(made, have)
    _check_source(made, have)


def _check_regions(made: Mapping[str, Any]) -> None:
    profile = made["properties"]["publishingProfile"]
    names = []
    for one in profile.setdefault("targetRegions", [{"name": made["location"]}]):
        one["name"] = region(one["name"])
        name = plain_region(one["name"])
        storage = one.setdefault("storageAccountType", profile.get("storageAccountType", "Standard_LRS"))
        one.setdefault("regionalReplicaCount", 1)
        if storage == "Standard_ZRS" and name not in ZONED:
            raise Refused(400, "InvalidParameter", f"ZRS storage account type is not supported in this region {name}.")
        if not 1 <= one["regionalReplicaCount"] <= 100:
            raise Refused(400, "InvalidParameter", "The replica count must be from 1 to 100.")
        names.append(name)
    if len(set(names)) != len(names):
        raise Refused(400, "InvalidParameter", "A target region is named twice.")
    if plain_region(made["location"]) not in names:
        raise Refused(400, "InvalidParameter", "The target regions must contain the version's own location.")
    end = profile.get("endOfLifeDate")
    if end and datetime.fromisoformat(str(end).replace("Z", "+00:00")) <= datetime.now(UTC):
        raise Refused(400, "InvalidParameter", "The end of life date must lie in the future.")


def _check_dropped(made: Mapping[str, Any], have: Mapping[str, Any] | None) -> None:
    """A region that has it keeps it, where its safety profile says so."""
    safety = made["properties"].get("safetyProfile") or {}
    if not have or safety.get("allowDeletionOfReplicatedLocations") is not False:
        return
    kept = {one["name"] for one in made["properties"]["publishingProfile"]["targetRegions"]}
    if lost := {one["region"] for one in have["_regions"] if one["state"] == "Completed"} - kept:
        what = f"The version cannot be removed from {', '.join(sorted(lost))}"
        raise Refused(409, "OperationNotAllowed", f"{what} while allowDeletionOfReplicatedLocations is false.")


def _check_source(made: Mapping[str, Any], have: Mapping[str, Any] | None) -> None:
    storage = made["properties"].get("storageProfile") or {}
    told = (storage.get("source") or {}).get("id", "")
    if told and not re.search(r"/(images|virtualMachines|versions)/[^/]+$", told):
        what = "must either be a managed image, virtual machine or another gallery image version"
        raise Refused(400, "InvalidParameter", f"The source {told} {what}.")
    if have and _sources(have) != _sources(made):
        raise Refused(409, "PropertyChangeNotAllowed", "Changing the source of a version is not allowed.")
    if not have and not told and not (storage.get("osDiskImage") or {}).get("source"):
        raise Refused(400, "InvalidParameter", "Required parameter 'source' is missing (null).")


def _sources(made: Mapping[str, Any]) -> Any:
    """What a version was made of. Clients of older API versions leave out what those did not know."""
    storage = made["properties"].get("storageProfile") or {}
    disk = (storage.get("osDiskImage") or {}).get("source") or {}
    return ((storage.get("source") or {}).get("id"), disk.get("id") or disk.get("uri"))


def _source(world: World, made: Mapping[str, Any]) -> str:
    """The blob that a version is made of; that of a managed disk where it is made of one."""
    told = ((made["properties"].get("storageProfile") or {}).get("osDiskImage") or {}).get("source") or {}
    if not told:
        return ""
    owner = _disk(world, told["id"]) if "id" in told else _account(world, str(told.get("storageAccountId", "")))
    if plain_region(owner["location"]) != plain_region(made["location"]):
        raise Refused(400, "InvalidParameter", "The source must be in the same region as the version.")
    return str(owner["_url"] if "id" in told else told["uri"])


def _disk(world: World, id: str) -> dict[str, Any]:
    disk = world.need(id)
    if disk["properties"].get("diskState") in ("ReadyToUpload", "ActiveUpload"):
        raise Refused(409, "OperationNotAllowed", "The disk is still being uploaded to.")
    return disk


def _account(world: World, id: str) -> dict[str, Any]:
    """The account of a blob, which the service reads by its keys: whoever asks must be allowed to list them."""
    if not id:
        raise Refused(400, "InvalidParameter", "A blob as the source needs its storageAccountId.")
    if LIST_KEYS in world.faults.denied:
        text = f"The client does not have authorization to perform action '{LIST_KEYS}' over scope '{id}'."
        raise Refused(403, "LinkedAuthorizationFailed", text)
    return world.need(id)


def _regions(made: Mapping[str, Any], have: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """What each region says; those that have it already keep it."""
    before = {one["region"]: one for one in (have or {}).get("_regions", ()) if one["state"] == "Completed"}
    return [
        before.get(one["name"], {"region": one["name"], "state": "Replicating", "progress": 0, "details": ""})
        for one in made["properties"]["publishingProfile"]["targetRegions"]
    ]


def _version(found: Mapping[str, Any], expanded: bool) -> dict[str, Any]:
    told = deepcopy(shown(found))
    if expanded:
        states = {one["state"] for one in found["_regions"]}
        whole = "Failed" if "Failed" in states else "InProgress" if "Replicating" in states else "Completed"
        summary = [dict(one) for one in found["_regions"]]
        told["properties"]["replicationStatus"] = {"aggregatedState": whole, "summary": summary}
    return told


def _may_go(found: Mapping[str, Any]) -> None:
    safety = found["properties"].get("safetyProfile") or {}
    end = found["properties"]["publishingProfile"].get("endOfLifeDate")
    if not (safety.get("blockDeletionBeforeEndOfLife") and end):
        return
    if datetime.fromisoformat(str(end).replace("Z", "+00:00")) > datetime.now(UTC):
        raise Refused(409, "OperationNotAllowed", f"The version is kept until its end of life {end}.")
