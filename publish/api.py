"""What the tasks call: each opens a session, makes a plan, and does it where that was asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from build.errors import CallerError
from build.progress import Progress
from publish import apply as applying
from publish import (
    bases,
    planning,
    planning_single,
    release,
    sending,
    shares,
    smoke,
    source,
    staged,
    staging,
    targetfile,
)
from publish.arm import Arm
from publish.guard import only_looking
from publish.plan import Action, Order, Plan, worst
from publish.sessions import Session, held, session
from publish.subject import subject
from publish.target import Target


@dataclass(frozen=True)
class PublishRequest:
    """An image and where it goes. `apply` does what is otherwise only planned; `output` is where the runs of an image
    without a manifest lie; `verify` is one of `sending.VERIFY`."""

    image: Path
    to: Path
    apply: bool = False
    unverified: bool = False
    base: str = ""
    verify: str = "ranges"
    output: Path = Path("output")


@dataclass(frozen=True)
class Outcome:
    """A plan, and whether it was done."""

    plan: Plan
    applied: bool

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {"applied": self.applied, **self.plan.as_dict()}


def publish(request: PublishRequest, progress: Progress, show: Callable[[Plan], None]) -> Outcome:
    """Plan a publication, `show` the plan, and do it if asked.

    Raises CallerError, MachineError and SubscriptionError as their parts do, and what the plan was refused for where it
    should have been done.
    """
    target = targetfile.load(request.to)
    if request.verify not in sending.VERIFY:
        raise CallerError(f"--verify {request.verify} does not exist", f"there is: {', '.join(sending.VERIFY)}")
    if request.base:
        staged.require_base_of_use(target)
    order = _order(request, target, progress)
    with session(target, only_looking) as one:
        plan = staged.looked_up(one, order, _plan(one, order), request.base)
    show(plan)
    if not request.apply:
        return Outcome(plan, False)
    if plan.refusals:
        raise worst(plan.refusals)
    with held(target, progress) as guard, session(target, guard) as one:
        plan = _again(plan, staged.looked_up(one, order, _plan(one, order), request.base), show)
        base = staged.base_of(one, request.base)
        work = applying.Work(one.arm, one.access, order, one.staging, progress, request.verify, base, one.guard)
        applying.apply(work, plan)
    return Outcome(plan, True)


def _order(request: PublishRequest, target: Target, progress: Progress) -> Order:
    image = subject(request.image, request.output)
    with progress.step(f"Reading {image.disk.name}"):
        data = {one.lun: source.read(one.file) for one in target.data_disks}
        return Order(target, image, source.read(image.disk), data, datetime.now(UTC).date(), request.unverified)


def _plan(one: Session, order: Order) -> Plan:
    """The plan by the kind of the target."""
    if one.target.kind == "managed-image":
        return planning_single.plan_image(one.arm, order)
    if one.target.kind == "managed-disk":
        return planning_single.plan_disk(one.arm, order)
    plan = planning.plan(one.arm, order)
    exists = all(action.verb != "create" for action in plan.of("gallery"))
    more = tuple(shares.plan(one.arm, one.access, one.target, exists=exists))
    return Plan((*plan.actions, *more), plan.refusals, plan.warnings, plan.proven)


def _again(before: Plan, now: Plan, show: Callable[[Plan], None]) -> Plan:
    """The plan as it is once nobody else can change anything; shown again where it is another than before."""
    if now != before:
        show(now)
    if now.refusals:
        raise worst(now.refusals)
    return now


def change(
    to: Path,
    make: Callable[[Arm, Target], Plan],
    progress: Progress,
    show: Callable[[Plan], None],
    *,
    apply: bool,
    before: Callable[[Target, Plan], None] = lambda target, plan: None,
) -> Outcome:
    """Plan a change of versions that exist, `show` it, and do it if asked; `before` may object at the last moment.

    Raises as `publish` does.
    """
    target = targetfile.load(to)
    with session(target, only_looking) as one:
        plan = make(one.arm, target)
    show(plan)
    if not apply:
        return Outcome(plan, False)
    if plan.refusals:
        raise worst(plan.refusals)
    with held(target, progress) as guard, session(target, guard) as one:
        plan = _again(plan, make(one.arm, target), show)
        before(target, plan)
        applying.change(one.arm, target, plan, progress)
    return Outcome(plan, True)


def promote(
    to: Path,
    version: str,
    progress: Progress,
    show: Callable[[Plan], None],
    *,
    apply: bool,
    smoke_test: str = "",
) -> Outcome:
    """Let a version be the latest, once a program of the caller's has found nothing wrong with it (`smoke.test`)."""

    def before(target: Target, plan: Plan) -> None:
        if smoke_test:
            smoke.test(smoke_test, target, plan, progress)

    return change(to, partial(_promoting, version), progress, show, apply=apply, before=before)


def rollback(to: Path, version: str, progress: Progress, show: Callable[[Plan], None], *, apply: bool) -> Outcome:
    """Take a version out of the latest."""
    return change(to, partial(_rolling, version), progress, show, apply=apply)


def retire(
    to: Path,
    version: str,
    day: date | None,
    progress: Progress,
    show: Callable[[Plan], None],
    *,
    delete: bool,
    apply: bool,
) -> Outcome:
    """End a version's life on a day, or delete it."""
    return change(to, partial(_retiring, version, day, delete), progress, show, apply=apply)


def _promoting(version: str, arm: Arm, target: Target) -> Plan:
    return release.promote(arm, target, version, datetime.now(UTC).date())


def _rolling(version: str, arm: Arm, target: Target) -> Plan:
    return release.rollback(arm, target, version)


def _retiring(version: str, day: date | None, delete: bool, arm: Arm, target: Target) -> Plan:
    return release.retire(arm, target, version, day, datetime.now(UTC).date(), delete=delete)


def published(to: Path) -> list[dict[str, Any]]:
    """Every version of a target's definitions."""
    target = targetfile.load(to)
    if target.kind != "gallery":
        raise CallerError(f"{to} is about a {target.kind}", "only a gallery has versions")
    with session(target, only_looking) as one:
        return release.published(one.arm, target)


def prune(to: Path, progress: Progress, show: Callable[[Plan], None], *, apply: bool) -> Outcome:
    """Remove staged files that nothing needs any more, planned first."""
    target = targetfile.load(to)
    with session(target, only_looking) as one:
        plan = _pruning(one)
    show(plan)
    if apply:
        with held(target, progress) as guard, session(target, guard) as one:
            plan = _again(plan, _pruning(one), show)
            staging.remove(one.staging, [action.name for action in plan.actions])
    return Outcome(plan, apply)


def _pruning(one: Session) -> Plan:
    """The staged files that nothing needs; the versions are asked for last, so that none is missed."""
    found = staging.staged(one.staging)
    kept = bases.needed(bases.every(one.arm, one.target))
    return Plan(
        tuple(
            Action("delete", "blob", name, (f"{size >> 20} MiB long, digest {digest[:16]}",))
            for name, digest, size in found
            if name not in kept
        )
    )
