"""A run that goes on from a boot that many share: see `harness.trunk`, which brings a machine that far."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.injection import NOTHING, Do, Injection
from harness.lasting import Lasting, lasting_in
from harness.machines import MachineProfile
from harness.qemu import CONSOLE
from harness.stint import Stint


@dataclass(frozen=True)
class Fork:
    """A saved machine: the folder holds what of it is lasting, and what its console had told."""

    folder: Path

    def lay(self, lasting: Lasting, folder: Path) -> None:
        """Give a run that goes on from here its own disk and UEFI variables, and its console's beginning."""
        saved = lasting_in(self.folder)
        shutil.copyfile(saved.disk, lasting.disk)
        if saved.variables.exists():
            shutil.copyfile(saved.variables, lasting.variables)
        shutil.copyfile(self.folder / CONSOLE, folder / CONSOLE)


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
    if _has_other_hardware(stint, injection):
        return "its hardware differs"
    if injection.since_power_on:
        return "a fault is counted from when it was switched on"
    return ""


def _has_other_hardware(stint: Stint, injection: Injection) -> bool:
    return any(
        (
            *(stint.grown, stint.clock, stint.data_disks, stint.resource_disk),
            *(stint.changes_cards, stint.more_cards),
            *(injection.clock, injection.decoy, injection.disc == "unreadable"),
            *(one.do is Do.NEW_CARD for one in injection.moments),
        )
    )
