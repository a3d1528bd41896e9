"""What surrounds the double's images: the subscription, its group and account, regions, quotas, roles, sign-in."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from publish.playground.world import CLIENT, REGIONS, SUBSCRIPTION, TENANT, ZONED, Ask, Refused, Reply, World, shown

HOUR = 3600


def subscriptions(world: World, ask: Ask) -> Reply:
    """The one subscription there is."""
    one = {
        "id": f"/subscriptions/{SUBSCRIPTION}",
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "displayName": "Kiln playground",
        "state": "Enabled",
    }
    return Reply(200, one if len(ask.words) == 2 else {"value": [one], "count": {"type": "Total", "value": 1}})


def tenants(world: World, ask: Ask) -> Reply:
    """The one tenant there is."""
    return Reply(200, {"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT}]})


def locations(world: World, ask: Ask) -> Reply:
    """The regions there are."""
    id = f"/subscriptions/{SUBSCRIPTION}/locations"
    told = [{"id": f"{id}/{name}", "name": name, "displayName": shown} for name, shown in REGIONS.items()]
    return Reply(200, {"value": told})


def group(world: World, ask: Ask) -> Reply:
    """A resource group."""
    id = f"/subscriptions/{ask.words[1]}/resourceGroups/{ask.words[3]}"
    if not world.find(id):
        raise Refused(404, "ResourceGroupNotFound", f"Resource group '{ask.words[3]}' could not be found.")
    return Reply(200, shown(world.need(id)))


def resource(world: World, ask: Ask) -> Reply:
    """A resource of a kind that is only looked at."""
    return Reply(200, shown(world.need(ask.id)))


def skus(world: World, ask: Ask) -> Reply:
    """Which storage each region has."""
    told = [
        {"resourceType": kind, "name": name, "tier": "Standard", "locations": [place], "restrictions": []}
        for kind, name, places in (
            ("snapshots", "Standard_LRS", REGIONS),
            ("snapshots", "Standard_ZRS", ZONED),
            ("disks", "StandardSSD_LRS", REGIONS),
            ("disks", "StandardSSD_ZRS", ZONED),
        )
        for place in places
    ]
    return Reply(200, {"value": told})


def usages(world: World, ask: Ask) -> Reply:
    """How much of each quota is used."""
    count = len([key for key in world.resources if "/versions/" in key])
    name = {"value": "galleryImageVersions", "localizedValue": "Gallery Image Versions"}
    told = {"name": name, "unit": "Count", "currentValue": count, "limit": world.faults.quota}
    return Reply(200, {"value": [told]})


def provider(world: World, ask: Ask) -> Reply:
    """Whether a provider is registered; registering it changes the subscription."""
    if ask.method == "POST":
        world.faults.unregistered = False
    state = "NotRegistered" if world.faults.unregistered else "Registered"
    return Reply(200, {"id": ask.id, "namespace": "Microsoft.Compute", "registrationState": state})


def roles(world: World, ask: Ask) -> Reply:
    """Who has which role at a scope or above it."""
    scope = ask.id.split("/providers/Microsoft.Authorization")[0].lower() + "/"
    told = [
        shown(one)
        for key, one in sorted(world.resources.items())
        if "/roleassignments/" in key and scope.startswith(str(one["properties"]["scope"]).lower() + "/")
    ]
    return Reply(200, {"value": told})


def role(world: World, ask: Ask) -> Reply:
    """One role assignment."""
    if ask.method == "GET":
        return Reply(200, shown(world.need(ask.id)))
    if ask.method == "DELETE":
        have = world.find(ask.id)
        world.forget(ask.id)
        return Reply(200, shown(have)) if have else Reply(204)
    scope = ask.id.split("/providers/Microsoft.Authorization")[0]
    world.need(scope)
    told = dict(ask.body["properties"])
    for key, one in world.resources.items():
        if "/roleassignments/" in key and key != ask.id.lower() and _same(one["properties"], told, scope):
            raise Refused(409, "RoleAssignmentExists", "The role assignment already exists.")
    made = {
        "id": ask.id,
        "name": ask.words[-1],
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {**told, "scope": scope},
    }
    world.keep(made)
    return Reply(201, made)


def _same(one: Mapping[str, Any], told: Mapping[str, Any], scope: str) -> bool:
    keys = ("principalId", "roleDefinitionId")
    return one["scope"].lower() == scope.lower() and all(one[key].lower() == told[key].lower() for key in keys)


def endpoints(world: World, ask: Ask) -> Reply:
    """Where a client of this cloud finds everything: `az cloud register` asks."""
    told = {
        "name": "Kiln",
        "portal": world.url,
        "graph": world.url,
        "graphAudience": world.url,
        "gallery": world.url,
        "resourceManager": world.url,
        "authentication": {
            "loginEndpoint": world.url,
            "audiences": [world.url],
            "tenant": TENANT,
            "identityProvider": "AAD",
        },
        "suffixes": {},
        "batch": world.url,
        "media": world.url,
        "sqlManagement": world.url,
        "vmImageAliasDoc": world.url,
        "activeDirectoryDataLake": world.url,
    }
    return Reply(200, told)


def openid(world: World, ask: Ask) -> Reply:
    """What a sign-in library asks first."""
    base = f"{world.url}/{ask.words[0]}"
    return Reply(
        200,
        {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        },
    )


def token(world: World, ask: Ask) -> Reply:
    """A token for who knows the secret. It is signed by nobody: the double and Azurite look at what it says."""
    if ask.body.get("client_id") != CLIENT or ask.body.get("client_secret") != world.secret:
        text = "AADSTS7000215: Invalid client secret provided."
        return Reply(401, {"error": "invalid_client", "error_description": text, "error_codes": [7000215]})
    audience = str(ask.body.get("scope", "")).split("/.default")[0]
    seconds = -HOUR if world.faults.expired else HOUR
    return Reply(
        200,
        {"token_type": "Bearer", "expires_in": HOUR, "ext_expires_in": HOUR, "access_token": jwt(audience, seconds)},
    )


def jwt(audience: str, seconds: int = HOUR) -> str:
    """A token that counts for so long."""
    now = int(time.time())
    told = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": now - HOUR * 2,
        "nbf": now - HOUR * 2,
        "exp": now + seconds,
        "oid": CLIENT,
        "tid": TENANT,
    }
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(told)}.{_part({})}"


def expires(told: str) -> float:
    """When a token ends, in seconds since 1970; 0 for what is none."""
    try:
        part = told.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"])
    except (IndexError, KeyError, ValueError, TypeError):
        return 0.0


def _part(told: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()


OPEN: tuple[tuple[str, Callable[[World, Ask], Reply]], ...] = (
    (r"metadata/endpoints", endpoints),
    (r"[^/]+/v2\.0/\.well-known/openid-configuration", openid),
    (r"[^/]+/oauth2/v2\.0/token", token),
)
"""What answers to whoever asks."""
GUARDED: tuple[tuple[str, Callable[[World, Ask], Reply]], ...] = (
    (r"subscriptions(/[^/]+)?", subscriptions),
    (r"subscriptions/[^/]+/locations", locations),
    (r"tenants", tenants),
    (r"subscriptions/[^/]+/resourcegroups/[^/]+", group),
    (r"subscriptions/[^/]+/resourcegroups/[^/]+/providers/Microsoft\.Storage/storageAccounts/[^/]+", resource),
    (r"subscriptions/[^/]+/resourcegroups/[^/]+/providers/Microsoft\.Compute/diskEncryptionSets/[^/]+", resource),
    (r"subscriptions/[^/]+/providers/Microsoft\.Compute/skus", skus),
    (r"subscriptions/[^/]+/providers/Microsoft\.Compute/locations/[^/]+/usages", usages),
    (r"subscriptions/[^/]+/providers/Microsoft\.Compute(/register)?", provider),
    (r".+/providers/Microsoft\.Authorization/roleAssignments", roles),
    (r".+/providers/Microsoft\.Authorization/roleAssignments/[^/]+", role),
)
"""What answers to who has signed in."""
