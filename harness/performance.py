"""Performing a scenario inside the sealed namespace: its stints one after another, and what each boot showed."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from build.command import run
from build.progress import Progress
from harness.azure.host import AzureHost
from harness.chapters import Chapter, chapter
from harness.deadline import Gone
from harness.faultplan import FaultPlan
from harness.fork import Fork, unlike
from harness.happenings import events_of
from harness.lasting import Lasting, lasting_in
from harness.order import Order
from harness.play import act, first_boot, switch_off, troubled_boot
from harness.profile import Profile
from harness.report import Event
from harness.scenario import Scenario
from harness.scratch import scratch_folder
from harness.sshkey import Key, load_key, make_key
from harness.stage import Setting, Stage, staged
from harness.stint import Stint

SCREENSHOT = "screenshot.png"
TAIL = 60
NO_FAULTS = FaultPlan()
NOT_EXERCISED = "not exercised: QEMU started the kernel"
ATTACHED = "attached"
"""The kind of a machine that Azure makes around a disk that was there: neither generalized nor specialized."""


@dataclass(frozen=True)
class Performance:
    """What a scenario showed: its boots in order, and what was seen beside them."""

    chapters: tuple[Chapter, ...]
    events: tuple[Event, ...] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    console: str = ""


@dataclass
class Memory:
    """What outlives a stint: the folder of what is lasting, each VM's last host, and the keys that administrators were
    given."""

    folder: Path
    hosts: dict[str, AzureHost] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)

    def key(self, order: Order) -> Key:
        """The key of this order's administrator, made when it is first asked for."""
        if order.ssh_key:
            return load_key(order.ssh_key)
        return self.keys.setdefault(order.admin, make_key())

    def lasting(self, stint: Stint) -> Lasting:
        """What a stint's machine writes to: its disk, and all that goes along with a disk."""
        return lasting_in(self.folder, stint.disk)


@dataclass(frozen=True)
class Play:
    """What is played, and where its files go.

    `watch` gets each stage with its boots before it is cleared away; `mourn` gets the disk of a machine whose guest was
    lost, once it is off, and the stint's folder.
    """

    order: Order
    profile: Profile
    scenario: Scenario
    folder: Path
    progress: Progress
    link: str | None = None
    limit: float | None = None
    fork: Fork | None = None
    faults: FaultPlan = NO_FAULTS
    watch: Callable[[Stage, tuple[Chapter, ...]], None] = lambda stage, chapters: None
    mourn: Callable[[Path, Path], None] = lambda disk, folder: None


def perform(play: Play) -> Performance:
    """Play all stints; a guest that is lost ends it. Raises MachineError or CallerError where one cannot be set up."""
    parts: list[Performance] = []
    with scratch_folder(play.folder) as kept:
        memory = Memory(kept)
        for stints in play.scenario.rows:
            played = _stints(play, stints, memory, parts[-1].chapters[-1] if parts else None)
            parts += played
            lost = [one for one, part in zip(stints, played, strict=False) if part.chapters[-1].boot.facts is None]
            for stint in lost:
                play.mourn(memory.lasting(stint).disk, play.folder / stint.label)
            if lost:
                break
    return _joined(parts)


def _joined(parts: list[Performance]) -> Performance:
    """Several stints as one; the seconds of each go on from where the one before ended."""
    events: list[Event] = []
    for part in parts:
        begun = max((event.at for event in events), default=0.0)
        events.extend(replace(event, at=round(event.at + begun, 3)) for event in part.events)
    chapters = tuple(one for part in parts for one in part.chapters)
    return Performance(chapters, tuple(events), parts[0].machine, parts[-1].console)


def _stints(
    play: Play, stints: tuple[Stint, ...], memory: Memory, before: Chapter | None, beside: Stage | None = None
) -> list[Performance]:
    """Play a stint, and while it stands those that are beside it, unless its guest is lost."""
    stint, *others = stints
    if stint.words:
        play.progress.note(f"Now {stint.words}")
    if stint.grown:
        run("qemu-img", "resize", "-q", memory.lasting(stint).disk, str(play.order.disk_size + stint.grown))
    order = own_order(play.order, play.profile, stint)
    profile = replace(play.profile, kind=ATTACHED) if stint.attached else play.profile
    folder = play.folder / stint.label
    injection = play.faults.injection
    fork = play.fork if play.fork and not unlike(order.machine, order.seed, stint, injection) else None
    key, lasting = memory.key(order), memory.lasting(stint)
    setting = Setting(play.link, lasting, stint, fork, injection, shared=bool(others), beside=beside)
    with staged(order, profile, key, folder, setting) as stage:
        if not stint.fresh and (known := memory.hosts.get(stint.vm)):
            # Azure has not forgotten the machine: it does not report again what it has reported.
            stage.host.health, stage.host.ejected = known.health, known.ejected
        memory.hosts[stint.vm] = stage.host
        chapters = _boots(play, stint, stage, profile, order, before, beside)
        with suppress(Gone):
            stage.machine.screenshot(folder / SCREENSHOT)
        play.watch(stage, chapters)
        if stint is not play.scenario.stints[-1] and not others:
            with play.progress.step("Switching it off"):
                switch_off(stage)
        # Of what happens to it while another is played, the report's one row of events has no room.
        events = events_of(stage.host.journal.entries)
        played = Performance(chapters, events, machine_facts(stage, order), stage.console.tail(TAIL))
        if not others or chapters[-1].boot.facts is None:
            return [played]
        return [played, *_stints(play, tuple(others), memory, chapters[-1], stage)]


def own_order(order: Order, profile: Profile, stint: Stint) -> Order:
    """The order of a stint's machine: a twin of a generalized image has a name and an administrator of its own."""
    size = order.disk_size + stint.grown
    if stint.is_twin and profile.kind == "generalized":
        return replace(order, name=f"{order.name[:61]}-2", admin=f"{order.admin[:31]}2", disk_size=size)
    return replace(order, disk_size=size)


def _boots(
    play: Play,
    stint: Stint,
    stage: Stage,
    profile: Profile,
    order: Order,
    before: Chapter | None,
    beside: Stage | None,
) -> tuple[Chapter, ...]:
    with play.progress.step("Booting until its administrator can log in and its boot is done"):
        if play.faults:
            expected = partial(play.faults.expected_of, profile, stage.host.journal)
            boot = troubled_boot(stage, play.faults.waits(profile), expected)
        else:
            boot = first_boot(stage, profile, order.seed == "azure" and stint.fresh, play.limit)
    told = [chapter(stage, order, profile, stint, None, boot, before, beside)]
    for one in stint.acts:
        if told[-1].boot.facts is None:
            break
        with play.progress.step(f"Going on: {one.deed.value}"):
            boot = act(stage, one.deed, play.faults.waits(profile))
        told.append(chapter(stage, order, profile, stint, one, boot, told[-1]))
    return tuple(told)


def machine_facts(stage: Stage, order: Order) -> dict[str, str]:
    """What booted, and so what was proven."""
    by_uefi = stage.vm.generation == 2
    loader = NOT_EXERCISED if stage.machine.hardware.kernel else "exercised"
    return {
        "machine": order.machine.name,
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
