"""Everything that is asked of Azure about one target, opened and closed together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from build.progress import Progress
from publish import arm as resources
from publish import credentials, lease, shares, staging
from publish.arm import Arm
from publish.guard import Guard, anything
from publish.shares import Access
from publish.staging import Staging
from publish.target import Target


@dataclass(frozen=True)
class Session:
    """Everything that is asked of Azure about one target; `guard` is asked before anything is changed."""

    target: Target
    arm: Arm
    access: Access
    staging: Staging
    guard: Guard


@contextmanager
def session(target: Target, guard: Guard) -> Iterator[Session]:
    """Sessions with the resource manager, the roles and the staging account of a target."""
    who = credentials.credential(target.cloud)
    with (
        resources.session(target.cloud, target.subscription, target.resource_group, who, guard) as arm,
        shares.session(target.cloud, target.subscription, who, guard) as access,
    ):
        yield Session(target, arm, access, account(target, guard), guard)


@contextmanager
def held(target: Target, progress: Progress) -> Iterator[Guard]:
    """Be the only one who works on this target's definitions, for as long as the guard that this gives lets anything
    out. The container is made if it is missing."""
    store = account(target, anything)
    staging.ensure(store)
    with lease.held(store, _locks(target), progress) as names:
        yield names.require


def account(target: Target, guard: Guard) -> Staging:
    """The staging account of a target, as one that knows whose files it stages."""
    who = credentials.credential(target.cloud)
    # A header's text: ASCII alone.
    whose = f"{target.subscription}/{target.resource_group}/{target.name}".lower().encode("ascii", "replace").decode()
    return Staging(target.blob_endpoint, target.staging.container, who, target.cloud.certificate, guard, whose)


def _locks(target: Target) -> list[str]:
    """What only one may work on at a time."""
    if target.kind != "gallery":
        return [f"{target.kind}-{target.name}"]
    return [f"{target.name}-{one.name}" for one in target.definitions]
