"""A machine's whole state, kept within its disk's qcow2 file: taken once, run on from by as many machines as one likes.

The state is of a machine with the same hardware; a machine that goes on from it has its own copy of the files. NVMe
cannot be saved by QEMU, and a TPM's state is not in these files: `harness.fork.unlike` says so before.
"""

import itertools

from harness.deadline import Deadline, Gone
from harness.qemu import Machine

TAG = "kiln"
DISK, VARIABLES = "disk", "variables"
"""QEMU's names of what a machine writes to (harness.hardware)."""
SAVED_IN = 120.0
"""Seconds that saving or taking up a state may take: memory is written to a file."""

_numbers = itertools.count()


def save(machine: Machine, tag: str = TAG) -> None:
    """Halt the machine and keep its state in its disk's file by this tag. Raises Gone where QEMU cannot."""
    machine.command("stop")
    _job(machine, "snapshot-save", tag, vmstate=DISK)


def take_up(machine: Machine, tag: str = TAG) -> None:
    """Put a machine that has not started into the state that its disk's file holds. Raises Gone where it has none."""
    _job(machine, "snapshot-load", tag, vmstate=DISK)


def drop(machine: Machine, tag: str) -> None:
    """Forget a state that was taken up: while it is there, the next one is copied cluster by cluster before it is
    written. Raises Gone where there is none."""
    _job(machine, "snapshot-delete", tag)


def _job(machine: Machine, command: str, tag: str, **more: str) -> None:
    """Have QEMU do a job on the state, and wait until it is done."""
    name = f"{command}-{next(_numbers)}"
    nodes = [DISK, *([VARIABLES] if machine.hardware.variables else [])]
    machine.command(command, job_id=name, tag=tag, devices=nodes, **more)

    def ended() -> str | None:
        jobs = {job["id"]: job for job in machine.command("query-jobs")}
        if jobs[name]["status"] != "concluded":
            return None
        machine.command("job-dismiss", id=name)
        return str(jobs[name].get("error", ""))

    if error := Deadline.after(SAVED_IN).until(f"QEMU's {command}", ended, every=0.05):
        raise Gone(f"QEMU's {command}: {error}")
