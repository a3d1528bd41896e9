"""What the double does alike with all its resources: show, list, merge, put and remove them."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from publish.playground.operations import advance, begin
from publish.playground.world import REGIONS, Ask, Refused, Reply, World, shown
from publish.target import plain_region


def looked_at(world: World, ask: Ask) -> Reply:
    """A resource as it is; who looks at it sees it come further."""
    found = world.need(ask.id)
    advance(world, found)
    return Reply(200, shown(found))


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


def put(world: World, ask: Ask, made: dict[str, Any], have: Mapping[str, Any] | None) -> Reply:
    """Keep a resource as it will be, and begin to make it so."""
    made["properties"]["provisioningState"] = "Updating" if have else "Creating"
    world.keep(made)
    status = 201 if not have and ask.method == "PUT" else 200
    return begin(world, ask, made, status, deepcopy(shown(made)))


def region(name: str) -> str:
    """A region as the service writes it. Refuses one that there is not."""
    told = plain_region(name)
    if told not in REGIONS:
        raise Refused(400, "LocationNotAvailableForResourceType", f"The provided location '{name}' is not available.")
    return REGIONS[told]
