"""The machines that Azure offers an image, as far as they differ for it: generation, disk controller, Trusted Launch.

Sources: Azure's "Support for generation 2 VMs", "Trusted Launch for Azure virtual machines", "Enable NVMe and SCSI
interfaces". One image, byte for byte, is booted on all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from build.errors import CallerError


@dataclass(frozen=True)
class MachineProfile:
    """A machine to boot on. `controller` is what the OS disk hangs on: "SCSI" or "NVMe"; `text` says it to people."""

    name: str
    generation: int
    text: str
    controller: str = "SCSI"
    secure_boot: bool = False
    vtpm: bool = False


GEN1 = MachineProfile("gen1", 1, "generation 1: BIOS, disk on SCSI")
GEN2 = MachineProfile("gen2", 2, "generation 2: UEFI, disk on SCSI")
NVME = MachineProfile("gen2-nvme", 2, "generation 2: UEFI, disk on NVMe", controller="NVMe")
TRUSTED = MachineProfile(
    *("gen2-trusted", 2, "generation 2 with Trusted Launch: UEFI with Secure Boot by Microsoft's keys, and a vTPM"),
    secure_boot=True,
    vtpm=True,
)
MACHINES: Mapping[str, MachineProfile] = {one.name: one for one in (GEN1, GEN2, NVME, TRUSTED)}


def plain(generation: int) -> MachineProfile:
    """The machine of this generation that `--gen` is short for."""
    return {1: GEN1, 2: GEN2}[generation]


def find_machine(name: str) -> MachineProfile:
    """The machine of this name. Raises CallerError."""
    try:
        return MACHINES[name]
    except KeyError:
        raise CallerError(f"there is no machine {name!r}", f"there is: {', '.join(MACHINES)}") from None
