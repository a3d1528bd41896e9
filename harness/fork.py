"""A run that goes on from a boot that many share: see `harness.trunk`, which brings a machine that far."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from harness.hardware import Hardware
from harness.injection import NOTHING, Do, Injection
from harness.machines import MachineProfile
from harness.qemu import CONSOLE
from harness.stint import Stint

DISK, VARIABLES = "disk.qcow2", "variables.qcow2"


@dataclass(frozen=True)
class Fork:
    """A saved machine: the folder holds its disk, its UEFI variables and what its console had told."""

    folder: Path

    def lay(self, disk: Path, folder: Path) -> None:
        """Give a run that goes on from here its own disk, and its console's beginning."""
        shutil.copyfile(self.folder / DISK, disk)
        shutil.copyfile(self.folder / CONSOLE, folder / CONSOLE)

    def going_on(self, hardware: Hardware, scratch: Path) -> Hardware:
        """The run's machine as it was saved: with no disc in its drive, and variables of its own."""
        if hardware.variables is None:
            return replace(hardware, dvd=None)
        variables = scratch / f"forked-{VARIABLES}"
        shutil.copyfile(self.folder / VARIABLES, variables)
        return replace(hardware, dvd=None, variables=variables)


def unlike(machine: MachineProfile, seed: str, stint: Stint, injection: Injection = NOTHING) -> str:
    """Why a stint cannot begin where others do, "" where it can: what differs before its provisioning begins."""
    if seed != "azure":
        return "its kernel is started with other arguments"
    if machine.controller == "NVMe":
        return "QEMU cannot save a machine whose disk is on NVMe"
    if machine.vtpm:
        return "the TPM's state is kept apart from the machine's"
    if not stint.fresh or stint.vm != "first" or stint.disk != "first":
        return "it is another machine, or another disk"
    if stint.grown or stint.clock or stint.data_disks or stint.resource_disk or injection.clock or injection.decoy:
        return "its hardware differs"
    if injection.disc == "unreadable" or any(one.do is Do.NEW_CARD for one in injection.moments):
        return "its hardware differs"
    if injection.since_power_on:
        return "a fault is counted from when it was switched on"
    return ""
