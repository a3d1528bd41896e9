"""What becomes of a version after it was published: promoted, rolled back, retired. Plans only; `apply` does them.

The latest version is the highest that is not excluded, so promoting and rolling back change that one mark; nothing is
ever deleted but what a plan has listed.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from build.errors import CallerError, KilnError, SubscriptionError
from publish import desired, replication, versions
from publish.arm import Arm
from publish.plan import Action, Plan
from publish.target import Definition, Target


def promote(arm: Arm, target: Target, name: str, today: date) -> Plan:
    """Let the version be the latest. Refused where it is not everywhere, or past its end of life."""
    found, refusals = _found(arm, target, name)
    warnings = []
    for one, every, version in found:
        if not replication.is_everywhere(version):
            what = f"version {one.name}/{name} is not everywhere yet"
            refusals.append(SubscriptionError(what, "run `./kiln publish … --apply` again: it waits for it"))
        if (end := _end_of_life(version)) and end <= today:
            refusals.append(
                CallerError(f"version {one.name}/{name} is past its end of life, {end}", "publish a new one")
            )
        if (version.get("tags") or {}).get(versions.PROOF) == "UNVERIFIED":
            warnings.append(f"{one.name}/{name} was published without the proof of a boot")
        if (top := max((each["name"] for each in every), key=versions.parse)) != name and not versions.is_excluded(
            next(each for each in every if each["name"] == top)
        ):
            warnings.append(f"{top} is higher and not excluded: it stays the latest of {one.name}")
    actions = tuple(_marked(one, every, version, excluded=False) for one, every, version in found)
    return Plan(actions, tuple(refusals), tuple(warnings))


def rollback(arm: Arm, target: Target, name: str) -> Plan:
    """Take the version out of the latest; machines that name it can still be made."""
    found, refusals = _found(arm, target, name)
    actions = tuple(_marked(one, every, version, excluded=True) for one, every, version in found)
    lonely = [one.name for one, every, version in found if not versions.latest(_excluded(every, name))]
    warnings = tuple(f"{one} has no latest version then: who asks for it gets none" for one in lonely)
    return Plan(actions, tuple(refusals), warnings)


def retire(arm: Arm, target: Target, name: str, day: date | None, today: date, *, delete: bool) -> Plan:
    """Set the version's end of life and take it out of the latest; with `delete`, remove it and nothing else.

    `day` is its last one, tomorrow where None: the service wants one that is still to come.
    """
    found, refusals = _found(arm, target, name)
    last = day or today + timedelta(days=1)
    if last <= today:
        refusals.append(
            CallerError(f"{last} is no day to come", "an end of life lies in the future; --delete removes it")
        )
    actions = []
    for one, every, version in found:
        if delete:
            refusals += _not_removable(one, version, today)
            actions.append(Action("delete", "version", f"{one.name}/{version['name']}", _then(every, name)))
        else:
            actions.append(_ending(one, every, version, last))
    return Plan(tuple(actions), tuple(refusals))


def _found(
    arm: Arm, target: Target, name: str
) -> tuple[list[tuple[Definition, list[dict[str, Any]], dict[str, Any]]], list[KilnError]]:
    """Each definition that has the version, with all its versions. Raises CallerError where none has."""
    versions.parse(name)
    if target.kind != "gallery":
        raise CallerError(f"{target.file} is about a {target.kind}", "only a gallery has versions")
    found = []
    for one in target.definitions:
        every = listed(arm, target, one.name)
        if any(each["name"] == name for each in every):
            version = replication.version(arm, target, one.name, name)
            if version:
                found.append((one, every, version))
    if not found:
        raise CallerError(f"no definition of {target.file} has a version {name}", "`./kiln published` lists them")
    return found, []


def listed(arm: Arm, target: Target, definition: str) -> list[dict[str, Any]]:
    """The versions of a definition, the lowest first; none where it does not exist."""
    compute, group = arm.compute, target.resource_group
    what = f"definition {definition}"
    if not arm.get(what, lambda: compute.gallery_images.get(group, target.name, definition)):
        return []
    every = arm.all(
        f"versions of {definition}",
        lambda: compute.gallery_image_versions.list_by_gallery_image(group, target.name, definition),
    )
    return sorted(every, key=lambda one: versions.parse(one["name"]))


def _marked(one: Definition, every: list[dict[str, Any]], version: Mapping[str, Any], *, excluded: bool) -> Action:
    """The action that sets or takes off the mark."""
    name = str(version["name"])
    title = f"{one.name}/{name}"
    if versions.is_excluded(version) == excluded:
        return Action("keep", "version", title, (f"latest is {versions.latest(every) or 'none'}",))
    changed = [
        {**each, "properties": {**each["properties"], "publishingProfile": {"excludeFromLatest": excluded}}}
        if each["name"] == name
        else each
        for each in every
    ]
    before, after = versions.latest(every) or "none", versions.latest(changed) or "none"
    body = {"properties": {"publishingProfile": {"excludeFromLatest": excluded}}}
    return Action("update", "version", title, (f"latest: {before} -> {after}",), body)


def _excluded(every: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [one for one in every if one["name"] != name]


def _then(every: list[dict[str, Any]], name: str) -> tuple[str, ...]:
    before, after = versions.latest(every) or "none", versions.latest(_excluded(every, name)) or "none"
    return (f"latest: {before} -> {after}",) if before != after else ()


def _ending(one: Definition, every: list[dict[str, Any]], version: Mapping[str, Any], last: date) -> Action:
    title = f"{one.name}/{version['name']}"
    if _end_of_life(version) == last and versions.is_excluded(version):
        return Action("keep", "version", title)
    body = {"properties": {"publishingProfile": {"excludeFromLatest": True, "endOfLifeDate": desired.midnight(last)}}}
    return Action("update", "version", title, (f"end of life: {last}", *_then(every, str(version["name"]))), body)


def _not_removable(one: Definition, version: Mapping[str, Any], today: date) -> Iterator[KilnError]:
    """Why a version must stay."""
    title = f"version {one.name}/{version['name']}"
    if not versions.is_excluded(version):
        yield CallerError(f"{title} may still be the latest", "roll it back first: `./kiln rollback`")
    safety = version["properties"].get("safetyProfile") or {}
    end = _end_of_life(version)
    if safety.get("blockDeletionBeforeEndOfLife") and end and end > today:
        yield CallerError(
            f"{title} is kept until its end of life, {end}", "retire it with an earlier --end-of-life first"
        )


def _end_of_life(version: Mapping[str, Any]) -> date | None:
    told = (version["properties"].get("publishingProfile") or {}).get("endOfLifeDate")
    return date.fromisoformat(str(told)[:10]) if told else None


def published(arm: Arm, target: Target) -> list[dict[str, Any]]:
    """Every version of the target's definitions as people ask for them."""
    rows = []
    for one in target.definitions:
        every = listed(arm, target, one.name)
        newest = versions.latest(every)
        for each in every:
            name = str(each["name"])
            version = replication.version(arm, target, one.name, name) or each
            rows.append(_row(one, version, is_latest=name == newest))
    return rows


def _row(one: Definition, version: Mapping[str, Any], *, is_latest: bool) -> dict[str, Any]:
    tags, end = version.get("tags") or {}, _end_of_life(version)
    return {
        "definition": one.name,
        "version": version["name"],
        "state": version["properties"].get("provisioningState"),
        "latest": is_latest,
        "excluded": versions.is_excluded(version),
        "end_of_life": end.isoformat() if end else "",
        "image": tags.get(versions.IMAGE, ""),
        "digest": tags.get(versions.DIGEST, ""),
        "proof": tags.get(versions.PROOF, ""),
        "regions": [
            {"name": name, "state": state, "percent": percent, "details": details}
            for name, state, percent, details in replication.regions(version)
        ],
    }
