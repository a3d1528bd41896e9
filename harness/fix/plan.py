"""What would be done to an image: which findings have a repair, what each would change, and why others are left."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from harness.diskfacts import DiskFacts
from harness.fix import agent, cleanliness, cloudinit, console, container
from harness.fix.container import Shape
from harness.fix.edited import Edited
from harness.fix.ext import Change
from harness.fix.proof import prove
from harness.fix.repair import REPAIRS, Edit, Repair, Unsafe
from harness.report import Verdict
from harness.tree import Tree, Unreadable

TOPICS = (agent, cleanliness, cloudinit, console, container)
"""The rooms whose repairs there are."""
NO_REPAIR = "nothing here repairs it"


@dataclass(frozen=True)
class Repaired:
    """What a repair does, one line a change."""

    id: str
    done: tuple[str, ...]


@dataclass(frozen=True)
class Left:
    """A finding that stays, and why."""

    id: str
    why: str


@dataclass(frozen=True)
class Plan:
    """The repairs of an image: `shape` is its disk's, `changes` those of its files in the order in which they go."""

    shape: Shape
    changes: tuple[Change, ...] = ()
    repaired: tuple[Repaired, ...] = ()
    left: tuple[Left, ...] = ()


def repairable() -> tuple[str, ...]:
    """The ids that have a repair, sorted."""
    return tuple(sorted({*REPAIRS, *container.IDS}))


def propose(facts: Mapping[str, Any], failed: tuple[Verdict, ...], only: tuple[str, ...]) -> Plan:
    """The plan for these findings, or for those of them that `only` names.

    Raises Unsafe where the file's own shape is not certain: nothing can be done to it then.
    """
    disk: DiskFacts = facts["vhd"]
    chosen = tuple(one for one in failed if not only or one.id in only)
    ids = {one.id for one in chosen} & set(container.IDS)
    shape = container.shape(disk, ids)
    repaired: tuple[Repaired, ...] = tuple(_of_container(shape, ids))
    left: tuple[Left, ...] = ()
    tree: Tree | None = facts.get("tree")
    changes: dict[str, bytes | None] = {}
    for verdict in chosen:
        if verdict.id in container.IDS:
            continue
        repair = REPAIRS.get(verdict.id)
        if repair is None or tree is None:
            left += (Left(verdict.id, f"{NO_REPAIR}. {verdict.repair}"),)
            continue
        try:
            edits = _edits(repair, facts, Edited(tree, changes), tree)
        except (Unsafe, Unreadable) as reason:
            left += (Left(verdict.id, str(reason)),)
            continue
        changes |= {edit.path: edit.content for edit in edits}
        repaired += (Repaired(verdict.id, tuple(edit.done for edit in edits)),)
    left += tuple(Left(one.id, "it was not asked for") for one in failed if one not in chosen)
    placed = tuple(Change(prove(tree, path, disk.path), content) for path, content in changes.items()) if tree else ()
    return Plan(shape, placed, repaired, left)


def _of_container(shape: Shape, ids: Set[str]) -> Iterator[Repaired]:
    said = {
        container.ALIGNMENT: f"the disk was grown from {shape.length} to {shape.size} bytes",
        container.TABLE: "both copies of the partition table were written anew from the one that is whole",
    }
    for id in sorted(ids):
        yield Repaired(id, (said.get(id, "the footer was written anew"),))


def _edits(repair: Repair, facts: Mapping[str, Any], tree: Edited, original: Tree) -> tuple[Edit, ...]:
    """A repair's edits at real paths, each proven. Raises Unsafe where one is not, or there is nothing to do."""
    asked = {**facts, "tree": tree}
    edits = tuple(_real(tree, repair.propose(*(asked.get(name) for name in repair.needs))))
    if not edits:
        raise Unsafe("what the check found is not what is repaired here")
    for edit in edits:
        prove(original, edit.path, facts["vhd"].path)
    return edits


def _real(tree: Edited, edits: Iterator[Edit]) -> Iterator[Edit]:
    """The edits with the paths that links lead to; what is removed is a link itself."""
    for edit in edits:
        path = tree.resolve(edit.path, last=edit.content is not None)
        if path is None and tree.is_link(edit.path):
            raise Unsafe(f"{edit.path} is a link that leads nowhere")
        folder, _, name = edit.path.rpartition("/")
        real = tree.resolve(folder or "/")
        if path is None and real is None:
            raise Unsafe(f"there is no folder {folder}")
        yield replace(edit, path=path or f"{real.rstrip('/') if real else ''}/{name}")
