"""The double's galleries, image definitions and versions, with the rules that no schema tells.

Source: "Store and share images in an Azure Compute Gallery" and the service's own refusals that people quote.
"""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from publish.playground.operations import advance, begin
from publish.playground.world import REGIONS, ZONED, Ask, Refused, Reply, World, shown

GALLERY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._]{0,78}[A-Za-z0-9])?")
DEFINITION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9])?")
VERSION = re.compile(r"\d+\.\d+\.\d+")
LARGEST = 2**31 - 1
IDENTITY = {"publisher": 128, "offer": 64, "sku": 64}
"""What names a definition, and how many characters each may have."""
LIST_KEYS = "Microsoft.Storage/storageAccounts/listKeys/action"
FIXED = ("osType", "osState", "hyperVGeneration", "architecture")
SHARES = {"Add": "Groups", "EnableCommunity": "Community", "Reset": ""}
"""Ways to share, and the sharing permission that the gallery must have."""
DEFAULTS = {"hyperVGeneration": "V2", "architecture": "x64"}
"""What the service chooses where nothing is said, since API version 2025-03-03."""


def gallery(world: World, ask: Ask) -> Reply:
    """One gallery: GET, PUT, PATCH, DELETE."""
    name = ask.words[-1]
    if ask.method == "GET":
        return looked_at(world, ask)
    if ask.method == "DELETE":
        return remove(world, ask, "images")
    if not GALLERY.fullmatch(name):
        raise Refused(
            400, "InvalidParameter", f"The gallery name '{name}' is invalid: letters, digits, dots and underscores."
        )
    have = world.find(ask.id)
    _alone(world, ask.id, name)
    made = merged(ask, have)
    made["location"] = region(made["location"])
    made["properties"] |= {"identifier": {"uniqueName": f"{ask.words[1]}-{name.upper()}"}}
    return _put(world, ask, made, have)


def _alone(world: World, id: str, name: str) -> None:
    """A gallery's name is unique in the subscription, whatever its group."""
    end = f"/galleries/{name}".lower()
    if any(key.endswith(end) and key != id.lower() for key in world.resources):
        raise Refused(409, "Conflict", f"The gallery name '{name}' must be unique in the subscription.")


def looked_at(world: World, ask: Ask) -> Reply:
    """A resource as it is; who looks at it sees it come further."""
    found = world.need(ask.id)
    advance(world, found)
    return Reply(200, shown(found))


def share(world: World, ask: Ask) -> Reply:
    """Share a gallery with tenants or with everybody, or with nobody again."""
    have = world.need(ask.id.removesuffix("/share"))
    profile = have["properties"].setdefault("sharingProfile", {"permissions": "Private"})
    kind = ask.body["operationType"]
    if kind not in SHARES:
        raise Refused(400, "InvalidParameter", f"operationType {kind} is not played here.")
    needs = SHARES[kind]
    if needs and profile.get("permissions") != needs:
        raise Refused(409, "Conflict", f"The gallery's sharing permission is not {needs}.")
    if kind == "EnableCommunity":
        profile["communityGalleryInfo"] = {**profile.get("communityGalleryInfo", {}), "communityGalleryEnabled": True}
    elif kind == "Add":
        profile["groups"] = [*profile.get("groups", ()), *ask.body.get("groups", ())]
    else:
        have["properties"]["sharingProfile"] = {"permissions": "Private"}
    world.save()
    return begin(world, ask, have, 200, {"operationType": kind, "groups": ask.body.get("groups", [])})


def definition(world: World, ask: Ask) -> Reply:
    """One image definition."""
    if ask.method == "GET":
        return looked_at(world, ask)
    if ask.method == "DELETE":
        return remove(world, ask, "versions")
    parent = ask.id.rsplit("/images/", 1)[0]
    world.need(parent, "ParentResourceNotFound")
    name = ask.words[-1]
    if not DEFINITION.fullmatch(name):
        raise Refused(400, "InvalidParameter", f"The image definition name '{name}' is invalid.")
    have = world.find(ask.id)
    made = merged(ask, have)
    made["location"] = region(made["location"])
    made["properties"] = {**DEFAULTS, **made["properties"]}
    _keep_identity(world, parent, made, have)
    return _put(world, ask, made, have)


def _keep_identity(world: World, parent: str, made: dict[str, Any], have: dict[str, Any] | None) -> None:
    properties = made["properties"]
    for key, most in IDENTITY.items():
        if len(properties["identifier"][key]) > most:
            raise Refused(400, "InvalidParameter", f"The {key} of an image definition has {most} characters at most.")
    mine = _triple(properties)
    for other in world.below(f"{parent}/images"):
        if other["id"].lower() != made["id"].lower() and _triple(other["properties"]) == mine:
            raise Refused(409, "Conflict", f"The publisher/offer/sku {'/'.join(mine)} exists in the gallery already.")
    if not have:
        return
    before = have["properties"]
    for key in FIXED:
        if before.get(key) != properties.get(key):
            raise Refused(
                409, "PropertyChangeNotAllowed", f"Changing property 'galleryImage.properties.{key}' is not allowed."
            )
    if _triple(before) != mine:
        raise Refused(
            409, "PropertyChangeNotAllowed", "Changing property 'galleryImage.properties.identifier' is not allowed."
        )
    if before.get("features") != properties.get("features") and not properties.get("allowUpdateImage"):
        raise Refused(409, "PropertyChangeNotAllowed", "Changing features needs allowUpdateImage.")


def _triple(properties: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(properties["identifier"][key]).lower() for key in IDENTITY)


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
    return _put(world, ask, made, have)


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
        plain = _plain(one["name"])
        storage = one.setdefault("storageAccountType", profile.get("storageAccountType", "Standard_LRS"))
        one.setdefault("regionalReplicaCount", 1)
        if storage == "Standard_ZRS" and plain not in ZONED:
            raise Refused(400, "InvalidParameter", f"ZRS storage account type is not supported in this region {plain}.")
        if not 1 <= one["regionalReplicaCount"] <= 100:
            raise Refused(400, "InvalidParameter", "The replica count must be from 1 to 100.")
        names.append(plain)
    if len(set(names)) != len(names):
        raise Refused(400, "InvalidParameter", "A target region is named twice.")
    if _plain(made["location"]) not in names:
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
    if _plain(owner["location"]) != _plain(made["location"]):
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


def remove(world: World, ask: Ask, children: str) -> Reply:
    """Remove something that nothing belongs to any more."""
    have = world.find(ask.id)
    if not have:
        return Reply(204)
    if children and world.below(f"{ask.id}/{children}"):
        raise Refused(409, "CannotDeleteResource", "Can not delete resource before nested resources are deleted.")
    have["_deleting"] = True
    if "provisioningState" in have["properties"]:
        have["properties"]["provisioningState"] = "Deleting"
    return begin(world, ask, have, 202, None)


def listing(world: World, ask: Ask) -> Reply:
    """What belongs to something."""
    if (parent := ask.id.rsplit("/", 1)[0]) and "/galleries/" in parent:
        world.need(parent, "ParentResourceNotFound")
    return Reply(200, {"value": [shown(one) for one in world.below(ask.id)]})


def everywhere(world: World, ask: Ask) -> Reply:
    """All of a kind that the subscription has."""
    kind = re.compile(rf".+/providers/Microsoft\.Compute/{ask.words[-1]}/[^/]+", re.IGNORECASE)
    return Reply(200, {"value": [shown(one) for key, one in sorted(world.resources.items()) if kind.fullmatch(key)]})


def merged(ask: Ask, have: Mapping[str, Any] | None) -> dict[str, Any]:
    """A resource as it will be: PUT replaces, PATCH changes what it names."""
    if ask.method == "PATCH":
        if not have:
            raise Refused(404, "ResourceNotFound", "The Resource was not found.")
        return _patched(deepcopy(dict(have)), ask.body)
    kind = ask.id.split("/providers/")[-1].split("/")
    made = deepcopy(dict(ask.body))
    made |= {"id": ask.id, "name": ask.words[-1], "type": "/".join([kind[0], *kind[1::2]])}
    made.setdefault("properties", {})
    return made


def _patched(have: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in change.items():
        have[key] = _patched(have.get(key) or {}, value) if isinstance(value, Mapping) else value
    return have


def _put(world: World, ask: Ask, made: dict[str, Any], have: Mapping[str, Any] | None) -> Reply:
    made["properties"]["provisioningState"] = "Updating" if have else "Creating"
    world.keep(made)
    status = 201 if not have and ask.method == "PUT" else 200
    return begin(world, ask, made, status, _version(made, False) if "_regions" in made else shown(made))


def region(name: str) -> str:
    """A region as the service writes it. Refuses one that there is not."""
    plain = _plain(name)
    if plain not in REGIONS:
        raise Refused(400, "LocationNotAvailableForResourceType", f"The provided location '{name}' is not available.")
    return REGIONS[plain]


def _plain(name: str) -> str:
    return name.replace(" ", "").lower()


HANDLERS: tuple[tuple[str, Callable[[World, Ask], Reply]], ...] = (
    (r"galleries/[^/]+/images/[^/]+/versions/[^/]+", version),
    (r"galleries/[^/]+/images/[^/]+/versions", listing),
    (r"galleries/[^/]+/images/[^/]+", definition),
    (r"galleries/[^/]+/images", listing),
    (r"galleries/[^/]+/share", share),
    (r"galleries/[^/]+", gallery),
    (r"galleries", listing),
)
"""What answers at which path below Microsoft.Compute."""
