"""Planning a managed image or a managed disk: one region, one subscription, and each has its limits.

Source: Azure's "Capture an image of a VM", "Upload a VHD to Azure" and "Azure Compute Gallery" compare the three ways.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from build.errors import CallerError, KilnError
from publish import desired, gate, limits
from publish.arm import Arm
from publish.evidence import Need
from publish.gate import Proof
from publish.plan import Action, Order, Plan
from publish.planning import UNVERIFIED, sent, surroundings, tags, upload
from publish.subject import ARCHITECTURES
from publish.versions import DIGEST

FILLING = ("ReadyToUpload", "ActiveUpload")
"""States of a managed disk whose upload is not closed yet."""


def plan_image(arm: Arm, order: Order) -> Plan:
    """The plan for a managed image: of a generalized image alone, on one generation."""
    target, refusals = order.target, [*_fits(order, "generalized"), *surroundings(arm, order.target)]
    proof, warnings = _proof(order, "generalized", refusals)
    refusals += limits.of_size(order)
    if refusals:
        return Plan((), tuple(refusals), warnings, proof.runs)
    have = arm.get(f"managed image {target.name}", lambda: arm.compute.images.get(target.resource_group, target.name))
    if have:
        return Plan((_kept("managed image", order, have, refusals),), tuple(refusals), warnings, proof.runs)
    data = {lun: order.url(blob) for lun, blob in order.data_blobs.items()}
    body = desired.managed_image(target, order.url(order.blob), data, tags(order, proof))
    told = f"in {target.location}, generation {target.generation}; this subscription and region alone"
    actions = (upload(order), Action("create", "managed image", target.name, (told,), body))
    return Plan(actions, tuple(refusals), warnings, proof.runs)


def plan_disk(arm: Arm, order: Order) -> Plan:
    """The plan for a managed disk: of a specialized image, for one machine."""
    target, refusals = order.target, [*_fits(order, "specialized"), *surroundings(arm, order.target, account=False)]
    proof, warnings = _proof(order, "specialized", refusals)
    refusals += limits.of_size(order)
    if refusals:
        return Plan((), tuple(refusals), warnings, proof.runs)
    have = arm.get(f"managed disk {target.name}", lambda: arm.compute.disks.get(target.resource_group, target.name))
    action = _disk(order, have, proof, refusals)
    return Plan((action,), tuple(refusals), warnings, proof.runs)


def _disk(order: Order, have: Mapping[str, Any] | None, proof: Proof, refusals: list[KilnError]) -> Action:
    target = order.target
    assert target.generation
    architecture = ARCHITECTURES[order.image.manifest.arch] if order.image.manifest else "x64"
    body = desired.disk(target, order.source.length, architecture, target.generation, tags(order, proof))
    if not have:
        told = f"{target.disk_sku} in {target.location}, generation {target.generation}; for one machine"
        return Action("create", "managed disk", target.name, (told, sent(order)), body)
    state = have["properties"].get("diskState")
    if state in FILLING and (have.get("tags") or {}).get(DIGEST) == order.digest:
        told = f"its state is {state}: an upload of this very image that was not finished goes on"
        return Action("upload", "managed disk", target.name, (told, sent(order)), body)
    if state in FILLING:
        name = f"--name {target.name} --resource-group {target.resource_group}"
        refusals.append(
            CallerError(
                f"the managed disk {target.name} waits for an upload of something else (its state is {state})",
                f"finish that one, or remove it: `az disk revoke-access {name}`, then `az disk delete {name}`",
            )
        )
    return _kept("managed disk", order, have, refusals)


def _kept(kind: str, order: Order, have: Mapping[str, Any], refusals: list[KilnError]) -> Action:
    """What is there stays; it is never written over."""
    if (have.get("tags") or {}).get(DIGEST) != order.digest:
        hint = f"name another one in {order.target.file}, or remove it yourself"
        refusals.append(CallerError(f"{kind} {order.target.name} exists with other content", hint))
    return Action("keep", kind, order.target.name)


def _fits(order: Order, state: str) -> Iterator[KilnError]:
    """Whether the image can be kept so at all; the hint names the way that can."""
    image, target = order.image.manifest, order.target
    if not image:
        return
    if image.kind != state and target.kind == "managed-image":
        why = "a managed image is generalized: machines made from it are provisioned anew"
        hint = 'kind = "gallery" takes specialized images, kind = "managed-disk" one for a single machine'
        yield CallerError(f"{image.name} is {image.kind}, and {why}", hint)
    elif image.kind != state:
        why = "the one machine on a managed disk is never provisioned, so nobody could log in"
        hint = 'kind = "gallery" or "managed-image" take generalized images; or build with --type specialized'
        yield CallerError(f"{image.name} is {image.kind}, and {why}", hint)
    if target.generation not in image.generations:
        claimed = " and ".join(map(str, image.generations))
        what = f"{image.name} boots on generation {claimed}, {target.file} asks for {target.generation}"
        yield CallerError(what, "build it for that generation, or change the target")


def _proof(order: Order, state: str, refusals: list[KilnError]) -> tuple[Proof, tuple[str, ...]]:
    """The proof, and what must be said aloud where it is missing."""
    assert order.target.generation
    proof = gate.prove(order.image, order.digest, state, _needs(order.target.generation))
    if proof.holds:
        return proof, ()
    if order.unverified:
        return proof, (UNVERIFIED, *proof.complaints)
    refusals.append(gate.refusal(order.image, proof))
    return proof, ()


def _needs(generation: int) -> Sequence[Need]:
    return [Need(generation, "SCSI", False)]
