"""A machine's whole state, kept within its disk's qcow2 file: taken once, run on from by as many machines as one likes.

The state is of a machine with the same hardware; a machine that goes on from it has its own copy of the files. NVMe
cannot be saved by QEMU, and a TPM's state is not in these files: `can_be_saved` says so before.
"""

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

from harness.deadline import Deadline, Gone
from harness.hardware import Hardware
from harness.qemu import Machine

TAG = "kiln"
DISK, VARIABLES = "disk", "variables"
"""QEMU's names of what a machine writes to (harness.hardware)."""
SAVED_IN = 120.0
"""Seconds that saving or taking up a state may take: memory is written to a file."""

_numbers = itertools.count()


def can_be_saved(hardware: Hardware) -> str:
    """Why this machine's state cannot be saved; "" where it can."""
    if hardware.controller == "NVMe":
        return "QEMU cannot save a machine whose disk is on NVMe"
    if hardware.tpm:
        return "the TPM's state is kept apart from the machine's"
    return ""


def save(machine: Machine) -> None:
    """Halt the machine and keep its state in its disk's file. Raises Gone where QEMU cannot."""
    machine.command("stop")
    _job(machine, "snapshot-save")


def take_up(machine: Machine) -> None:
    """Put a machine that has not started into the state that its disk's file holds. Raises Gone where it has none."""
    _job(machine, "snapshot-load")


def copied(hardware: Hardware, folder: Path) -> Hardware:
    """The same machine with files of its own in the folder; what they lie on is shared, and only read."""
    disk = Path(shutil.copyfile(hardware.disk, folder / hardware.disk.name))
    variables = hardware.variables
    if variables:
        variables = Path(shutil.copyfile(variables, folder / variables.name))
    return replace(hardware, disk=disk, variables=variables)


def _job(machine: Machine, command: str) -> None:
    """Have QEMU do a job on the state, and wait until it is done."""
    name = f"{command}-{next(_numbers)}"
    nodes = [DISK, *([VARIABLES] if machine.hardware.variables else [])]
    machine.command(command, job_id=name, tag=TAG, vmstate=DISK, devices=nodes)

    def ended() -> str | None:
        jobs = {job["id"]: job for job in machine.command("query-jobs")}
        if jobs[name]["status"] != "concluded":
            return None
        machine.command("job-dismiss", id=name)
        return str(jobs[name].get("error", ""))

    if error := Deadline.after(SAVED_IN).until(f"QEMU's {command}", ended, every=0.05):
        raise Gone(f"QEMU's {command}: {error}")
