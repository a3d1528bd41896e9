"""The processors that guests are booted on: what each of them changes about the machine around it, as values."""

import platform
from dataclasses import dataclass

from build.command import find
from build.errors import MachineError


@dataclass(frozen=True)
class Processor:
    """A processor as QEMU has it.

    `emulated` is its model without KVM, `real` with it; `uefi_machine` is the board of a UEFI machine, `board` how
    firmware descriptors name such boards, and `firmware` what runs there.
    """

    arch: str
    qemu: str
    package: str
    emulated: str
    real: str
    uefi_machine: str
    board: str
    firmware: str
    firmware_package: str
    devices: tuple[str, ...]
    vm_size: str
    """An Azure size that has this processor."""
    most_memory_mib: int | None = None
    """What a machine can have at most, if that is bounded."""
    memory: str = ""
    """What follows the memory's size."""
    port: int | None = None
    """Where SeaBIOS and OVMF write their messages when something listens there, if this processor has such ports."""


X86_64 = Processor(
    arch="x86_64",
    qemu="qemu-system-x86_64",
    package="qemu-system-x86",
    # Linux clears pages byte by byte where a processor is fast at that (erms, fsrm). An emulated one writes eight bytes
    # in the same time; and where a page held code of many processes, each write looks through all of that page's
    # translations (see `harness.translations`): a boot stood still for two minutes in one such page.
    emulated="max,-hypervisor,-erms,-fsrm",
    real="host,-hypervisor",
    uefi_machine="q35",
    board="pc-q35-",
    firmware="OVMF",
    firmware_package="ovmf",
    devices=("-vga", "std", "-device", "pvpanic"),
    vm_size="Standard_D2s_v5",
    port=0x402,
)
AARCH64 = Processor(
    arch="aarch64",
    qemu="qemu-system-aarch64",
    package="qemu-system-arm",
    # The architecture's own way to sign pointers takes an emulator half of its time; Linux takes any way.
    emulated="max,pauth-impdef=on",
    real="host",
    uefi_machine="virt,gic-version=max",
    board="virt-",
    firmware="AAVMF",
    firmware_package="qemu-efi-aarch64",
    devices=(
        # A frame buffer that the firmware sets up and Linux takes over: the cloud kernel has no driver for another.
        *("-device", "ramfb", "-device", "pvpanic-pci"),
        # Azure's images have earlycon=pl011,0xeffec000, where Azure has its port. On QEMU's board nothing is there, and
        # the first word that Linux writes would be its end. Memory that no guest gets to use takes these words in.
        *("-object", "memory-backend-ram,id=early,size=1G,reserve=off"),
        *("-device", "virtio-mem-pci,memdev=early,requested-size=0,memaddr=0xc0000000"),
    ),
    # Memory begins at 1 GiB, and must end below the port.
    most_memory_mib=2048,
    memory=",maxmem=4G",
    vm_size="Standard_D2ps_v5",
)
PROCESSORS = {one.arch: one for one in (X86_64, AARCH64)}


def processor(arch: str) -> Processor:
    """The processor of this name. Raises MachineError for one that no machine of ours has."""
    try:
        return PROCESSORS[arch]
    except KeyError:
        raise MachineError(f"no machine here has the processor {arch}", f"there are: {', '.join(PROCESSORS)}") from None


def find_qemu(of: Processor) -> str:
    """QEMU's program for it. Raises MachineError that names its package."""
    try:
        return find(of.qemu)
    except MachineError as missing:
        raise MachineError(missing.what, f"install the package {of.package}") from None


def is_ours(of: Processor) -> bool:
    """Whether it is the one that this machine has, so that KVM can run its guests."""
    return platform.machine() == of.arch
