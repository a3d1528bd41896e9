"""Repairing an image's file: what is done, in order. The image stays as it is until a copy has proven to be better.

A copy is made in the folder where it is to lie, changed, inspected once more, and only then given its name: whatever
happens on the way, the image is the old one or the new one.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from build.command import CommandFailed, run
from build.errors import Bug, CallerError, MachineError
from build.progress import Progress
from harness.checks.check import judge
from harness.fix import container, ext, place
from harness.fix.place import Target
from harness.fix.plan import Left, Plan, Repaired, propose, repairable
from harness.fix.repair import Unsafe
from harness.inspect import gather, inspect, offline_checks
from harness.profile import Profile
from harness.report import Report, Status, Verdict


@dataclass(frozen=True)
class FixRequest:
    """An image (a folder of a build, or a disk file), and what is done to it.

    `only` are the ids of findings, all if empty. The result goes to `output`, or beside the image, or takes its place.
    `generations`, `kind` and `provisioner` say what the image is, as for `inspect`.
    """

    image: Path
    only: tuple[str, ...] = ()
    in_place: bool = False
    output: Path | None = None
    generations: tuple[int, ...] | None = None
    kind: str | None = None
    provisioner: str | None = None


@dataclass(frozen=True)
class Fixed:
    """What was done: `image` is the result, or the image itself where nothing was, `report` what is said of it now."""

    image: Path
    repaired: tuple[Repaired, ...]
    left: tuple[Left, ...]
    report: Report

    def as_dict(self) -> dict[str, Any]:
        """The answer as `--json` prints it."""
        return {
            "image": str(self.image),
            "repaired": [vars(one) for one in self.repaired],
            "left": [vars(one) for one in self.left],
            "inspection": self.report.as_dict(),
        }


def fix(request: FixRequest, progress: Progress) -> Fixed:
    """Repair what inspection finds and can be repaired with certainty.

    Raises CallerError for an image that is none, an id that has no repair, or an output that exists; MachineError where
    a copy cannot be made.
    """
    if unknown := sorted(set(request.only) - {one.id for one in offline_checks()}):
        raise CallerError(f"no offline check is called {', '.join(unknown)}", "`--only` takes ids of `inspect`")
    if unable := sorted(set(request.only) - set(repairable())):
        raise CallerError(f"nothing repairs {', '.join(unable)}", f"there are repairs for: {', '.join(repairable())}")
    target = place.target(request.image, request.output, request.in_place)
    with tempfile.TemporaryDirectory(prefix="kiln-fix-") as folder:
        scratch = Path(folder)
        with progress.step(f"Inspecting {request.image}"):
            told = {name: getattr(request, name) for name in ("generations", "kind", "provisioner")}
            known = {name: value for name, value in told.items() if value is not None}
            facts = gather(request.image, scratch, known)
            verdicts = tuple(judge(offline_checks(), facts.known, facts.lacks))
        failed = tuple(one for one in verdicts if one.status is Status.FAILED)
        profile: Profile = facts.known["profile"]
        try:
            plan = propose(facts.known, failed, request.only)
        except Unsafe as reason:
            return _nothing(request.image, tuple(Left(one.id, str(reason)) for one in failed), profile)
        if not plan.repaired:
            return _nothing(request.image, plan.left, profile)
        return _repaired(target, plan, failed, profile, scratch, progress)


def _nothing(image: Path, left: tuple[Left, ...], profile: Profile) -> Fixed:
    return Fixed(image, (), left, _inspect(image, profile))


def _repaired(
    target: Target, plan: Plan, before: tuple[Verdict, ...], profile: Profile, scratch: Path, progress: Progress
) -> Fixed:
    with place.workshop(target) as room:
        copy = room / target.disk.name
        with progress.step("Copying the disk"), _room_for(copy):
            run("cp", "--reflink=auto", "--sparse=always", "--", target.disk, copy)
        with progress.step("Repairing the copy"):
            try:
                container.reshape(copy, plan.shape)
                ext.apply(copy, plan.changes, scratch)
            except Unsafe as reason:
                return _nothing(target.image, tuple(Left(one.id, str(reason)) for one in before), profile)
            digest = container.seal(copy, plan.shape)
        with progress.step("Inspecting it again"):
            if target.folder:
                place.describe(target, room, digest, tuple(one.id for one in plan.repaired))
            report = _inspect(room if target.folder else copy, profile)
        now = {one.id: one for one in report.verdicts if one.status is Status.FAILED}
        if worse := sorted(set(now) - {one.id for one in before}):
            raise Bug(f"the repairs would break {', '.join(worse)}: the image is as it was", "please report it")
        place.deliver(target, room)
    repaired = tuple(one for one in plan.repaired if one.id not in now)
    still = tuple(Left(one.id, f"in part: {now[one.id].reason}") for one in plan.repaired if one.id in now)
    left = tuple(one for one in plan.left if one.id in now)
    return Fixed(target.result, repaired, left + still, replace(report, image=str(target.result)))


def _inspect(image: Path, profile: Profile) -> Report:
    """Inspect as the image that it was before, whatever it would be taken for now."""
    return inspect(image, profile.generations, profile.kind, profile.provisioner)


@contextmanager
def _room_for(copy: Path) -> Iterator[None]:
    """Raises MachineError where the copy cannot be made."""
    try:
        yield
    except CommandFailed as failure:
        raise MachineError(
            f"{copy} cannot be made: {failure.output.strip()}", "make room, or name another place with --output"
        ) from None
