"""One run, inside the sealed namespace: a scenario is played, the checks judge, the report is written."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from build.manifest import Manifest
from build.progress import Progress
from harness.checks import all_checks
from harness.checks.check import judge
from harness.checks.hostname import imds_name, names_in_hosts
from harness.deadline import Gone
from harness.evidence import GuestFacts
from harness.expected import Expected
from harness.guest import load_key, make_key
from harness.happenings import events_of
from harness.inspect import FACTS
from harness.names import resolve
from harness.play import FROZEN, Boot, first_boot, reboot
from harness.profile import Profile
from harness.qemu import CONSOLE, FIRMWARE
from harness.report import Event, Report, Status, Verdict
from harness.scenario import find_scenario
from harness.stage import JOURNAL, Order, Stage, profile_of, staged
from harness.store import save
from harness.terminal import attach, serial_console
from harness.vm import WIRESERVER

SCREENSHOT = "screenshot.png"
TAIL = 60


@dataclass(frozen=True)
class Outcome:
    """What one machine showed: its boots in order, and what was seen beside them."""

    boots: tuple[Boot, ...]
    facts: Mapping[str, Any]
    events: tuple[Event, ...]
    machine: Mapping[str, str]
    console: str


def main(told: Mapping[str, Any]) -> int:
    """Play one scenario on the machine that was ordered; the report says the rest. Returns 0."""
    begun, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    order, folder, scenario = Order.of(told), Path(told["folder"]), find_scenario(told["scenario"])
    profile = profile_of(order)
    progress = Progress()
    outcome = _play(order, profile, folder, told, scenario.reboots, progress)
    verdicts = tuple(_judged(outcome, profile))
    if profile.kind == "specialized" and outcome.boots[0].facts:
        verdicts += _twin(order, profile, folder, told, outcome, progress)
    report = Report(
        image=told["container"] or told["image"],
        digest=told["digest"],
        scenario=scenario.name,
        seed=order.seed,
        machine=outcome.machine,
        verdicts=verdicts,
        started=started,
        seconds=round(time.monotonic() - begun, 1),
        events=outcome.events,
        notes=profile.inferred + _notes(order, outcome),
        files=_files(folder),
        console_tail=outcome.console,
    )
    save(report, folder)
    return 0


def _play(
    order: Order,
    profile: Profile,
    folder: Path,
    told: Mapping[str, Any],
    reboots: int,
    progress: Progress,
    which: str = "first",
) -> Outcome:
    key = load_key(order.ssh_key) if order.ssh_key else make_key()
    with staged(order, profile, key, folder, which, told["link"]) as stage:
        with progress.step("Booting until its administrator can log in and its boot is done"):
            boots = [first_boot(stage, profile, order.seed == "azure", told.get("limit"))]
        for _ in range(reboots):
            if boots[-1].facts is None:
                break
            with progress.step("Rebooting"):
                boots.append(reboot(stage))
        facts = _facts(stage, order, profile, boots[0])
        with suppress(Gone):
            stage.machine.screenshot(folder / SCREENSHOT)
        outcome = Outcome(
            tuple(boots), facts, events_of(stage.host.journal.entries), _machine(stage, order), stage.console.tail(TAIL)
        )
        failed = any(one.status is Status.FAILED and one.severity == "required" for one in _judged(outcome, profile))
        if told["hold"] and failed:
            _hold(stage, progress)
    return outcome


def _facts(stage: Stage, order: Order, profile: Profile, boot: Boot) -> dict[str, Any]:
    """What the checks may ask for, by parameter name."""
    expected = _expected(stage, order, profile)
    return {
        "profile": profile,
        "expected": expected,
        "ending": boot.ending,
        "console": stage.console.text,
        "host": stage.host if order.seed == "azure" else None,
        "hostnames": stage.host.hostnames,
        "published": _published(f"{expected.name}.{stage.vm.domain}"),
        "guest": boot.facts,
    }


def _expected(stage: Stage, order: Order, profile: Profile) -> Expected:
    name = order.name
    if profile.kind == "specialized":
        name = Manifest.load(order.container).hostname if order.container.is_dir() else ""
    data = stage.vm.os_profile
    return Expected(
        name=name,
        admin=order.admin,
        address=stage.vm.address,
        custom_data=data.custom_data if data else order.custom_data,
        user_data=data.user_data if data else order.user_data,
        marks=not order.own_data,
        disk_size=order.disk_size,
        machine=order.machine,
        seed=order.seed,
    )


def _published(name: str) -> tuple[str, ...]:
    try:
        return resolve(WIRESERVER, name)
    except OSError:
        return ()


LACKS = {
    "guest": "nobody could log in to the guest",
    "host": "a NoCloud run reports to nobody",
    "earlier": "the boot before this one failed",
}
COMPARED = frozenset({"earlier", "twin"})
"""Facts that are another boot's."""


def _judged(outcome: Outcome, profile: Profile) -> Iterator[Verdict]:
    """The verdicts on the first boot, then on each later one, whose ids tell that."""
    yield from _verdicts(outcome.facts)
    for earlier, boot in zip(outcome.boots, outcome.boots[1:], strict=False):
        facts = {**outcome.facts, "guest": boot.facts, "ending": boot.ending, "earlier": earlier.facts}
        for verdict in _verdicts(facts):
            yield replace(verdict, id=f"reboot.{verdict.id}", title=f"after a reboot, {verdict.title}")


def _twin(
    order: Order, profile: Profile, folder: Path, told: Mapping[str, Any], first: Outcome, progress: Progress
) -> tuple[Verdict, ...]:
    """A second machine of a specialized image, which must differ from the first in what is one machine's own."""
    progress.note("A second machine is made from the same image")
    second = _play(order, profile, folder / "twin", {**told, "hold": False}, 0, progress, "twin")
    facts = {**second.facts, "twin": first.boots[0].facts}
    found = _verdicts(facts)
    return tuple(replace(one, id=f"twin.{one.id}", title=f"on a second machine, {one.title}") for one in found)


def _verdicts(facts: Mapping[str, Any]) -> Iterator[Verdict]:
    """What the checks of a booted guest say; those that compare two boots are asked where there are two."""
    one_boot = COMPARED - set(facts)
    online = [one for one in all_checks() if not set(one.needs) <= FACTS and not one_boot & set(one.needs)]
    return judge(online, facts, LACKS)


def _machine(stage: Stage, order: Order) -> dict[str, str]:
    """What booted, and so what was proven."""
    by_uefi = stage.vm.generation == 2
    loader = "not exercised: QEMU started the kernel" if order.seed == "nocloud" else "exercised"
    return {
        "profile": order.machine.name,
        "generation": str(stage.vm.generation),
        "processor": stage.machine.hardware.processor.arch,
        "firmware": f"UEFI ({stage.machine.hardware.processor.firmware})" if by_uefi else "BIOS (SeaBIOS)",
        "controller": order.machine.controller,
        "secure_boot": "on, with Microsoft's keys" if order.machine.secure_boot else "off",
        "vtpm": "TPM 2.0 (swtpm)" if order.machine.vtpm else "none",
        "boot_loader": loader,
        "accelerator": stage.accelerator.name,
        "link": stage.link.kind,
        "memory": f"{order.memory_mib} MiB",
    }


def _notes(order: Order, outcome: Outcome) -> tuple[str, ...]:
    notes = ["QEMU has no VMBus: hv_storvsc and hv_netvsc did not drive this machine; `inspect` looks for them."]
    if order.seed == "nocloud":
        notes.append("The kernel was started by QEMU with NoCloud arguments: the boot loader was not exercised.")
    if any(event.text.startswith(FROZEN) for event in outcome.events):
        notes.append("No word came after a restart, and the machine was reset once: UEFI is known to hang so in QEMU.")
    guest: GuestFacts | None = outcome.boots[-1].facts
    if guest:
        notes.append(_names(guest, outcome.facts))
        notes.append(
            f"By its own clock the guest needed {guest.settled:.1f} s until SSH was up and cloud-init done, "
            f"and {guest['uptime']} s until all was asked."
        )
    return tuple(notes)


def _names(guest: GuestFacts, facts: Mapping[str, Any]) -> str:
    """The machine's name wherever it shows, in one line: they must all agree."""
    seen = {
        "metadata service": imds_name(guest),
        "disc": guest["disc-name"],
        "DHCP, in order": ", ".join(facts["hostnames"]),
        "kernel": guest["kernel-name"],
        "hostnamectl": " and ".join(dict.fromkeys(filter(None, (guest["static-name"], guest["transient-name"])))),
        "/etc/hosts": ", ".join(names_in_hosts(guest)),
        "DNS": f"{facts['expected'].name} → {', '.join(facts['published']) or 'unknown'}",
    }
    return f"The name as seen: {'; '.join(f'{where} {name}' for where, name in seen.items() if name)}."


def _files(folder: Path) -> dict[str, str]:
    names = {"console": CONSOLE, "journal": JOURNAL, "screenshot": SCREENSHOT, "firmware": FIRMWARE}
    names |= {f"second machine's {what}": f"twin/{name}" for what, name in names.items()}
    return {what: name for what, name in names.items() if (folder / name).is_file()}


def _hold(stage: Stage, progress: Progress) -> None:
    """Keep a failed guest until its watcher has seen enough."""
    if sys.stdin.isatty():
        progress.note("The guest is held: this is its serial console. Ctrl-] ends it.")
        with serial_console(stage.machine.console_socket) as line:
            attach(line)
        return
    progress.note(f"The guest is held until Ctrl-C; its console is in {stage.folder / CONSOLE}")
    with suppress(KeyboardInterrupt):
        while stage.machine.alive:
            time.sleep(1)
