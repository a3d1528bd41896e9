"""The stage: one machine before one pretend Azure host, in the sealed namespace, from switching on to clearing away."""

import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from build.command import run
from build.diskfile import open_image, overlay
from build.errors import CallerError
from build.manifest import Manifest
from harness import ignition
from harness.accelerator import Accelerator, choose_accelerator
from harness.azure.host import AzureHost
from harness.azure.journal import Journal
from harness.azure.network import azure_network
from harness.azure.server import serve
from harness.azure.services import services
from harness.console import Console
from harness.expected import CUSTOM_DATA, USER_DATA
from harness.firmware import find_ovmf, own_variables
from harness.fork import Fork
from harness.guest import Guest, Key
from harness.hardware import DirectKernel, Hardware
from harness.inference import infer
from harness.inspect import gather
from harness.machines import GEN2, NVME, TRUSTED, MachineProfile, find_machine
from harness.media import azure_dvd, nocloud_seed
from harness.processor import X86_64, Processor, processor
from harness.profile import Profile
from harness.qemu import CONSOLE, Machine
from harness.scenario import Stint
from harness.scratch import scratch_folder
from harness.snapshot import take_up
from harness.tpm import virtual_tpm
from harness.vm import OSProfile, VirtualMachine
from harness.wire import Link, link

NAMESPACE = uuid.UUID("5f0a1d0e-6c1b-5f0e-9a53-6b696c6e0002")
JOURNAL = "journal.jsonl"
FIRST_BOOT = Stint()
NOCLOUD_ARGUMENTS = "ds=nocloud ci.ds=NoCloud"
"""What undoes an image's pin to Azure: cloud-init 22.4 needs the second, too."""
LARGEST_FILE = 1 << 30
"""Bytes of a kernel or initramfs that are read: all of any that there is."""


@dataclass(frozen=True)
class Order:
    """One machine to make: see `harness.wishes.machine_order`."""

    image: Path
    container: Path
    name: str
    admin: str
    machine: MachineProfile
    seed: str
    ssh_key: str | None
    custom_data: bytes
    user_data: bytes
    memory_mib: int
    disk_size: int
    own_data: bool

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Order":
        """The order as the sealed side gets it."""
        custom, user = told["custom_data"], told["user_data"]
        return cls(
            image=Path(told["image"]),
            container=Path(told["container"] or told["image"]),
            name=told["name"],
            admin=told["admin"],
            machine=find_machine(told["machine"]),
            seed=told["seed"],
            ssh_key=told["ssh_key"],
            custom_data=CUSTOM_DATA if custom is None else custom.encode("latin-1"),
            user_data=USER_DATA if user is None else user.encode("latin-1"),
            memory_mib=told["memory_mib"],
            disk_size=told["disk_size"],
            own_data=custom is not None,
        )


@dataclass(frozen=True)
class Stage:
    """What stands there while the machine runs."""

    vm: VirtualMachine
    host: AzureHost
    machine: Machine
    console: Console
    guest: Guest
    accelerator: Accelerator
    link: Link
    folder: Path


def make_vm(order: Order, profile: Profile, key: Key, which: str = "first", container: str = "first") -> VirtualMachine:
    """The VM record of an order; `which` tells apart several machines made from one image, `container` its places."""

    def identity(part: str, of: str = which) -> uuid.UUID:
        return uuid.uuid5(NAMESPACE, f"{order.image.name}/{order.machine.name}/{of}/{part}")

    place = 4 if which == "first" else 5
    custom, user = order.custom_data, order.user_data
    if profile.provisioner == "ignition" and not order.own_data:
        # Ignition takes user data for its config where there is some, and custom data only where there is none.
        custom, user = ignition.config(order.admin, (key.public,)), b""
    os_profile = OSProfile(order.name, order.admin, (key.public,), "", custom, user)
    return VirtualMachine(
        name=order.name,
        generation=order.machine.generation,
        os_profile=os_profile if profile.kind == "generalized" else None,
        uuid=identity("vm"),
        container_id=identity("container", container),
        deployment_id=identity("deployment"),
        subscription_id=identity("subscription", "first"),
        mac=f"60:45:bd:00:00:{place:02x}",
        address=f"10.0.0.{place}",
        vm_size=processor(profile.arch).vm_size,
        os_disk_gib=order.disk_size >> 30,
    )


def profile_of(order: Order) -> Profile:
    """What the image is meant to be, by its manifest or its files; on this machine it is of one generation."""
    if order.container.is_dir():
        return replace(infer(None, None, None, Manifest.load(order.container)), generations=(order.machine.generation,))
    with tempfile.TemporaryDirectory(prefix="kiln-") as scratch:
        profile: Profile = gather(order.container, Path(scratch), {}).known["profile"]
    return replace(profile, generations=(order.machine.generation,))


@contextmanager
def staged(
    order: Order,
    profile: Profile,
    key: Key,
    folder: Path,
    wire: str | None = None,
    disk: Path | None = None,
    stint: Stint = FIRST_BOOT,
    fork: Fork | None = None,
) -> Iterator[Stage]:
    """A machine, switched on before its host; both are gone when the block is left, and the image is as it was.

    The folder gets the console's log and the journal. What the guest writes to its disk goes with the machine, unless
    `disk` is the overlay to write it to: one that is there already, from an earlier machine, is used on. `stint` says
    which VM it is, in which container, and with what clock and disks. With a `fork` the machine goes on from there.
    Raises MachineError or CallerError where it cannot be set up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check_machine(order, processor(profile.arch))
    accelerator = choose_accelerator(processor(profile.arch))
    vm = make_vm(order, profile, key, stint.vm, stint.container)
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder(folder))
        journal = stack.enter_context(Journal(folder / JOURNAL))
        host = AzureHost(vm, journal)
        made = stack.enter_context(link(wire))
        stack.enter_context(azure_network(made.interface, host, scratch))
        if order.seed == "azure":
            stack.enter_context(serve(services(host), journal))
        tpm = stack.enter_context(virtual_tpm(scratch / "tpm")) if order.machine.vtpm else None
        disk = disk or scratch / "disk.qcow2"
        if fork:
            fork.lay(disk, folder)
        hardware = hardware_of(order, profile, vm, accelerator, made, scratch, disk, tpm, stint)
        heard = partial(_heard, host)
        if fork:
            machine = Machine(fork.going_on(hardware, scratch), folder, heard, partial(_go_on, hardware.dvd))
        else:
            machine = Machine(hardware, folder, heard)
        event = "goes on from a shared boot" if fork else "switched on"
        journal.add("machine", event, profile=order.machine.name, accelerator=accelerator.name)
        stack.enter_context(machine)
        console = Console(folder / CONSOLE, machine.check_alive)
        guest = Guest(vm.address, order.admin, key)
        stack.callback(guest.close)
        yield Stage(vm, host, machine, console, guest, accelerator, made, folder)


def _go_on(disc: Path | None, machine: Machine) -> None:
    take_up(machine)
    if disc:
        machine.insert_dvd(disc)


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
    disk: Path,
    tpm: Path | None = None,
    stint: Stint = FIRST_BOOT,
) -> Hardware:
    """The machine of an order, whose files lie in `scratch`; its disk is an overlay, made unless it is there."""
    if not disk.exists():
        overlay(open_image(order.image), disk, order.disk_size)
    cpu = processor(profile.arch)
    ovmf = find_ovmf(processor=cpu, trusted=order.machine.secure_boot) if vm.generation == 2 else None
    return Hardware(
        vm=vm,
        accelerator=accelerator,
        disk=disk,
        link=made.arguments,
        descriptors=made.descriptors,
        dvd=_medium(order, vm, scratch) if stint.fresh else None,
        processor=cpu,
        ovmf=ovmf,
        variables=own_variables(ovmf, scratch / "variables.qcow2") if ovmf else None,
        controller=order.machine.controller,
        tpm=tpm,
        kernel=_direct_kernel(order, scratch) if order.seed == "nocloud" else None,
        on_azure=order.seed == "azure",
        memory_mib=order.memory_mib,
        clock=datetime.now(UTC) + timedelta(seconds=stint.clock) if stint.clock else None,
        data_disks=tuple(_data_disks(stint.data_disks, scratch)),
    )


def _data_disks(sizes: tuple[int, ...], scratch: Path) -> Iterator[Path]:
    """Empty disks of these sizes in bytes."""
    for number, size in enumerate(sizes):
        path = scratch / f"data{number}.qcow2"
        run("qemu-img", "create", "-q", "-f", "qcow2", path, str(size))
        yield path


def _medium(order: Order, vm: VirtualMachine, scratch: Path) -> Path | None:
    """The disc in the drive: none for a specialized machine."""
    if vm.os_profile is None:
        return None
    path = scratch / "provisioning.iso"
    (azure_dvd if order.seed == "azure" else nocloud_seed)(vm, path)
    return path


def _direct_kernel(order: Order, scratch: Path) -> DirectKernel:
    """The image's own kernel, initramfs and arguments, started past its boot loader: the one way to add arguments."""
    with tempfile.TemporaryDirectory(prefix="read-", dir=scratch) as reading:
        known = gather(order.image, Path(reading), {}).known
        entry, tree = known.get("entry"), known.get("tree")
        if entry is None or tree is None or not entry.initrds:
            raise CallerError(
                f"{order.image} has no boot entry that could be read",
                "NoCloud needs one: its kernel is started with it",
            )
        kernel, initrd = scratch / "kernel", scratch / "initrd"
        kernel.write_bytes(tree.read_bytes(entry.linux, LARGEST_FILE))
        initrd.write_bytes(b"".join(tree.read_bytes(one, LARGEST_FILE) for one in entry.initrds))
    return DirectKernel(kernel, initrd, " ".join((*entry.args, NOCLOUD_ARGUMENTS)))


def _heard(host: AzureHost, name: str, data: Mapping[str, Any]) -> None:
    host.journal.add("qmp", name, **data)
    if name == "DEVICE_TRAY_MOVED" and data.get("id") == "dvd" and data.get("tray-open"):
        host.take_eject()
