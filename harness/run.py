"""One run, inside the sealed namespace: a scenario is played, the checks judge, the report is written."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from build.errors import MachineError
from build.progress import Progress
from harness import belongings
from harness.answer import answer
from harness.chapters import Chapter
from harness.faultplan import FaultPlan
from harness.faultverdicts import under_faults
from harness.fork import Fork
from harness.hostnames import names_seen
from harness.judging import has_failed, notes, verdicts
from harness.order import Order, profile_of
from harness.performance import SCREENSHOT, Play, perform
from harness.play import SILENCE_LIMIT
from harness.qemu import CONSOLE, FIRMWARE
from harness.report import Report, Verdict
from harness.scenario import Scenario, find_scenario
from harness.stage import JOURNAL, Stage
from harness.store import save
from harness.terminal import attach, serial_console

LOOK = 0.1
"""Seconds between two looks whether the image has been read."""


def main(told: Mapping[str, Any]) -> int:
    """Play one scenario on the machine that was ordered; the report says the rest. Returns 0."""
    begun, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    order, folder, scenario = Order.of(told), Path(told["folder"]), find_scenario(told["scenario"])
    profile, progress = profile_of(order), Progress()

    plan = FaultPlan.of(told["faults"], told["script"])

    lacks: list[str] = []

    def watch(stage: Stage, chapters: tuple[Chapter, ...]) -> None:
        if not has_failed(_verdicts(plan, chapters)):
            return
        if chapters[-1].boot.facts:
            silence = SILENCE_LIMIT * stage.accelerator.factor
            lacks.append(belongings.by_ssh(stage.guest, stage.folder / belongings.FOLDER, silence))
        if told["hold"]:
            _hold(stage, progress)

    def mourn(disk: Path, place: Path) -> None:
        with progress.step("Reading what the guest left on its disk"):
            lacks.append(belongings.offline(disk, place / belongings.FOLDER))

    fork = Fork(Path(told["fork"])) if told.get("fork") else None
    limit = told.get("limit")
    played = perform(Play(order, profile, scenario, folder, progress, told["link"], limit, fork, plan, watch, mourn))
    report = Report(
        image=told["container"] or told["image"],
        digest=_digest(Path(told["digest"]), progress),
        scenario=scenario.name,
        seed=order.seed,
        machine=played.machine,
        verdicts=_verdicts(plan, played.chapters),
        started=started,
        seconds=round(time.monotonic() - begun, 1),
        events=played.events,
        notes=(
            *filter(None, [told.get("note")]),
            *profile.inferred,
            *notes(played),
            *(f"Of its evidence: {why}." for why in lacks if why),
        ),
        files=_files(folder, scenario),
        console_tail=played.console,
        azure=answer(played.chapters),
        names=names_seen(played.chapters),
        faults=plan.names,
    )
    save(report, folder)
    return 0


def _digest(place: Path, progress: Progress) -> str:
    """The image's digest, which whoever ordered the run puts there. Raises MachineError where there will be none."""
    if not place.exists():
        with progress.step("Reading the image's content"):
            while not place.exists():
                time.sleep(LOOK)
    if not (digest := place.read_text()):
        raise MachineError("the image's content could not be read")
    return digest


def _verdicts(plan: FaultPlan, chapters: tuple[Chapter, ...]) -> tuple[Verdict, ...]:
    found = verdicts(chapters)
    return tuple(under_faults(plan, found, chapters) if plan else found)


def _files(folder: Path, scenario: Scenario) -> dict[str, str]:
    """What lies beside the report: of the first machine in its folder, of each later stint in one below."""
    names = {"console": CONSOLE, "journal": JOURNAL, "screenshot": SCREENSHOT, "firmware": FIRMWARE}
    labels = dict.fromkeys(stint.label for stint in scenario.stints)
    found = {
        f"{label}'s {what}" if label else what: f"{label}/{name}" if label else name
        for label in labels
        for what, name in names.items()
    }
    there = {what: name for what, name in found.items() if (folder / name).is_file()}
    return there | {f"/{name} of the guest": path for name, path in _evidence(folder, labels)}


def _evidence(folder: Path, labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What was kept of each stint's guest: its name there, and where it lies beside the report."""
    for label in labels:
        for name in belongings.kept(folder / label):
            yield (f"{name}, {label}" if label else name), str(Path(label, belongings.FOLDER, name))


def _hold(stage: Stage, progress: Progress) -> None:
    """Keep a failed guest until its watcher has seen enough."""
    if sys.stdin.isatty():
        progress.note("The guest is held: this is its serial console. Ctrl-] ends it.")
        with serial_console(stage.machine.console_socket) as line:
            attach(line)
        return
    with suppress(KeyboardInterrupt):
        progress.note(f"The guest is held until Ctrl-C; its console is in {stage.folder / CONSOLE}")
        while stage.machine.alive:
            time.sleep(1)
