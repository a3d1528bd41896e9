"""What the tasks call: each opens a session, makes a plan, and does it where that was asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build.errors import CallerError
from build.progress import Progress
from publish import apply as applying
from publish import arm as resources
from publish import (
    bases,
    credentials,
    lease,
    pageblob,
    planning,
    planning_single,
    release,
    sending,
    shares,
    smoke,
    source,
    staging,
    targetfile,
)
from publish.address import Address
from publish.arm import Arm
from publish.clouds import CLOUDS, PUBLIC, Cloud
from publish.plan import Action, Order, Plan, worst
from publish.pull import pull as bring
from publish.refusals import without_secrets
from publish.shares import Access
from publish.staging import Base, Staging
from publish.subject import subject
from publish.target import Target

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

READ_SECONDS = 24 * 3600


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


@dataclass(frozen=True)
class Session:
    """Everything that is asked of Azure about one target."""

    target: Target
    arm: Arm
    access: Access
    staging: Staging


@contextmanager
def session(target: Target, *, write: bool) -> Iterator[Session]:
    """Sessions with the resource manager, the roles and the staging account of a target."""
    who = credentials.credential(target.cloud)
    account = Staging(target.blob_endpoint, target.staging.container, who, target.cloud.certificate)
    with (
        resources.session(target.cloud, target.subscription, target.resource_group, who, write=write) as arm,
        shares.session(target.cloud, target.subscription, who, write=write) as access,
    ):
        yield Session(target, arm, access, account)


def publish(request: PublishRequest, progress: Progress, show: Callable[[Plan], None]) -> Outcome:
    """Plan a publication, `show` the plan, and do it if asked.

    Raises CallerError, MachineError and SubscriptionError as their parts do, and what the plan was refused for where it
    should have been done.
    """
    target = targetfile.load(request.to)
    if request.verify not in sending.VERIFY:
        raise CallerError(f"--verify {request.verify} does not exist", f"there is: {', '.join(sending.VERIFY)}")
    order = _order(request, target, progress)
    with session(target, write=False) as one:
        plan = _plan(one, order)
    show(plan)
    if not request.apply:
        return Outcome(plan, False)
    if plan.refusals:
        raise worst(plan.refusals)
    with session(target, write=True) as one, held(one, progress):
        plan = _again(plan, _plan(one, order), show)
        base = _base(one, request.base) if request.base else None
        work = applying.Work(one.arm, one.access, order, one.staging, progress, request.verify, base)
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


@contextmanager
def held(one: Session, progress: Progress) -> Iterator[None]:
    """Be the only one who works on this target's definitions. The container is made if it is missing."""
    staging.ensure(one.staging)
    with lease.held(one.staging, _locks(one.target), progress):
        yield


def _again(before: Plan, now: Plan, show: Callable[[Plan], None]) -> Plan:
    """The plan as it is once nobody else can change anything; shown again where it is another than before."""
    if now != before:
        show(now)
    if now.refusals:
        raise worst(now.refusals)
    return now


def _locks(target: Target) -> list[str]:
    """What only one may work on at a time."""
    if target.kind != "gallery":
        return [f"{target.kind}-{target.name}"]
    return [f"{target.name}-{one.name}" for one in target.definitions]


def _base(one: Session, version: str) -> Base | None:
    return bases.find(one.staging, _every(one), version)


def _every(one: Session) -> list[dict[str, Any]]:
    """The versions of all definitions of the target."""
    return [
        each for definition in one.target.definitions for each in release.listed(one.arm, one.target, definition.name)
    ]


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
    with session(target, write=False) as one:
        plan = make(one.arm, target)
    show(plan)
    if not apply:
        return Outcome(plan, False)
    if plan.refusals:
        raise worst(plan.refusals)
    with session(target, write=True) as one, held(one, progress):
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
    with session(target, write=False) as one:
        return release.published(one.arm, target)


def prune(to: Path, progress: Progress, show: Callable[[Plan], None], *, apply: bool) -> Outcome:
    """Remove staged files that nothing needs any more, planned first."""
    target = targetfile.load(to)
    with session(target, write=False) as one:
        kept = bases.needed(_every(one))
        found = [each for each in staging.staged(one.staging) if each[0] not in kept]
    actions = tuple(
        Action("delete", "blob", name, (f"{size >> 20} MiB long, digest {digest[:16]}",))
        for name, digest, size in found
    )
    show(plan := Plan(actions))
    if apply:
        with session(target, write=True) as one, held(one, progress):
            staging.remove(one.staging, [action.name for action in actions])
    return Outcome(plan, apply)


@dataclass(frozen=True)
class PullRequest:
    """A disk of Azure: the id of a snapshot or a managed disk, or the URL of a blob; `cloud` is its cloud's."""

    output: Path
    snapshot: str = ""
    disk: str = ""
    blob: str = ""
    to: Path | None = None


def pull(request: PullRequest, progress: Progress) -> Path:
    """Bring it here as a fixed VHD. Raises as `pull.pull` does."""
    given = [word for word in (request.snapshot, request.disk, request.blob) if word]
    if len(given) != 1:
        raise CallerError("which one?", "say one of --snapshot ID, --disk ID, --blob URL")
    cloud = targetfile.load(request.to).cloud if request.to else CLOUDS[PUBLIC.name]
    who = credentials.credential(cloud)
    if request.blob:
        reach = partial(pageblob.by_address, request.blob, cloud.certificate, who)
        return bring(without_secrets(request.blob), Address(reach, float("inf")), request.output, progress)
    return _pull_disk(request, given[0], cloud, who, progress)


def _pull_disk(request: PullRequest, id: str, cloud: Cloud, who: "TokenCredential", progress: Progress) -> Path:
    """By an address that is granted for the while, and taken back at the end."""
    subscription, group, name = _parts(id, "snapshots" if request.snapshot else "disks")
    with resources.session(cloud, subscription, group, who, write=True) as arm:
        client: Any = arm.compute.snapshots if request.snapshot else arm.compute.disks
        asked = {"access": "Read", "durationInSeconds": READ_SECONDS}

        def reach() -> Any:
            granted = arm.finish(f"access to {name}", partial(client.begin_grant_access, group, name, asked))
            return pageblob.by_address(str(granted["accessSAS"]), cloud.certificate)

        try:
            return bring(id, Address(reach, READ_SECONDS), request.output, progress)
        finally:
            arm.finish(f"closing {name}", partial(client.begin_revoke_access, group, name))


def _parts(id: str, kind: str) -> tuple[str, str, str]:
    """Subscription, group and name of a resource's id. Raises CallerError where it is none of that kind."""
    words = id.strip("/").split("/")
    form = f"/subscriptions/…/resourceGroups/…/providers/Microsoft.Compute/{kind}/NAME"
    if len(words) != 8 or [words[0].lower(), words[2].lower(), words[6].lower()] != [
        "subscriptions",
        "resourcegroups",
        kind,
    ]:
        raise CallerError(f"{id} is no id of one of {kind}", f"its form is {form}")
    return words[1], words[3], words[7]
