"""The machine that a guest finds, as QEMU's arguments: Azure's two generations, as near as QEMU comes.

Pure: a Hardware value in, words out. SMBIOS after docs/azure/host-protocol.md 1.1; disks and drives after
docs/azure/image-requirements.md 1.2 and 1.3: the DVD on IDE for Gen1, on SCSI at LUN 2 for Gen2, the disk on SCSI at
LUN 0 for both, or on NVMe as namespace 1.

What QEMU lacks (VMBus, so storvsc and netvsc) is replaced by virtio, and proves nothing about those drivers.
A Gen1 disk cannot be on IDE: where SMBIOS says Microsoft and Virtual Machine, Linux leaves IDE disks (not the DVD) to
Hyper-V's paravirtual driver (drivers/ata/ata_piix.c, prefer_ms_hyperv). As on Azure it so reads it by another way.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.accelerator import Accelerator
from harness.firmware import Ovmf
from harness.processor import X86_64, Processor
from harness.vm import CHASSIS_ASSET_TAG, VirtualMachine
from harness.wire import NETDEV, netdev_of

EIO = 5
"""Linux's number of an input/output error."""
MAKER = "Microsoft Corporation"
BIOS = {
    1: {"vendor": "American Megatrends Inc.", "version": "090008 ", "date": "12/07/2018"},
    2: {"vendor": MAKER, "version": "Hyper-V UEFI Release v4.1", "date": "08/23/2024"},
}

SYSTEM = "Hyper-V UEFI Release v4.1"
"""The system's version, as Gen2 has it. By this word systemd knows Hyper-V where the processor does not tell, and units
with ConditionVirtualization=microsoft (Debian's walinuxagent.service) start. Gen1 says 7.0, by the processor's word."""


SECURE = (
    *("-global", "driver=cfi.pflash01,property=secure,value=on"),
    # Coming back from sleep would go past the firmware's protection.
    *("-global", "ICH9-LPC.disable_s3=1"),
)
"""What keeps the UEFI variables from being written by the guest: OVMF asks for it where it has Secure Boot."""


CARD, CARD_PORT = "card", "card-port"
"""QEMU's names of the network card, and of the PCI Express port of one that can be pulled."""
DISKS = {"SCSI": "scsi-hd,bus=scsi.0,scsi-id=0,lun=0", "NVMe": "nvme-ns,bus=nvme,nsid=1"}
"""The OS disk by its controller. The optical drive is on SCSI on every Gen2 machine."""


@dataclass(frozen=True)
class DirectKernel:
    """A kernel that QEMU starts itself, past the boot loader."""

    kernel: Path
    initrd: Path
    append: str


@dataclass(frozen=True)
class Hardware:
    """One machine: what is plugged into it, and how it runs. `disk` is a run's own qcow2 overlay.

    `variables` is the run's qcow2 copy of the UEFI variables and `ovmf` their firmware: both for Gen2, none for Gen1.
    `tpm` is the socket of its TPM, if it has one (`harness.tpm`).
    `on_azure` decides the chassis asset tag: without it (a NoCloud run) the guest must not take this for Azure.
    `link` and `descriptors` come from harness.wire; a machine without link has no network card, and a `pluggable` one
    can be pulled while the machine runs.
    `dvd_fails` makes every read of the disc an error.
    `clock` is what its real-time clock shows when it is switched on, in UTC (None: the time that it is).
    `resource_disk` is a raw file, the temporary disk beside the first; `data_disks` are further qcow2 files, on a
    controller of their own from LUN 0 on.
    """

    vm: VirtualMachine
    accelerator: Accelerator
    disk: Path
    link: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()
    pluggable: bool = False
    dvd: Path | None = None
    dvd_fails: bool = False
    processor: Processor = X86_64
    ovmf: Ovmf | None = None
    variables: Path | None = None
    controller: str = "SCSI"
    tpm: Path | None = None
    kernel: DirectKernel | None = None
    on_azure: bool = True
    serial_number: str = ""
    memory_mib: int = 1536
    processors: int = 2
    clock: datetime | None = None
    resource_disk: Path | None = None
    data_disks: tuple[Path, ...] = ()
    extra: tuple[str, ...] = ()


def arguments(hardware: Hardware) -> list[str]:
    """All words after QEMU's name but those that lead back to us (monitor, console, logs)."""
    return [
        *("-nodefaults", "-no-user-config", "-display", "none", *hardware.processor.devices),
        *("-name", f"kiln-gen{hardware.vm.generation}", "-uuid", str(hardware.vm.uuid)),
        *hardware.accelerator.arguments,
        *("-smp", str(hardware.processors), "-m", f"{hardware.memory_mib}M{hardware.processor.memory}"),
        *("-rtc", _clock(hardware.clock), "-device", "virtio-rng-pci", "-action", "panic=none"),
        *_smbios(hardware),
        *(_gen1(hardware) if hardware.vm.generation == 1 else _gen2(hardware)),
        *_resource_disk(hardware.resource_disk),
        *_data_disks(hardware.data_disks),
        *_network(hardware),
        *_direct_kernel(hardware.kernel),
        *hardware.extra,
    ]


def _clock(shown: datetime | None) -> str:
    return f"base={shown:%Y-%m-%dT%H:%M:%S}" if shown else "base=utc"


def _smbios(hardware: Hardware) -> list[str]:
    system = {"manufacturer": MAKER, "product": "Virtual Machine", "version": SYSTEM, "uuid": str(hardware.vm.uuid)}
    chassis = {"manufacturer": MAKER}
    if hardware.serial_number:
        system["serial"] = hardware.serial_number
    if hardware.on_azure:
        chassis["asset"] = CHASSIS_ASSET_TAG
    tables: dict[int, Mapping[str, str]] = {
        0: BIOS[hardware.vm.generation],
        1: system,
        2: {"manufacturer": MAKER, "product": "Virtual Machine"},
        3: chassis,
    }
    return [word for number, table in tables.items() for word in ("-smbios", _options({"type": str(number), **table}))]


def _gen1(hardware: Hardware) -> list[str]:
    return [
        *("-machine", "pc"),
        *_disk(hardware.disk, hardware.controller),
        *_drive(hardware, "ide-cd,bus=ide.1"),
    ]


def _gen2(hardware: Hardware) -> list[str]:
    assert hardware.ovmf is not None and hardware.variables is not None, "a Gen2 machine has UEFI firmware"
    trusted = hardware.ovmf.trusted
    protected = ",smm=on" if trusted else ""
    return [
        *("-machine", f"{hardware.processor.uefi_machine},pflash0=code,pflash1=variables{protected}"),
        *(SECURE if trusted else ()),
        *blockdev("code", "raw", hardware.ovmf.code, read_only=True),
        *blockdev("variables", "qcow2", hardware.variables),
        *_tpm(hardware.tpm),
        *_disk(hardware.disk, hardware.controller),
        *_drive(hardware, "scsi-cd,bus=scsi.0,scsi-id=0,lun=2"),
    ]


def _tpm(socket: Path | None) -> list[str]:
    if socket is None:
        return []
    backend = f"socket,id=tpm-line,path={escaped(str(socket))}"
    return ["-chardev", backend, "-tpmdev", "emulator,id=tpm,chardev=tpm-line", "-device", "tpm-crb,tpmdev=tpm"]


def _disk(disk: Path, controller: str) -> list[str]:
    # Not boot index 0, which QEMU gives to a kernel that it starts itself.
    return [
        *("-device", "virtio-scsi-pci,id=scsi"),
        *blockdev("disk", "qcow2", disk),
        *(("-device", "nvme,id=nvme,serial=kiln") if controller == "NVMe" else ()),
        *("-device", f"{DISKS[controller]},id=os-disk,drive=disk,bootindex=1"),
    ]


def _resource_disk(disk: Path | None) -> list[str]:
    """Azure has it behind the system disk, at LUN 1 of the same controller; Gen1's IDE is left to Hyper-V (above)."""
    if disk is None:
        return []
    return [*blockdev("resource", "raw", disk), "-device", "scsi-hd,bus=scsi.0,scsi-id=0,lun=1,drive=resource"]


def _data_disks(disks: tuple[Path, ...]) -> Iterator[str]:
    """Azure has data disks on a controller beside the system disk's, the first at LUN 0."""
    if disks:
        yield from ("-device", "virtio-scsi-pci,id=data")
    for lun, disk in enumerate(disks):
        yield from blockdev(f"data{lun}", "qcow2", disk)
        yield from ("-device", f"scsi-hd,bus=data.0,scsi-id=0,lun={lun},id=data-disk-{lun},drive=data{lun}")


def _drive(hardware: Hardware, device: str) -> list[str]:
    """The optical drive, which is there without a medium too."""
    if hardware.dvd is None:
        return ["-device", f"{device},id=dvd"]
    medium = blockdev("medium", "raw", hardware.dvd, read_only=True, fails=hardware.dvd_fails)
    return [*medium, "-device", f"{device},id=dvd,drive=medium"]


def blockdev(name: str, driver: str, path: Path, *, read_only: bool = False, fails: bool = False) -> list[str]:
    """A disk file as a node of that name."""
    file: dict[str, object] = {"driver": "file", "filename": str(path)}
    if fails:  # QEMU docs/devel/blkdebug
        file = {"driver": "blkdebug", "image": file, "inject-error": [{"event": "read_aio", "errno": EIO}]}
    # discard: what the guest trims, the overlay gives back.
    node = {"driver": driver, "node-name": name, "read-only": read_only, "discard": "unmap", "file": file}
    return ["-blockdev", json.dumps(node)]


def _network(hardware: Hardware) -> list[str]:
    if not hardware.link:
        return []
    port = ["-device", f"pcie-root-port,id={CARD_PORT},chassis=8"] if _has_port(hardware) else []
    first = ["-device", _options(network_card(hardware, hardware.vm.mac))]
    return [*hardware.link, *port, *first, *_more_cards(hardware.vm)]


def _more_cards(vm: VirtualMachine) -> Iterator[str]:
    """The network cards beyond the first, on lines of their own."""
    for number, mac in enumerate(vm.more_macs, 1):
        card = {"driver": "virtio-net-pci", "id": f"{CARD}{number}", "netdev": netdev_of(number), "mac": mac}
        yield from ("-device", _options({**card, "romfile": ""}))


def network_card(hardware: Hardware, mac: str) -> Mapping[str, str]:
    """The network card on the machine's link, with this MAC, as QEMU's device options."""
    card = {"driver": "virtio-net-pci", "id": CARD, "netdev": NETDEV, "mac": mac, "romfile": ""}
    return {**card, "bus": CARD_PORT} if _has_port(hardware) else card


def _has_port(hardware: Hardware) -> bool:
    """A BIOS machine's bus lets any card go as it is; on a UEFI machine's board a port does."""
    return hardware.pluggable and hardware.vm.generation == 2


def _direct_kernel(kernel: DirectKernel | None) -> list[str]:
    if kernel is None:
        return []
    return ["-kernel", str(kernel.kernel), "-initrd", str(kernel.initrd), "-append", kernel.append]


def _options(table: Mapping[str, str]) -> str:
    """QEMU's key=value list."""
    return ",".join(f"{key}={escaped(value)}" for key, value in table.items())


def escaped(value: str) -> str:
    """A value as QEMU's key=value lists take it: a comma within it is doubled."""
    return value.replace(",", ",,")
