"""Booting an image to look around: the same pretend host as `verify`, the guest's console on this terminal.

Nothing is judged and nothing is kept: journal, console and the disk's writes go with the machine.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.errors import CallerError, MachineError
from build.progress import Progress
from harness.deadline import Deadline, Gone, TooLate
from harness.faultplan import FaultPlan
from harness.order import Order, profile_of
from harness.play import BOOT_LIMIT
from harness.sandbox import run_sealed
from harness.scratch import scratch_folder
from harness.sshkey import load_key, make_key
from harness.stage import Setting, Stage, staged
from harness.subject import open_subject
from harness.terminal import attach, serial_console
from harness.wishes import MachineWishes, machine_order, machines, read_text


@dataclass(frozen=True)
class BootRequest(MachineWishes):
    """An image to boot; with `ssh` the terminal gets a shell as the administrator, not the serial console."""

    image: Path = Path()
    seed: str | None = None
    faults: tuple[str, ...] = ()
    fault_script: Path | None = None
    ssh: bool = False


def boot(request: BootRequest) -> int:
    """Boot the image until the guest switches itself off or the terminal leaves; returns the exit status.

    Raises CallerError or MachineError where it cannot be set up.
    """
    subject = open_subject(request.image, Path("output"))
    machine = machines(subject, request)[-1]
    script = read_text(request.fault_script)
    if FaultPlan.of(request.faults, script) and request.seed == "nocloud":
        raise CallerError("a machine without Azure has no host that could misbehave", "leave out --seed nocloud")
    with scratch_folder() as folder:
        order = machine_order(subject, machine, request.seed or "azure", request)
        told = {**order, "folder": str(folder), "ssh": request.ssh}
        return run_sealed("harness.boot", {**told, "faults": list(request.faults), "script": script})


def main(told: Mapping[str, Any]) -> int:
    """The sealed side."""
    order, folder = Order.of(told), Path(told["folder"])
    key = load_key(order.ssh_key) if order.ssh_key else make_key()
    progress = Progress()
    injection = FaultPlan.of(told["faults"], told["script"]).injection
    with staged(order, profile_of(order), key, folder, Setting(injection=injection)) as stage:
        progress.note(f"Machine {order.machine.name} by {stage.accelerator.name}. Leave with Ctrl-].")
        try:
            _shell(stage, progress) if told["ssh"] else _console(stage)
        except (Gone, TooLate) as ended:
            raise MachineError(str(ended), "the guest's console: `./kiln boot` without --ssh") from None
    return 0


def _console(stage: Stage) -> None:
    if not sys.stdin.isatty():
        raise CallerError("the serial console needs a terminal", "call `boot` from one, or use --ssh or `verify`")
    with serial_console(stage.machine.console_socket) as line:
        attach(line)


def _shell(stage: Stage, progress: Progress) -> None:
    with progress.step(f"Waiting until {stage.guest.user} can log in"):
        deadline = Deadline.after(BOOT_LIMIT * stage.accelerator.factor)
        stage.guest.connect(deadline, stage.machine.check_alive)
    columns, rows = shutil.get_terminal_size()
    with stage.guest.shell(columns, rows, os.environ.get("TERM", "vt100")) as channel:
        attach(channel)
