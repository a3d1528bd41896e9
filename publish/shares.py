"""Who else may use a gallery: groups by a role on it, tenants and everybody by its sharing profile.

Source: Azure's "Share gallery resources with RBAC", "Share a gallery with subscriptions or tenants" and "with a
community"; the id of the role Reader is the same everywhere.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from publish import refusals
from publish.arm import Arm, options
from publish.clouds import Cloud
from publish.guard import Guard
from publish.plan import Action
from publish.target import Target

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.mgmt.authorization import AuthorizationManagementClient

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
NAMESPACE = uuid.UUID("5f0a1d0e-6c1b-5f0e-9a53-6b696c6e0003")
ACCESS, SHARING = "access of group", "sharing of gallery"
"""The kinds of their actions."""


@dataclass(frozen=True)
class Access:
    """A session with a subscription's roles."""

    roles: "AuthorizationManagementClient"


@contextmanager
def session(cloud: Cloud, subscription: str, credential: "TokenCredential", guard: Guard) -> Iterator[Access]:
    """A session."""
    from azure.mgmt.authorization import AuthorizationManagementClient

    with AuthorizationManagementClient(credential, subscription, **options(cloud, guard)) as roles:
        yield Access(roles)


def plan(arm: Arm, access: Access, target: Target, *, exists: bool) -> Iterator[Action]:
    """What is missing so that everybody whom the target names may use the gallery; `exists` says whether it does."""
    scope = target.compute_id("galleries", target.name)
    have = _readers(access, scope) if exists and target.sharing.groups else set()
    for group in target.sharing.groups:
        verb = "keep" if group in have else "create"
        body = {
            "properties": {
                "roleDefinitionId": f"/subscriptions/{target.subscription}{ROLES}/{READER}",
                "principalId": group,
                "principalType": "Group",
            }
        }
        yield Action(verb, ACCESS, group, ("role Reader on the gallery",) if verb == "create" else (), body)
    if target.sharing.tenants or target.sharing.community:
        yield _sharing(arm, target, exists=exists)


ROLES = "/providers/Microsoft.Authorization/roleDefinitions"


def _readers(access: Access, scope: str) -> set[str]:
    """Whoever has the role Reader on the gallery itself or on what it belongs to."""
    with refusals.told("access to the gallery"):
        every = list(access.roles.role_assignments.list_for_scope(scope))
    return {str(one.principal_id).lower() for one in every if str(one.role_definition_id).lower().endswith(READER)}


def _sharing(arm: Arm, target: Target, *, exists: bool) -> Action:
    """Sharing with tenants, or with everybody."""
    profile: Mapping[str, Any] = {}
    if exists:
        ask = partial(arm.compute.galleries.get, target.resource_group, target.name, select="Permissions")
        found = arm.get(f"gallery {target.name}", ask) or {"properties": {}}
        profile = found["properties"].get("sharingProfile") or {}
    if target.sharing.community:
        on = bool((profile.get("communityGalleryInfo") or {}).get("communityGalleryEnabled"))
        told = ("everybody will see it, by the name that Azure gives",)
        return Action("keep" if on else "update", SHARING, target.name, told, {"operationType": "EnableCommunity"})
    groups = profile.get("groups") or ()
    have = {str(one).lower() for group in groups if group.get("type") == "AADTenants" for one in group.get("ids") or ()}
    lacking = sorted(set(target.sharing.tenants) - have)
    body = {"operationType": "Add", "groups": [{"type": "AADTenants", "ids": lacking}]}
    return Action(
        "update" if lacking else "keep", SHARING, target.name, tuple(f"tenant {one}" for one in lacking), body
    )


def apply(arm: Arm, access: Access, target: Target, action: Action) -> None:
    """Do one of these actions."""
    if action.kind == SHARING:
        share = partial(
            arm.compute.gallery_sharing_profile.begin_update, target.resource_group, target.name, dict(action.body)
        )
        arm.finish(f"{action.kind} {action.name}", share)
        return
    scope = target.compute_id("galleries", target.name)
    # The same group and gallery always get the same name: made twice, it is one.
    name = str(uuid.uuid5(NAMESPACE, f"{scope.lower()} {action.name} {READER}"))
    with refusals.told(f"{action.kind} {action.name}"):
        access.roles.role_assignments.create(scope, name, dict(action.body))
