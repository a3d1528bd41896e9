"""Verifying an image: each generation that it claims is booted before the pretend host, and judged.

This side knows what the caller asked for and where results are kept; `harness.run` is the side inside the sealed
namespace, where the host and the guest live.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from build.errors import Bug, CallerError, MachineError
from build.progress import Progress
from harness.accelerator import Accelerator, choose_accelerator
from harness.faultplan import FaultPlan
from harness.faults import FAULTS
from harness.fork import unlike
from harness.machines import MachineProfile, find_machine
from harness.order import Order, profile_of
from harness.processor import X86_64, processor
from harness.report import Report
from harness.sandbox import INTERRUPTED, run_sealed
from harness.scenario import Scenario, find_scenarios, refusal
from harness.scratch import is_used, scratch_folder
from harness.store import PAGE, REPORT, load
from harness.subject import Subject, digest_of, open_subject
from harness.wishes import MachineWishes, machine_order, machines, read_text

ALL = "all"
LEAST_FORKS = 2
"""As many runs that can share a boot are worth it: saving and copying a machine takes a few seconds."""


@dataclass(frozen=True)
class VerifyRequest(MachineWishes):
    """An image to verify. `hold` keeps a failed guest running.

    `scenario` is the names of scenarios with commas between them, or all: those that apply. `seed` None is the one that
    a scenario wants. `faults` are NAME or NAME=ARGUMENT, all in one run or `apart` in a run each; the word all means
    every one that the scenario can have, apart. `fault_script` is a TOML file (`harness.faultscript`).

    `limit` is how long a first boot may take, in seconds, and `link` how the guest is wired (`harness.wire`); without
    them, as long as this machine's accelerator needs, and whatever works here.
    """

    image: Path = Path()
    scenario: str = "first-boot"
    seed: str | None = None
    faults: tuple[str, ...] = ()
    apart: bool = False
    fault_script: Path | None = None
    output: Path = Path("output")
    hold: bool = False
    link: str | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Refused:
    """A scenario that does not apply to an image, and why: it was not played, and proves nothing."""

    scenario: str
    machine: str
    reason: str


class Verified(NamedTuple):
    """What was found, a report for each generation and scenario, and what was not played."""

    reports: tuple[Report, ...]
    refused: tuple[Refused, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether anything was played, and all of it passed."""
        return bool(self.reports) and all(report.passed for report in self.reports)


@dataclass(frozen=True)
class Run:
    """One scenario on one machine, as the sealed side gets it."""

    scenario: Scenario
    machine: Mapping[str, Any]
    faults: FaultPlan

    @property
    def can_be_forked(self) -> bool:
        """Whether its first boot can go on from one that other runs share."""
        machine, first = find_machine(self.machine["machine"]), self.scenario.stints[0]
        return not unlike(machine, self.machine["seed"], first, self.faults.injection)


def verify(request: VerifyRequest, progress: Progress) -> Verified:
    """Play every scenario that was asked for on each generation; each report is also kept in the image's folder.

    Raises CallerError or MachineError where a run cannot even begin, CallerError also where a scenario that was asked
    for by its name does not apply; whatever a guest does ends in its report.
    """
    subject = open_subject(request.image, request.output)
    runs, refused = _planned(subject, request)
    accelerator = choose_accelerator(processor(subject.manifest.arch if subject.manifest else X86_64.arch))
    if accelerator.name == "tcg":
        progress.note(f"guests are emulated, which is slow: {accelerator.why}")
    for one in refused:
        progress.note(f"Machine {one.machine}, not played: {one.reason}")
    with progress.step("Reading the image's content"):
        digest = digest_of(subject.disk, subject.runs)
    reports: list[Report] = []
    for _, group in groupby(runs, lambda one: one.machine["machine"]):
        together = tuple(group)
        with _shared_boot(subject, together, request, accelerator, progress) as fork:
            reports += [_verify(subject, one, digest, request, fork, progress) for one in together]
    return Verified(tuple(reports), refused)


@contextmanager
def _shared_boot(
    subject: Subject, runs: tuple[Run, ...], request: VerifyRequest, accelerator: Accelerator, progress: Progress
) -> Iterator[Path | None]:
    """The folder of a boot from which several of these runs can go on; None where that saves nothing."""
    alike = [one for one in runs if one.can_be_forked]
    if len(alike) < LEAST_FORKS or accelerator.name != "tcg":
        yield None
        return
    subject.runs.mkdir(parents=True, exist_ok=True)
    with scratch_folder(subject.runs) as folder:
        order = {**alike[0].machine, "folder": str(folder), "link": request.link}
        with progress.step(f"Booting to where provisioning begins, once for {len(alike)} runs"):
            status = run_sealed("harness.trunk", order)
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        if status:
            progress.note("The console does not tell where provisioning begins: each run boots anew")
        yield None if status else folder


def _planned(subject: Subject, request: VerifyRequest) -> tuple[list[Run], tuple[Refused, ...]]:
    """What to play, and what does not apply."""
    runs, refused = [], []
    for machine in machines(subject, request):
        for scenario in find_scenarios(request.scenario):
            seed = request.seed or scenario.seeds[0]
            if (reason := _refusal(subject, scenario, machine, request)) and request.scenario == "all":
                refused.append(Refused(scenario.name, machine.name, reason))
            elif reason:
                raise CallerError(
                    reason, "`./kiln scenarios` says what each is for; `--scenario all` plays what applies"
                )
            else:
                order = machine_order(subject, machine, seed, request)
                runs += [Run(scenario, order, plan) for plan in plans_of(request, scenario)]
    return runs, tuple(refused)


def plans_of(request: VerifyRequest, scenario: Scenario) -> tuple[FaultPlan, ...]:
    """The faults that were asked for besides those that the scenario has by itself: a plan for each run.

    Raises CallerError where one of them needs another scenario.
    """
    script, every = read_text(request.fault_script), request.faults == (ALL,)
    words = [one.name for one in FAULTS if one.scenario in ("", scenario.name)] if every else list(request.faults)
    together = [[word] for word in words] if (every or request.apart) and words else [words]
    plans = tuple(FaultPlan.of((*scenario.faults, *one), script) for one in together)
    for plan in plans:
        plan.check_scenario(scenario.name)
    return plans


def _refusal(subject: Subject, scenario: Scenario, machine: MachineProfile, request: VerifyRequest) -> str:
    if (request.faults or request.fault_script) and (request.seed or scenario.seeds[0]) != "azure":
        return f"{scenario.name} without Azure has no host that could misbehave"
    if not scenario.when and request.seed in (None, *scenario.seeds):
        return ""  # applies to every image: no need to look into it
    if machine.secure_boot and (request.seed or scenario.seeds[0]) == "nocloud":
        return "NoCloud has QEMU start the kernel itself, which Secure Boot refuses"
    order = machine_order(subject, machine, "azure", request)
    return refusal(scenario, profile_of(Order.of(order)), request.seed)


def _verify(
    subject: Subject, one: Run, digest: str, request: VerifyRequest, fork: Path | None, progress: Progress
) -> Report:
    folder = subject.runs / run_name(one.machine["machine"], one.scenario, one.machine["seed"], one.faults.names)
    _empty(folder)
    progress.note(f"Machine {one.machine['machine']}, {one.scenario.name}: {one.scenario.title}")
    order = {
        **one.machine,
        "digest": digest,
        "scenario": one.scenario.name,
        "folder": str(folder),
        "faults": [chosen.word for chosen in one.faults.chosen],
        "script": read_text(request.fault_script),
        "hold": request.hold,
        "link": request.link,
        "limit": request.limit,
        "fork": str(fork) if fork and one.can_be_forked else "",
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


def run_name(machine: str, scenario: Scenario, seed: str, faults: tuple[str, ...] = ()) -> str:
    """The name of a run's folder: machine, scenario, the seed where it is not the usual one, and the faults."""
    own = tuple(one for one in faults if one not in scenario.faults)
    return "-".join((machine, scenario.name, *(() if seed == scenario.seeds[0] else (seed,)), *own))
