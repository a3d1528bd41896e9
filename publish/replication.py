"""Waiting until a version is everywhere, which may take hours: what each region says, and how to come back to it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from build.errors import Bug, SubscriptionError
from build.progress import Progress
from publish.arm import Arm
from publish.target import Target, plain_region

LONGEST = 6 * 3600
"""Seconds that a replication may take: the service's own documentation speaks of hours."""
SHORTEST_PAUSE, LONGEST_PAUSE, GROWTH = 0.2, 30.0, 1.5
BUSY = frozenset({"Creating", "Updating", "Migrating"})
TENTH = 10


@dataclass
class Clock:
    """How time is told and spent; tests have one of their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    pause: float = field(default=SHORTEST_PAUSE)

    def rest(self) -> None:
        """Wait a while, longer each time."""
        self.sleep(self.pause)
        self.pause = min(self.pause * GROWTH, LONGEST_PAUSE)


def version(arm: Arm, target: Target, definition: str, name: str) -> dict[str, Any] | None:
    """A version with what each of its regions says; None where it does not exist."""
    compute = arm.compute.gallery_image_versions
    return arm.get(
        f"version {definition}/{name}",
        lambda: compute.get(target.resource_group, target.name, definition, name, expand="ReplicationStatus"),
    )


def wait(
    arm: Arm, target: Target, definition: str, name: str, progress: Progress, clock: Clock | None = None
) -> dict[str, Any]:
    """The version, once it is everywhere. Whoever interrupts this can come back: it goes on in Azure.

    Raises SubscriptionError where the service gives up, or has not done it within six hours.
    """
    clock = clock or Clock()
    end, told = clock.now() + LONGEST, dict[str, str]()
    title = f"version {definition}/{name}"
    while True:
        found = version(arm, target, definition, name)
        if not found:
            raise SubscriptionError(f"{title} is gone", "somebody removed it meanwhile: publish it again")
        _tell(found, title, told, progress)
        if is_everywhere(found):
            return found
        if _has_failed(found):
            raise SubscriptionError(f"{title} failed: {reasons(found)}", "mend that, then run the same again")
        if clock.now() > end:
            raise SubscriptionError(
                f"{title} is not everywhere after six hours: {_summary(found)}",
                "it goes on in Azure: run the same again to wait for it, or take the region that lags behind out",
            )
        clock.rest()


def is_everywhere(found: Mapping[str, Any]) -> bool:
    """Whether it was made, and every region has it."""
    state = found["properties"].get("provisioningState")
    status = found["properties"].get("replicationStatus") or {}
    return bool(state == "Succeeded" and status.get("aggregatedState", "Completed") == "Completed")


def regions(found: Mapping[str, Any]) -> list[tuple[str, str, int, str]]:
    """Region, state, percent and details of each region that a version is replicated to."""
    summary = (found["properties"].get("replicationStatus") or {}).get("summary") or ()
    return sorted(
        (
            plain_region(str(one.get("region", ""))),
            str(one.get("state", "Unknown")),
            int(one.get("progress") or 0),
            str(one.get("details") or ""),
        )
        for one in summary
    )


def reasons(found: Mapping[str, Any]) -> str:
    """Why it failed, as far as the service says."""
    failed = [f"{name}: {details or state}" for name, state, _, details in regions(found) if state == "Failed"]
    return "; ".join(failed) or f"its state is {found['properties'].get('provisioningState')}"


def _has_failed(found: Mapping[str, Any]) -> bool:
    state = str(found["properties"].get("provisioningState"))
    if state in ("Deleting", "Canceled", "Failed"):
        return True
    if state not in BUSY and state != "Succeeded":
        raise Bug(f"a version is in the state {state!r}, which Kiln does not know")
    return state == "Succeeded" and any(one[1] == "Failed" for one in regions(found))


def _tell(found: Mapping[str, Any], title: str, told: dict[str, str], progress: Progress) -> None:
    """A line for each region whose state changed, or that came a tenth further."""
    progress.waiting(f"{title}: {_summary(found)}")
    for name, state, percent, _ in regions(found):
        line = f"{state}, {percent - percent % TENTH} %" if state == "Replicating" else state
        if told.get(name) != line:
            told[name] = line
            progress.note(f"{title} in {name}: {line}")


def _summary(found: Mapping[str, Any]) -> str:
    told = [f"{name} {percent} %" for name, _, percent, _ in regions(found)]
    return ", ".join(told) or str(found["properties"].get("provisioningState"))
