"""Verifying an image: each generation that it claims is booted before the pretend host, and judged.

This side knows what the caller asked for and where results are kept; `harness.run` is the side inside the sealed
namespace, where the host and the guest live.
"""

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from build import wholefile
from build.errors import Bug, MachineError
from build.progress import Progress
from harness import emulator
from harness.accelerator import Accelerator, choose_accelerator
from harness.processor import X86_64, processor
from harness.report import Report
from harness.runs import Refused, Run, VerifyRequest, planned
from harness.sandbox import INTERRUPTED, run_sealed
from harness.scratch import is_used, scratch_folder
from harness.slots import Sealed, in_slots
from harness.store import PAGE, REPORT, load
from harness.subject import Subject, digest_of, open_subject
from harness.wishes import read_text

LEAST_FORKS = 2
"""As many runs that can share a boot are worth it: saving and copying a machine takes a few seconds."""


class Verified(NamedTuple):
    """What was found, a report for each generation and scenario, and what was not played."""

    reports: tuple[Report, ...]
    refused: tuple[Refused, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether anything was played, and all of it passed."""
        return bool(self.reports) and all(report.passed for report in self.reports)


def verify(request: VerifyRequest, progress: Progress) -> Verified:
    """Play every scenario that was asked for on each generation; each report is also kept in the image's folder.

    Raises CallerError or MachineError where a run cannot even begin, CallerError also where a scenario that was asked
    for by its name does not apply; whatever a guest does ends in its report.
    """
    subject = open_subject(request.image, request.output)
    runs, refused = planned(subject, request)
    accelerator = choose_accelerator(processor(subject.manifest.arch if subject.manifest else X86_64.arch))
    if accelerator.name == "tcg":
        progress.note(f"guests are emulated, which is slow: {accelerator.why}")
    for one in refused:
        progress.note(f"Machine {one.machine}, not played: {one.reason}")
    reports: list[Report] = []
    with _digest_beside(subject) as digest:
        for _, group in groupby(runs, lambda one: one.machine["machine"]):
            together = tuple(group)
            with _shared_boot(subject, together, request, accelerator, progress) as fork:
                orders = [_order(one, subject.runs / one.name, digest, request, fork) for one in together]
                reports += _play(together, orders, request, progress)
    return Verified(tuple(reports), refused)


@contextmanager
def _digest_beside(subject: Subject) -> Iterator[Path]:
    """A file in which the digest of the image is to be: it is read while guests boot, which have no use for it.

    Raises what went wrong with the reading, whatever its consequences; the file is empty then.
    """

    def read(place: Path) -> None:
        digest = ""
        try:
            digest = digest_of(subject.disk, subject.runs)
        finally:
            wholefile.write(place, digest.encode())

    with scratch_folder() as folder, ThreadPoolExecutor(1) as reader:
        reading = reader.submit(read, folder / "digest")
        try:
            yield folder / "digest"
        finally:
            reading.result()


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


def _order(one: Run, folder: Path, digest: Path, request: VerifyRequest, fork: Path | None) -> Mapping[str, Any]:
    """What the sealed side gets of a run whose files go to that folder."""
    return {
        **one.machine,
        "digest": str(digest),
        "scenario": one.scenario.name,
        "folder": str(folder),
        "faults": [chosen.word for chosen in one.faults.chosen],
        "script": read_text(request.fault_script),
        "hold": request.hold,
        "link": request.link,
        "limit": request.limit,
        "fork": str(fork) if fork and one.can_be_forked else "",
    }


def _play(
    runs: tuple[Run, ...], orders: list[Mapping[str, Any]], request: VerifyRequest, progress: Progress
) -> list[Report]:
    """The reports of these runs, in their order. Those whose guest the emulator let die are played once more."""
    reports = _played(runs, orders, request, progress)
    for place, order in enumerate(orders):
        folder = Path(order["folder"])
        if not request.hold and (console := emulator.fault(reports[place], folder)):
            progress.note(f"{runs[place].name}: the emulator let the kernel die, not the image: played once more")
            (reports[place],) = _played((runs[place],), [{**order, "note": emulator.AGAIN}], request, progress)
            wholefile.write(folder / emulator.KEPT, console)
    return reports


def _played(
    runs: tuple[Run, ...], orders: list[Mapping[str, Any]], request: VerifyRequest, progress: Progress
) -> list[Report]:
    """The reports of these runs, in their order, however many were played at once."""

    def begin(run: Run, folder: Path) -> None:
        _empty(folder)
        progress.note(f"Machine {run.machine['machine']}, {run.scenario.name}: {run.scenario.title}")

    folders = [Path(order["folder"]) for order in orders]
    calls = [
        Sealed(run.name, "harness.run", order, partial(begin, run, folder))
        for run, order, folder in zip(runs, orders, folders, strict=True)
    ]
    reports: dict[int, Report] = {}
    most = request.slots(max(run.scenario.machines for run in runs))
    for place, status in in_slots(calls, min(most, len(calls)), progress.note):
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        if status:
            raise Bug(f"the run ended with status {status} and without a report", f"its traces are in {folders[place]}")
        progress.note(f"The report: {folders[place] / PAGE}")
        reports[place] = load(folders[place] / REPORT)
    return [reports[place] for place in range(len(runs))]


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
