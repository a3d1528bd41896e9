"""Verifying an image: each generation that it claims is booted before the pretend host, and judged.

This side knows what the caller asked for and where results are kept; `harness.run` is the side inside the sealed
namespace, where the host and the guest live.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.errors import Bug, MachineError
from build.progress import Progress
from harness.accelerator import choose_accelerator
from harness.processor import X86_64, processor
from harness.report import Report
from harness.sandbox import INTERRUPTED, run_sealed
from harness.scenario import Scenario, find_scenario
from harness.scratch import is_used
from harness.store import PAGE, REPORT, load
from harness.subject import Subject, digest_of, open_subject
from harness.wishes import MachineWishes, machine_order, machines


@dataclass(frozen=True)
class VerifyRequest(MachineWishes):
    """An image to verify. `hold` keeps a failed guest running.

    `limit` is how long a first boot may take, in seconds, and `link` how the guest is wired (`harness.wire`); without
    them, as long as this machine's accelerator needs, and whatever works here.
    """

    image: Path = Path()
    scenario: str = "first-boot"
    seed: str = "azure"
    output: Path = Path("output")
    hold: bool = False
    link: str | None = None
    limit: float | None = None


def verify(request: VerifyRequest, progress: Progress) -> tuple[Report, ...]:
    """A report for each machine, each also kept in the image's folder.

    Raises CallerError or MachineError where a run cannot even begin; whatever a guest does ends in its report.
    """
    scenario = find_scenario(request.scenario)
    subject = open_subject(request.image, request.output)
    orders = [machine_order(subject, one, request.seed, request) for one in machines(subject, request)]
    accelerator = choose_accelerator(processor(subject.manifest.arch if subject.manifest else X86_64.arch))
    if accelerator.name == "tcg":
        progress.note(f"guests are emulated, which is slow: {accelerator.why}")
    with progress.step("Reading the image's content"):
        digest = digest_of(subject.disk, subject.runs)
    return tuple(_verify(subject, {**order, "digest": digest}, scenario, request, progress) for order in orders)


def _verify(
    subject: Subject, machine: Mapping[str, Any], scenario: Scenario, request: VerifyRequest, progress: Progress
) -> Report:
    folder = subject.runs / run_name(machine["machine"], scenario, request.seed)
    _empty(folder)
    progress.note(f"Machine {machine['machine']}, {scenario.name}: {scenario.text}")
    order = {
        **machine,
        "scenario": scenario.name,
        "folder": str(folder),
        "hold": request.hold,
        "link": request.link,
        "limit": request.limit,
    }
    status = run_sealed("harness.run", order)
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise Bug(f"the run ended with status {status} and without a report", f"its traces are in {folder}")
    progress.note(f"The report: {folder / PAGE}")
    return load(folder / REPORT)


def _empty(folder: Path) -> None:
    """Make the folder anew. Raises MachineError where that is not allowed, or another run is using it."""
    if is_used(folder):
        raise MachineError(f"another run writes to {folder}", "wait for its end, or choose --output")
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as refusal:
        raise MachineError(
            f"{refusal.filename or folder} cannot be replaced: {refusal.strerror}", "remove it, or choose --output"
        ) from None


def run_name(machine: str, scenario: Scenario, seed: str) -> str:
    """The name of a run's folder: machine, scenario, and the seed where it is not Azure's."""
    return f"{machine}-{scenario.name}" + ("" if seed == "azure" else f"-{seed}")
