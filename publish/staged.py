"""What a plan says of the staging account: what of its files is there already, and what a base would save.

It is only looked at. Where that is not allowed the plan says so, and stands.
"""

from collections.abc import Iterator
from dataclasses import replace

from build.digest import BLOCK
from build.errors import CallerError, KilnError
from publish import bases, staging
from publish.plan import Order, Plan
from publish.sessions import Session
from publish.source import Source
from publish.staging import Base
from publish.target import Target


def require_base_of_use(target: Target) -> None:
    """Raise CallerError where a file cannot be built on another one."""
    hint = "leave --base-version out: the blocks that hold data are sent"
    if target.kind != "gallery":
        raise CallerError(f"--base-version names a version of a gallery, and this is a {target.kind}", hint)
    if target.staging.route != "blob":
        raise CallerError('a managed disk cannot be made of another one in part: route = "disk" takes no base', hint)


def base_of(one: Session, version: str) -> Base | None:
    """What an upload builds on; None where no version is named, or the list of its blocks is gone.

    Raises as `bases.find` does.
    """
    return bases.find(one.staging, bases.every(one.arm, one.target), version) if version else None


def looked_up(one: Session, order: Order, plan: Plan, version: str) -> Plan:
    """The plan with what its upload finds. Refused where another file has a name, as the upload would be.

    Raises CallerError where there is no such version to build on, even if nothing is left to upload.
    """
    if plan.refusals:
        return plan
    saved = list(_base_told(one, order, version))
    refusals: list[KilnError] = []
    told = [*_there(one, order, refusals), *saved] if plan.of("blob") else []
    actions = tuple(
        replace(action, details=(*action.details, *told)) if action.kind == "blob" else action
        for action in plan.actions
    )
    return replace(plan, actions=actions, refusals=(*plan.refusals, *refusals))


def _there(one: Session, order: Order, refusals: list[KilnError]) -> Iterator[str]:
    """A line for each file of which something is there."""
    files = [("", order.blob, order.source)]
    files += [(f"data disk {lun}: ", order.data_blobs[lun], each) for lun, each in order.data.items()]
    for title, name, each in files:
        try:
            if found := staging.standing(one.staging, name, each):
                yield f"{title}{found}"
        except CallerError as refusal:
            refusals.append(refusal)
        except KilnError as refusal:
            # What keeps one from being seen keeps the others, too.
            yield f"whether it is staged already cannot be seen: {refusal.what}"
            return


def _base_told(one: Session, order: Order, version: str) -> Iterator[str]:
    """What the version that is to be built on saves."""
    if not version:
        return
    try:
        base = base_of(one, version)
        yield _built_on(one, order.source, base) if base else f"the list of {version}'s blocks is gone: all is sent"
    except CallerError:
        raise
    except KilnError as refusal:
        yield f"what {version} would save cannot be seen: {refusal.what}"


def _built_on(one: Session, source: Source, base: Base) -> str:
    if unfit := staging.unfit(base, source, one.staging):
        return f"all is sent, since {unfit}"
    numbers, gone = source.blocks.changed_from(base.blocks)
    return f"on top of {base.name}: {len(numbers) * BLOCK >> 20} MiB differ, {len(gone) * BLOCK >> 20} MiB become zero"
