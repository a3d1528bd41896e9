"""What a verification plays: every scenario that was asked for, on each machine, with its faults, as runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.errors import CallerError
from harness.faultplan import FaultPlan
from harness.faults import FAULTS
from harness.fork import unlike
from harness.machines import MachineProfile, find_machine
from harness.order import Order, profile_of
from harness.scenario import SCENARIOS, Scenario, find_scenario, refusal
from harness.slots import slots
from harness.subject import Subject
from harness.wishes import DEFAULT_MEMORY, MIB, MachineWishes, machine_order, machines, read_text

ALL = "all"


@dataclass(frozen=True)
class VerifyRequest(MachineWishes):
    """An image to verify. `hold` keeps a failed guest running.

    `scenario` is NAME or NAME+FAULT+... with commas between them, or all: those that apply. `seed` None is the one that
    a scenario wants. `faults` are NAME or NAME=ARGUMENT, for every scenario, all in one run or `apart` in a run each;
    the word all means every one that the scenario can have, apart. `fault_script` is a TOML file
    (`harness.faultscript`). `jobs` are machines at once (None: as many as this one has room for).

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
    jobs: int | None = None

    def slots(self, machines: int = 1) -> int:
        """Runs at once of which each has so many machines; one that is held has the terminal for itself."""
        return 1 if self.hold else max(1, (self.jobs or slots((self.memory or DEFAULT_MEMORY) // MIB)) // machines)


@dataclass(frozen=True)
class Refused:
    """A scenario that does not apply to an image, and why: it was not played, and proves nothing."""

    scenario: str
    machine: str
    reason: str


@dataclass(frozen=True)
class Run:
    """One scenario on one machine, as the sealed side gets it."""

    scenario: Scenario
    machine: Mapping[str, Any]
    faults: FaultPlan

    @property
    def name(self) -> str:
        """The name of its folder: machine, scenario, the seed where it is not the usual one, and the faults."""
        own = tuple(one for one in self.faults.names if one not in self.scenario.faults)
        seed = self.machine["seed"]
        seeds = () if seed == self.scenario.seeds[0] else (seed,)
        return "-".join((self.machine["machine"], self.scenario.name, *seeds, *own))

    @property
    def can_be_forked(self) -> bool:
        """Whether its first boot can go on from one that other runs share."""
        machine, first = find_machine(self.machine["machine"]), self.scenario.stints[0]
        return not unlike(machine, self.machine["seed"], first, self.faults.injection)


def planned(subject: Subject, request: VerifyRequest) -> tuple[list[Run], tuple[Refused, ...]]:
    """What to play, and what does not apply. Raises CallerError where what was asked for cannot be played."""
    if request.jobs is not None and request.jobs < 1:
        raise CallerError(f"{request.jobs} machines at once are none", "--jobs is a number from 1 on")
    runs, refused = [], []
    for machine in machines(subject, request):
        for scenario, own in _chosen(request.scenario):
            seed = request.seed or scenario.seeds[0]
            if (reason := _refusal(subject, scenario, own, machine, request)) and request.scenario == ALL:
                refused.append(Refused(scenario.name, machine.name, reason))
            elif reason:
                raise CallerError(
                    reason, "`./kiln scenarios` says what each is for; `--scenario all` plays what applies"
                )
            else:
                order = machine_order(subject, machine, seed, request)
                runs += [Run(scenario, order, plan) for plan in plans_of(request, scenario, own)]
    _check_names(runs)
    return runs, tuple(refused)


def _chosen(words: str) -> Iterable[tuple[Scenario, tuple[str, ...]]]:
    """The scenarios, each with the faults that are asked for with it alone. Raises CallerError."""
    if words == ALL:
        return [(one, ()) for one in SCENARIOS]
    parts = [word.strip().split("+") for word in words.split(",")]
    return dict.fromkeys((find_scenario(name), tuple(own)) for name, *own in parts)


def _check_names(runs: list[Run]) -> None:
    """Raise CallerError where two runs would write to one folder."""
    names = [run.name for run in runs]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise CallerError(f"{twice} is asked for twice", "leave one out")


def plans_of(request: VerifyRequest, scenario: Scenario, own: tuple[str, ...] = ()) -> tuple[FaultPlan, ...]:
    """The faults that were asked for besides those that the scenario has by itself: a plan for each run. `own` are
    those that are asked for with this scenario alone.

    Raises CallerError where one of them needs another scenario.
    """
    script, every = read_text(request.fault_script), request.faults == (ALL,)
    can_have = [one.name for one in FAULTS if one.scenario in ("", scenario.name) and one.name not in scenario.faults]
    words = can_have if every else list(request.faults)
    together = [[word] for word in words] if (every or request.apart) and words else [words]
    plans = tuple(FaultPlan.of(tuple(dict.fromkeys((*scenario.faults, *own, *one))), script) for one in together)
    for plan in plans:
        plan.check_scenario(scenario.name)
    return plans


def _refusal(
    subject: Subject, scenario: Scenario, own: tuple[str, ...], machine: MachineProfile, request: VerifyRequest
) -> str:
    troubled = request.faults or own or request.fault_script
    if troubled and (request.seed or scenario.seeds[0]) != "azure":
        return f"{scenario.name} without Azure has no host that could misbehave"
    if troubled and scenario.machines > 1:
        return f"{scenario.name} has several machines behind one set of Azure's addresses: faults are for one alone"
    if not scenario.when and request.seed in (None, *scenario.seeds):
        return ""  # applies to every image: no need to look into it
    if machine.secure_boot and scenario.starts_kernel(request.seed or scenario.seeds[0]):
        return f"{scenario.name} has QEMU start the kernel itself, which Secure Boot refuses"
    order = machine_order(subject, machine, "azure", request)
    return refusal(scenario, profile_of(Order.of(order)), request.seed)
