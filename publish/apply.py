"""Doing what a plan says, in its order.

Killed anywhere and run again it ends the same: each step is a whole one of Azure's, and the plan is made anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from build.errors import Bug
from build.progress import Progress
from publish import bases, diskupload, pageblob, replication, shares, staging
from publish.address import Address
from publish.arm import Arm
from publish.guard import Guard
from publish.plan import WORDS, Action, Order, Plan
from publish.shares import Access
from publish.staging import Base, Staging
from publish.target import Target
from publish.versions import DIGEST

GRANT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Work:
    """What the steps need: the session, what is published, the staging account, what it may build on there, and the
    guard of what is changed."""

    arm: Arm
    access: Access
    order: Order
    staging: Staging
    progress: Progress
    verify: str
    base: Base | None
    guard: Guard


def apply(work: Work, plan: Plan) -> None:
    """Do every step, then wait until the versions are everywhere. Raises as each of its parts does."""
    for action in plan.actions:
        if action.changes:
            STEPS[action.kind](work, action)
    for action in plan.of("version"):
        definition, name = action.name.split("/")
        replication.wait(work.arm, work.order.target, definition, name, work.progress)


def _gallery(work: Work, action: Action) -> None:
    target = work.order.target
    begin = partial(work.arm.compute.galleries.begin_create_or_update, target.resource_group, target.name, action.body)
    _finish(work, action, begin)


def _definition(work: Work, action: Action) -> None:
    target = work.order.target
    make = work.arm.compute.gallery_images.begin_create_or_update
    _finish(work, action, partial(make, target.resource_group, target.name, action.name, action.body))


def _blob(work: Work, action: Action) -> None:
    """Send the files; the footer comes last, so that nothing takes half of one for whole."""
    order = work.order
    data = [(order.data_blobs[lun], source, None) for lun, source in order.data.items()]
    for name, source, base in [(action.name, order.source, work.base), *data]:
        sent = staging.upload(source, name, work.staging, work.progress, base=base, verify=work.verify)
        bases.keep(source, name, work.staging)
        work.progress.note(f"{name}: {sent.done}")


def _disk(work: Work, action: Action) -> None:
    """A managed disk: made empty, filled by its own address, closed."""
    target, arm = work.order.target, work.arm
    name = action.name
    disks = arm.compute.disks
    if not (found := arm.get(f"managed disk {name}", lambda: disks.get(target.resource_group, name))):
        make = partial(disks.begin_create_or_update, target.resource_group, name, action.body)
        found = arm.finish(f"managed disk {name}", make)
    if (found.get("tags") or {}).get(DIGEST) != work.order.digest:
        raise Bug(f"the managed disk {name} is another than the one that was planned")

    def reach() -> Any:
        asked = {"access": "Write", "durationInSeconds": GRANT_SECONDS}
        granted = arm.finish(f"access to {name}", partial(disks.begin_grant_access, target.resource_group, name, asked))
        return pageblob.by_address(str(granted["accessSAS"]), target.cloud.certificate, work.guard)

    where = Address(reach, GRANT_SECONDS)
    sent = diskupload.upload(work.order.source, where, work.progress, verify=work.verify)
    arm.finish(f"closing {name}", partial(disks.begin_revoke_access, target.resource_group, name))
    work.progress.note(f"{name}: {sent.done}")


def _image(work: Work, action: Action) -> None:
    group = work.order.target.resource_group
    make = work.arm.compute.images.begin_create_or_update
    _finish(work, action, partial(make, group, action.name, action.body))


def _version(work: Work, action: Action) -> None:
    """Ask for the version, or for its new regions; it is waited for when every one was asked for."""
    if action.verb == "wait":
        return
    target = work.order.target
    definition, name = action.name.split("/")
    fresh = action.verb in ("create", "retry")
    body = action.body if fresh else _changed(work.arm, target, definition, name, action)
    with work.progress.step(f"Asking for version {action.name}"):
        _put(work.arm, target, definition, name, body)


def _share(work: Work, action: Action) -> None:
    with work.progress.step(f"{action.kind} {action.name}"):
        shares.apply(work.arm, work.access, work.order.target, action)


def change(arm: Arm, target: Target, plan: Plan, progress: Progress) -> None:
    """Change or delete versions that exist, as the plan lists them."""
    for action in plan.actions:
        if not action.changes:
            continue
        definition, name = action.name.split("/")
        with progress.step(f"Version {action.name} {WORDS[action.verb]}"):
            if action.verb == "delete":
                remove = arm.compute.gallery_image_versions.begin_delete
                arm.finish(action.name, partial(remove, target.resource_group, target.name, definition, name))
            else:
                _put(arm, target, definition, name, _changed(arm, target, definition, name, action))
                replication.wait(arm, target, definition, name, progress)


def _put(arm: Arm, target: Target, definition: str, name: str, body: Mapping[str, Any]) -> None:
    """Ask for a version as the body says; it is waited for elsewhere, with what its regions say."""
    make = arm.compute.gallery_image_versions.begin_create_or_update
    begin = partial(make, target.resource_group, target.name, definition, name, dict(body), polling=False)
    arm.finish(f"version {definition}/{name}", begin)


def _changed(arm: Arm, target: Target, definition: str, name: str, action: Action) -> Mapping[str, Any]:
    """The version as it is now, with what changes: a service takes the whole of it, and others may have changed it."""
    found = replication.version(arm, target, definition, name)
    if not found:
        raise Bug(f"version {action.name} was there when it was planned")
    return merged(found, action.body)


def merged(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A version's body with the regions and the end of life that are wanted; all else as it is."""
    properties = found["properties"]
    profile = {key: value for key, value in properties["publishingProfile"].items() if key not in READ_ONLY}
    asked = wanted["properties"]["publishingProfile"]
    profile |= {key: asked[key] for key in ("targetRegions", "endOfLifeDate", "excludeFromLatest") if key in asked}
    kept = {key: properties[key] for key in ("storageProfile", "safetyProfile", "securityProfile") if key in properties}
    kept["storageProfile"] = _without_sizes(kept["storageProfile"])
    kept["safetyProfile"] = {key: value for key, value in kept.get("safetyProfile", {}).items() if key not in READ_ONLY}
    body = {"location": found["location"], "properties": {"publishingProfile": profile, **kept}}
    return body | ({"tags": dict(found["tags"])} if found.get("tags") else {})


READ_ONLY = frozenset({"publishedDate", "reportedForPolicyViolation", "policyViolations"})
"""What the service says of a version and nobody may send."""


def _without_sizes(storage: Mapping[str, Any]) -> dict[str, Any]:
    """A storage profile without the sizes that the service found out."""

    def disk(told: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in told.items() if key != "sizeInGB"}

    told: dict[str, Any] = {
        key: value for key, value in storage.items() if key not in ("osDiskImage", "dataDiskImages")
    }
    if "osDiskImage" in storage:
        told["osDiskImage"] = disk(storage["osDiskImage"])
    if storage.get("dataDiskImages"):
        told["dataDiskImages"] = [disk(one) for one in storage["dataDiskImages"]]
    return told


def _finish(work: Work, action: Action, begin: Callable[[], Any]) -> None:
    with work.progress.step(f"{action.kind} {action.name}"):
        work.arm.finish(f"{action.kind} {action.name}", begin)


STEPS: Mapping[str, Callable[[Work, Action], None]] = {
    "gallery": _gallery,
    "definition": _definition,
    "blob": _blob,
    "managed disk": _disk,
    "managed image": _image,
    "version": _version,
    shares.ACCESS: _share,
    shares.SHARING: _share,
}
"""What is done for each kind of thing."""
