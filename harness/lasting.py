"""What of a machine outlives its being switched off: its disk, its UEFI variables and the state of its TPM.

On Azure the last two are the VM guest state, whose life is tied to the OS disk's: it goes along with the disk to
another host and to another machine, and one made from the image has a new one.
Source: https://learn.microsoft.com/azure/virtual-machines/trusted-launch-faq; that it is so without Trusted Launch,
too, is inferred.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Lasting:
    """Where it lies: the overlay of the disk and the UEFI variables, both qcow2 files, and the TPM's folder. Whatever
    is not there yet is made for the machine that is switched on first."""

    disk: Path
    variables: Path
    tpm: Path


def lasting_in(folder: Path, name: str = "disk") -> Lasting:
    """What belongs to the disk of this name, in the folder."""
    return Lasting(folder / f"{name}.qcow2", folder / f"{name}-variables.qcow2", folder / f"{name}-tpm")
