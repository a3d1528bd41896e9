"""The double's galleries and image definitions, with the rules that no schema tells.

Source: "Store and share images in an Azure Compute Gallery" and the service's own refusals that people quote.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from publish.playground.operations import begin
from publish.playground.resources import listing, looked_at, merged, put, region, remove
from publish.playground.versions import version
from publish.playground.world import Ask, Refused, Reply, World

GALLERY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._]{0,78}[A-Za-z0-9])?")
DEFINITION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9])?")
IDENTITY = {"publisher": 128, "offer": 64, "sku": 64}
"""What names a definition, and how many characters each may have."""
FIXED = ("osType", "osState", "hyperVGeneration", "architecture")
SHARES = {"Add": "Groups", "EnableCommunity": "Community", "Reset": ""}
"""Ways to share, and the sharing permission that the gallery must have."""
DEFAULTS = {"hyperVGeneration": "V2", "architecture": "x64"}


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
    return put(world, ask, made, have)


def _alone(world: World, id: str, name: str) -> None:
    """A gallery's name is unique in the subscription, whatever its group."""
    end = f"/galleries/{name}".lower()
    if any(key.endswith(end) and key != id.lower() for key in world.resources):
        raise Refused(409, "Conflict", f"The gallery name '{name}' must be unique in the subscription.")


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
    return put(world, ask, made, have)


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
