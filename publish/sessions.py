"""Everything that is asked of Azure about one target, opened and closed together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from build.progress import Progress
from publish import arm as resources
from publish import credentials, lease, shares, staging
from publish.arm import Arm
from publish.lease import Held
from publish.shares import Access
from publish.staging import Staging
from publish.target import Target


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


@contextmanager
def held(one: Session, progress: Progress) -> Iterator[Held]:
    """Be the only one who works on this target's definitions. The container is made if it is missing."""
    staging.ensure(one.staging)
    with lease.held(one.staging, _locks(one.target), progress) as names:
        yield names


def _locks(target: Target) -> list[str]:
    """What only one may work on at a time."""
    if target.kind != "gallery":
        return [f"{target.kind}-{target.name}"]
    return [f"{target.name}-{one.name}" for one in target.definitions]
