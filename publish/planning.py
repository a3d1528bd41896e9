"""Planning a publication into a gallery: everything is asked for, nothing is changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build.digest import BLOCK
from build.errors import CallerError, KilnError, SubscriptionError
from publish import desired, gate, limits, versions
from publish.arm import Arm
from publish.differences import differences
from publish.gate import Proof
from publish.plan import Action, Order, Plan
from publish.subject import meant
from publish.target import Definition, Target, plain_region

CREATING = ("Creating", "Updating", "Migrating")
GROUP_API, ACCOUNT_API = "2021-04-01", "2023-01-01"
UNVERIFIED = "NOT PROVEN: published without the proof of a boot, as --allow-unverified asked; its tags say so"


@dataclass(frozen=True)
class Present:
    """What there is: a definition's own data and its versions, None where it does not exist."""

    definition: Mapping[str, Any] | None
    versions: tuple[Mapping[str, Any], ...]


def plan(arm: Arm, order: Order) -> Plan:
    """The plan for an image and a gallery. Refusals are part of it; see `arm.Arm` for what is raised."""
    target = order.target
    chosen, left_out, refusals = _chosen(order)
    proof = gate.examine(order.image, order.digest, chosen)
    warnings = []
    if not proof.holds and order.unverified:
        warnings.append(UNVERIFIED)
        warnings += proof.complaints
    elif not proof.holds:
        refusals.append(gate.refusal(order.image, proof))
    warnings += [*_unprovable(chosen)]
    refusals += [*limits.of_size(order), *limits.of_regions(arm, target), *limits.of_encryption(arm, target)]
    if around := list(surroundings(arm, target)):
        return Plan(tuple(left_out), (*refusals, *around), tuple(warnings), proof.runs)
    present = {one.name: _present(arm, target, one.name) for one in chosen}
    gallery = _gallery(arm, target, refusals)
    definitions = [_definition(target, one, present[one.name], refusals) for one in chosen]
    name = _name(order, list(present.values()))
    made = [_version(order, one, present[one.name], name, proof, refusals) for one in chosen]
    refusals += limits.of_number(arm, target, sum(one.verb == "create" for one in made))
    new = [one for one, action in zip(chosen, made, strict=True) if action.verb in ("create", "retry")]
    actions = (*left_out, gallery, *definitions, *_uploads(order, new), *made)
    return Plan(actions, tuple(refusals), tuple(warnings), proof.runs)


def _unprovable(chosen: Sequence[Definition]) -> Iterator[str]:
    """What definitions promise and no boot here can show: QEMU has no such network card, and sleeps otherwise."""
    for one in chosen:
        if one.accelerated_networking:
            yield f"{one.name} promises accelerated networking, which no boot here can prove"
        if one.hibernation:
            yield f"{one.name} promises hibernation, which no boot here can prove"


def _chosen(order: Order) -> tuple[list[Definition], list[Action], list[KilnError]]:
    """The definitions that the image goes to, those that it does not fit, and what must not be."""
    image, target = order.image, order.target
    chosen: list[Definition] = []
    left_out: list[Action] = []
    refusals: list[KilnError] = []
    for one in meant(target.definitions, image.name):
        unlike = image.differences(one)
        if not unlike:
            chosen.append(one)
        elif one.image == "*":
            left_out.append(Action("skip", "definition", one.name, tuple(unlike)))
        else:
            hint = f"build the image so, or mend the definition in {target.file}"
            refusals.append(CallerError(f"definition {one.name} contradicts {image.name}: {'; '.join(unlike)}", hint))
    if not chosen and not refusals:
        names = ", ".join(one.name for one in target.definitions)
        hint = f"{target.file} has {names}: add one, or mend its `image` pattern"
        refusals.append(CallerError(f"no definition is for {image.name}", hint))
    if len({one.state for one in chosen}) > 1:
        refusals.append(
            CallerError("an image is generalized or specialized, not both", "give each definition a pattern")
        )
    return chosen, left_out, refusals


def surroundings(arm: Arm, target: Target, *, account: bool = True) -> Iterator[KilnError]:
    """What must be there before: the group, and the staging account in the same region where one is used."""
    if not arm.resource(f"resource group {target.resource_group}", target.group_id, GROUP_API):
        name = target.resource_group
        yield CallerError(f"there is no resource group {name}", f"`az group create --name {name} --location REGION`")
        return
    if account:
        yield from _account(arm, target)


def _account(arm: Arm, target: Target) -> Iterator[KilnError]:
    account = arm.resource(f"storage account {target.staging.account}", target.account_id, ACCOUNT_API)
    if not account:
        yield CallerError(
            f"there is no storage account {target.staging.account} in that group",
            f"make one in {target.location}, or name another as staging.account in {target.file}",
        )
    elif plain_region(account["location"]) != target.location:
        yield CallerError(
            f"the account {target.staging.account} is in {account['location']}, the gallery in {target.location}",
            "a version's source must lie in its own region: name an account there",
        )


def _present(arm: Arm, target: Target, name: str) -> Present:
    compute, group, gallery = arm.compute, target.resource_group, target.name
    found = arm.get(f"definition {name}", lambda: compute.gallery_images.get(group, gallery, name))
    if not found:
        return Present(None, ())
    listed = arm.all(
        f"versions of {name}", lambda: compute.gallery_image_versions.list_by_gallery_image(group, gallery, name)
    )
    return Present(found, tuple(listed))


def _gallery(arm: Arm, target: Target, refusals: list[KilnError]) -> Action:
    want = desired.gallery(target)
    have = arm.get(f"gallery {target.name}", lambda: arm.compute.galleries.get(target.resource_group, target.name))
    if not have:
        return Action("create", "gallery", target.name, (f"in {target.location}",), want)
    return _changed("gallery", target.name, have, want, refusals, f"name another gallery in {target.file}")


def _definition(target: Target, one: Definition, present: Present, refusals: list[KilnError]) -> Action:
    want = desired.definition(target, one)
    if not present.definition:
        identity = f"{one.publisher}/{one.offer}/{one.sku}"
        told = f"{identity}, generation {one.generation}, {one.state}, {one.architecture}, {one.security}"
        return Action("create", "definition", one.name, (told,), want)
    hint = f"an image definition keeps that for ever: give it another name in {target.file}"
    return _changed("definition", one.name, present.definition, want, refusals, hint)


def _changed(
    kind: str, name: str, have: Mapping[str, Any], want: Mapping[str, Any], refusals: list[KilnError], hint: str
) -> Action:
    """Keep it, change it, or refuse where the service would."""
    found = differences(have, want)
    if fixed := [str(one) for one in found if one.never_changes]:
        refusals.append(CallerError(f"{kind} {name} exists otherwise: {'; '.join(fixed)}", hint))
    if any(one.path.startswith("properties.features") for one in found):
        want = {**want, "properties": {**want["properties"], "allowUpdateImage": True}}
    return Action("update" if found else "keep", kind, name, tuple(map(str, found)), want if found else {})


def _name(order: Order, present: Sequence[Present]) -> str:
    """The version's name: the one that holds this content already, else the next of the day, free everywhere."""
    every = [one for each in present for one in each.versions]
    if mine := versions.ours(every, order.digest):
        return str(mine[-1]["name"])
    return versions.following(major(order), order.day, [one["name"] for one in every])


def major(order: Order) -> int:
    """The first number of the version. Raises CallerError where neither the target nor the image's recipe says it."""
    told = order.target.version.major
    if told is None and order.image.manifest:
        told = order.image.manifest.recipe.get("major")
    if told is None:
        raise CallerError(
            f"nothing says the first number of a version of {order.image.name}",
            f"add major = NUMBER to [version] in {order.target.file}",
        )
    return int(told)


def _version(
    order: Order, one: Definition, present: Present, name: str, proof: Proof, refusals: list[KilnError]
) -> Action:
    """What becomes of the version of one definition."""
    data = {lun: desired.Source(order.url(blob), order.target.account_id) for lun, blob in order.data_blobs.items()}
    body = desired.version(order.target, source(order, one.generation), data, tags(order, proof))
    title = f"{one.name}/{name}"
    have = next((each for each in present.versions if each["name"] == name), None)
    if not have:
        regions = ", ".join(f"{each.name} ({each.replicas} on {each.storage})" for each in order.target.version.regions)
        return Action("create", "version", title, (f"replicated to {regions}",), body)
    if (have.get("tags") or {}).get(versions.DIGEST) != order.digest:
        refusals.append(
            CallerError(f"version {title} exists with other content", "publish again tomorrow, or retire it")
        )
    return _existing(title, have, body, refusals)


def _existing(title: str, have: Mapping[str, Any], body: Mapping[str, Any], refusals: list[KilnError]) -> Action:
    """What becomes of a version that holds this content."""
    state = str(have["properties"].get("provisioningState", ""))
    if state == "Deleting":
        refusals.append(
            SubscriptionError(f"version {title} is being deleted", "wait until it is gone, then run it again")
        )
    if state in CREATING:
        return Action("wait", "version", title, (f"its state is {state}",))
    if state == "Failed":
        return Action("retry", "version", title, ("the service gave up on it",), body)
    found = [one for one in differences(have, changeable(body)) if ".excludeFromLatest" not in one.path]
    return Action("update" if found else "keep", "version", title, tuple(map(str, found)), body if found else {})


def changeable(body: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a version that can change once it exists."""
    profile = body["properties"]["publishingProfile"]
    kept = {key: profile[key] for key in ("targetRegions", "endOfLifeDate") if key in profile}
    return {"properties": {"publishingProfile": kept}}


def source(order: Order, generation: int) -> desired.Source:
    """Where the version takes its disk from. A managed disk is of one generation, a blob of none."""
    target = order.target
    if target.staging.route == "disk":
        return desired.Source(id=target.compute_id("disks", staged_disk(order, generation)))
    return desired.Source(order.url(order.blob), target.account_id)


def staged_disk(order: Order, generation: int) -> str:
    """The name of the managed disk that the file is uploaded to on the way to a gallery."""
    return f"kiln-{order.digest[:16]}-gen{generation}"


def tags(order: Order, proof: Proof) -> dict[str, str]:
    """What a version says about where it comes from. A tag has at most 256 characters."""
    told = {
        versions.DIGEST: order.digest,
        versions.IMAGE: order.image.name,
        versions.BUILD: order.image.manifest.plan_id if order.image.manifest else "",
        versions.PROOF: "booted" if proof.holds else "UNVERIFIED",
        versions.RUNS: ", ".join(proof.runs)[:256],
    }
    return {key: value for key, value in told.items() if value}


def _uploads(order: Order, new: Sequence[Definition]) -> Iterator[Action]:
    """What has to be sent for new versions: one blob for all of them, or a managed disk for each generation."""
    if not new:
        return
    if order.target.staging.route == "blob":
        yield upload(order)
        return
    for one in new:
        disk = desired.disk(
            order.target, order.source.length, one.architecture, one.generation, {versions.DIGEST: order.digest}
        )
        yield Action("upload", "managed disk", staged_disk(order, one.generation), (sent(order),), disk)


def upload(order: Order) -> Action:
    """Sending the image's file, and those of its data disks, to the staging account."""
    disks = tuple(f"data disk {lun}: {one.path}" for lun, one in order.data.items())
    return Action("upload", "blob", order.blob, (sent(order), *disks))


def sent(order: Order) -> str:
    """What an upload sends."""
    held = len(order.source.blocks) * BLOCK >> 20
    return (
        f"{order.image.disk}, {order.source.size >> 20} MiB; the {held} MiB that hold data are sent, and nothing twice"
    )
