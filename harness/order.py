"""What is ordered: one machine to boot an image on, the VM record that follows from it, and what the image is."""

import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from build.manifest import Manifest
from harness import ignition
from harness.azure.ovf import profile_of as os_profile_of
from harness.expected import CUSTOM_DATA, USER_DATA
from harness.inference import infer
from harness.inspect import gather
from harness.machines import MachineProfile, find_machine
from harness.processor import processor
from harness.profile import Profile
from harness.sshkey import Key
from harness.stint import Stint
from harness.vm import DataDisk, NetworkInterface, OSProfile, VirtualMachine

POOLED = "kiln-pooled"
"""The name of a machine that nobody has asked for yet."""
POOL_MAC, POOL_ADDRESS = "60:45:bd:00:00:06", "10.0.0.6"
"""The network card that a machine waits with where it gets its owner's later, and that card's address."""
NAMESPACE = uuid.UUID("5f0a1d0e-6c1b-5f0e-9a53-6b696c6e0002")


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
        secure_boot=order.machine.secure_boot,
        vtpm=order.machine.vtpm,
    )


def with_disks(vm: VirtualMachine, stint: Stint) -> VirtualMachine:
    """The VM with the disks of a stint: its empty data disks, the first at LUN 0, and its temporary disk."""
    data = tuple(DataDisk(lun, size >> 30) for lun, size in enumerate(stint.data_disks))
    return replace(vm, data_disks=data, resource_disk_gib=stint.resource_disk >> 30)


def with_cards(vm: VirtualMachine, stint: Stint) -> VirtualMachine:
    """The VM with the further network cards of a stint; its first one has a second address then."""
    if not stint.more_cards:
        return vm
    network, _, place = vm.address.rpartition(".")
    more = tuple(
        NetworkInterface(f"60:45:bd:00:{number:02x}:{int(place):02x}", (f"{network}.{int(place) + 20 * number}",))
        for number in range(1, stint.more_cards + 1)
    )
    return replace(vm, more_addresses=(f"{network}.{int(place) + 10}",), more_interfaces=more)


def waiting(vm: VirtualMachine, pool: str) -> VirtualMachine:
    """The VM as it waits in a pool, with a name of the pool's and nobody's data; the VM itself where it waits in none.

    One that waits "Savable" has a network card of the pool's, too.

    Raises CallerError for a specialized VM, which no pool has.
    """
    if pool == "None":
        return vm
    nobody = replace(os_profile_of(vm), computer_name=POOLED, custom_data=b"", user_data=b"")
    pooled = replace(vm, name=POOLED, os_profile=nobody, pool=pool)
    return replace(pooled, mac=POOL_MAC, address=POOL_ADDRESS) if pool == "Savable" else pooled


def profile_of(order: Order) -> Profile:
    """What the image is meant to be, by its manifest or its files; on this machine it is of one generation."""
    if order.container.is_dir():
        return replace(infer(None, None, None, Manifest.load(order.container)), generations=(order.machine.generation,))
    with tempfile.TemporaryDirectory(prefix="kiln-") as scratch:
        profile: Profile = gather(order.container, Path(scratch), {}).known["profile"]
    return replace(profile, generations=(order.machine.generation,))
