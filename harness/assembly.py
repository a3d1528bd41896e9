"""Assembling the machine that was ordered: its disks, its disc, its firmware and its kernel, all in a run's folder."""

import struct
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from build.command import run
from build.diskfile import open_image, overlay
from build.errors import CallerError
from harness import mischief
from harness.accelerator import Accelerator
from harness.firmware import find_ovmf, own_variables
from harness.hardware import DirectKernel, Hardware
from harness.injection import NOTHING, Injection
from harness.inspect import gather
from harness.lasting import Lasting
from harness.machines import GEN2, NVME, TRUSTED
from harness.media import nocloud_seed
from harness.order import Order
from harness.processor import X86_64, Processor, processor
from harness.profile import Profile
from harness.stint import Stint
from harness.vm import VirtualMachine
from harness.wire import Link

DISC = "provisioning.iso"
FIRST_BOOT = Stint()
NOCLOUD_ARGUMENTS = "ds=nocloud ci.ds=NoCloud"
"""What undoes an image's pin to Azure: cloud-init 22.4 needs the second, too."""
OWN_NAMES = "net.ifnames=0"
"""What leaves a network card the kernel's name, as one on VMBus has it on Azure. By its place on a PCI bus udev would
name one that is plugged in anew, while cloud-init has it up under its first name already."""
LARGEST_FILE = 1 << 30
"""Bytes of a kernel or initramfs that are read: all of any that there is."""


def check_machine(order: Order, of: Processor) -> None:
    """Raise CallerError where no machine of this processor is as ordered."""
    if of != X86_64 and order.machine not in (GEN2, NVME):
        if order.machine == TRUSTED:
            raise CallerError(f"{order.machine.name} cannot be had for {of.arch} here", "say --machine gen2")
        raise CallerError(f"there is no generation 1 for {of.arch}", "Azure boots it by UEFI alone: say --gen 2")
    if of.most_memory_mib and order.memory_mib > of.most_memory_mib:
        raise CallerError(
            f"a machine of {of.arch} has at most {of.most_memory_mib} MiB here, not {order.memory_mib}",
            f"say --memory {of.most_memory_mib}M, or leave it out",
        )


def hardware_of(
    order: Order,
    profile: Profile,
    vm: VirtualMachine,
    accelerator: Accelerator,
    made: Link,
    scratch: Path,
    lasting: Lasting,
    tpm: Path | None = None,
    stint: Stint = FIRST_BOOT,
    injection: Injection = NOTHING,
) -> Hardware:
    """The machine of an order, whose files lie in `scratch`; what is `lasting` is made unless it is there.

    Its disk is an overlay of the image.
    """
    if not lasting.disk.exists():
        overlay(open_image(order.image), lasting.disk, order.disk_size)
    cpu, off = processor(profile.arch), stint.clock + injection.clock
    ovmf = find_ovmf(processor=cpu, trusted=order.machine.secure_boot) if vm.generation == 2 else None
    return Hardware(
        vm=vm,
        accelerator=accelerator,
        disk=lasting.disk,
        link=made.arguments,
        descriptors=made.descriptors,
        pluggable=stint.changes_cards,
        dvd=_medium(order, vm, scratch, injection) if stint.fresh else None,
        dvd_fails=mischief.disc_fails(injection),
        processor=cpu,
        ovmf=ovmf,
        variables=own_variables(ovmf, lasting.variables) if ovmf else None,
        controller=order.machine.controller,
        tpm=tpm,
        kernel=_direct_kernel(order, scratch, words) if (words := _arguments(order, stint)) else None,
        on_azure=order.seed == "azure",
        memory_mib=order.memory_mib,
        clock=datetime.now(UTC) + timedelta(seconds=off) if off else None,
        resource_disk=_resource_disk(stint.resource_disk, scratch) if stint.resource_disk else None,
        data_disks=tuple(_data_disks(stint.data_disks, scratch)),
        extra=mischief.extra_hardware(injection, vm, scratch),
    )


def _resource_disk(size: int, scratch: Path) -> Path:
    """A disk of that size in bytes with one partition for Windows over all of it, as Azure hands temporary disks out;
    but for the file system, NTFS there, which nobody asks for where the disk cannot be found by its VMBus address."""
    path = scratch / "resource.raw"
    entry = struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", 7, b"\xfe\xff\xff", 2048, size // 512 - 2048)
    with path.open("wb") as file:
        file.write(bytes(446) + entry + bytes(48) + b"\x55\xaa")
        file.truncate(size)
    return path


def _data_disks(sizes: tuple[int, ...], scratch: Path) -> Iterator[Path]:
    """Empty disks of these sizes in bytes."""
    for number, size in enumerate(sizes):
        path = scratch / f"data{number}.qcow2"
        run("qemu-img", "create", "-q", "-f", "qcow2", path, str(size))
        yield path


def _medium(order: Order, vm: VirtualMachine, scratch: Path, injection: Injection) -> Path | None:
    """The disc in the drive: none for a specialized machine."""
    if vm.os_profile is None:
        return None
    path = scratch / DISC
    if order.seed == "azure":
        return mischief.faulty_disc(injection, vm, path)
    nocloud_seed(vm, path)
    return path


def _arguments(order: Order, stint: Stint) -> str:
    """What the kernel must be told besides, "" where nothing."""
    if order.seed == "nocloud":
        return NOCLOUD_ARGUMENTS
    return OWN_NAMES if stint.changes_cards else ""


def _direct_kernel(order: Order, scratch: Path, words: str) -> DirectKernel:
    """The image's own kernel, initramfs and arguments, started past its boot loader: the one way to add arguments."""
    with tempfile.TemporaryDirectory(prefix="read-", dir=scratch) as reading:
        known = gather(order.image, Path(reading), {}).known
        entry, tree = known.get("entry"), known.get("tree")
        if entry is None or tree is None or not entry.initrds:
            raise CallerError(
                f"{order.image} has no boot entry that could be read",
                "this run needs one: its kernel is started with it",
            )
        kernel, initrd = scratch / "kernel", scratch / "initrd"
        kernel.write_bytes(tree.read_bytes(entry.linux, LARGEST_FILE))
        initrd.write_bytes(b"".join(tree.read_bytes(one, LARGEST_FILE) for one in entry.initrds))
    return DirectKernel(kernel, initrd, " ".join((*entry.args, words)))
