"""The stage: one machine before one pretend Azure host, in the sealed namespace, from switching on to clearing away."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness import mischief
from harness.accelerator import Accelerator, choose_accelerator
from harness.assembly import DISC, FIRST_BOOT, check_machine, hardware_of
from harness.azure.dnsmasq import Settings
from harness.azure.faults import troubled_dhcp
from harness.azure.host import AzureHost
from harness.azure.journal import Journal
from harness.azure.network import Network, azure_network
from harness.azure.ovf import ovf_environment
from harness.azure.server import serve
from harness.azure.services import services
from harness.console import Console
from harness.director import HANDED_OVER, Scene, directed
from harness.fork import Fork
from harness.guest import Guest
from harness.hardware import Hardware
from harness.injection import NOTHING, READY, Injection, Moment
from harness.lasting import Lasting, lasting_in
from harness.order import Order, make_vm, waiting, with_cards, with_disks
from harness.processor import processor
from harness.profile import Profile
from harness.qemu import CONSOLE, Machine
from harness.scratch import scratch_folder
from harness.snapshot import take_up
from harness.sshkey import Key
from harness.stint import Stint
from harness.tpm import virtual_tpm
from harness.vm import VirtualMachine
from harness.wire import Link, bridge, link, ports

JOURNAL = "journal.jsonl"
REUSED_AFTER, UNLINKED_FOR = 5.0, 3.0
"""When a machine of a pool gets its owner: seconds after its first report, and for how long it has no link then."""


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
    network: Network
    injection: Injection = NOTHING

    @property
    def address(self) -> str:
        """The address that the guest's first card was leased last: its first one unless a fault moved it."""
        acks = [one for one in self.host.journal.find("dhcp", "ACK") if one.details["mac"] not in self.vm.more_macs]
        leased = [entry for entry in acks if entry.details.get("address")]
        return str(leased[-1].details["address"]) if leased else self.vm.address


@dataclass(frozen=True)
class Setting:
    """What a machine is staged with besides itself.

    `wire` is how it is wired (`harness.wire`; None: whatever works here). What the guest writes goes with the machine,
    unless `lasting` says where it is kept: what is there already, from an earlier machine, is used on. `stint` says
    which VM it is, in which container, and with what clock and disks, `injection` what goes wrong on purpose. With a
    `fork` the machine goes on from there. One that is `shared` may have others `beside` it, in its network, while it
    stands.
    """

    wire: str | None = None
    lasting: Lasting | None = None
    stint: Stint = FIRST_BOOT
    fork: Fork | None = None
    injection: Injection = NOTHING
    shared: bool = False
    beside: Stage | None = None


@contextmanager
def staged(order: Order, profile: Profile, key: Key, folder: Path, setting: Setting = Setting()) -> Iterator[Stage]:
    """A machine, switched on before its host; both are gone when the block is left, and the image is as it was.

    The folder gets the console's log and the journal. Raises MachineError or CallerError where it cannot be set up.
    """
    stint = setting.stint
    folder.mkdir(parents=True, exist_ok=True)
    check_machine(order, processor(profile.arch))
    accelerator = choose_accelerator(processor(profile.arch))
    vm = with_cards(with_disks(make_vm(order, profile, key, stint.vm, stint.container), stint), stint)
    at_first = waiting(vm, stint.pool)
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder(folder))
        lasting = setting.lasting or lasting_in(scratch)
        journal = stack.enter_context(Journal(folder / JOURNAL))
        host = AzureHost(at_first, journal)
        made, network = stack.enter_context(_wired(order, at_first, host, scratch, setting))
        tpm = stack.enter_context(virtual_tpm(lasting.tpm)) if order.machine.vtpm else None
        if setting.fork:
            setting.fork.lay(lasting, folder)
        hardware = hardware_of(
            order, profile, at_first, accelerator, made, scratch, lasting, tpm, stint, setting.injection
        )
        event = "goes on from a shared boot" if setting.fork else "switched on"
        journal.add("machine", event, profile=order.machine.name, accelerator=accelerator.name)
        machine = stack.enter_context(_machine(hardware, setting.fork, folder, host))
        guest = Guest(vm.address, order.admin, key)
        stack.callback(guest.close)
        scene = Scene(
            host,
            machine,
            lambda: network.lease(host, vm.mac, mischief.MOVED_TO),
            scratch / DISC,
            partial(_hand_over, vm, host, network),
        )
        stack.enter_context(directed(scene, (*setting.injection.moments, *_reused(stint.pool))))
        console = Console(folder / CONSOLE, machine.check_alive)
        yield Stage(vm, host, machine, console, guest, accelerator, made, folder, network, setting.injection)


@contextmanager
def _wired(
    order: Order, vm: VirtualMachine, host: AzureHost, scratch: Path, setting: Setting
) -> Iterator[tuple[Link, Network]]:
    """The machine's link and the network behind it: its own, or that of the machine beside it."""
    with ExitStack() as stack:
        if setting.beside:
            made = stack.enter_context(ports((vm.mac, *vm.more_macs), setting.wire))
            yield made, stack.enter_context(_joined(setting.beside.network, host))
        else:
            made = stack.enter_context(_linked(vm, setting.wire, setting.shared))
            yield made, stack.enter_context(_services(order, made, host, scratch, setting.injection))


def _reused(pool: str) -> tuple[Moment, ...]:
    """When a machine of this pool is handed over to its owner, and how; never where it is of none."""
    return (Moment(HANDED_OVER[pool], READY, REUSED_AFTER, UNLINKED_FOR),) if pool in HANDED_OVER else ()


def _hand_over(vm: VirtualMachine, host: AzureHost, network: Network) -> None:
    """Make a machine that waited in a pool its owner's `vm`."""
    network.lease(host, vm.mac, vm.address)
    host.hand_over(vm, ovf_environment(vm).encode())


@contextmanager
def _linked(vm: VirtualMachine, wire: str | None, shared: bool) -> Iterator[Link]:
    """The lines of the machine's network cards: to the host itself where there is one card in all, else by a bridge."""
    with ExitStack() as stack:
        if not vm.more_macs and not shared:
            yield stack.enter_context(link(wire))
            return
        stack.enter_context(bridge())
        yield stack.enter_context(ports((vm.mac, *vm.more_macs), wire))


@contextmanager
def _services(order: Order, made: Link, host: AzureHost, scratch: Path, injection: Injection) -> Iterator[Network]:
    """Azure's addresses, DHCP and DNS on the link, and its HTTP services for a machine that is to find Azure there."""
    with ExitStack() as stack:
        network = stack.enter_context(
            azure_network(
                made.interface,
                host,
                scratch,
                lambda answer: troubled_dhcp(answer, injection.dhcp, host.journal),
                Settings(injection.lease, injection.names),
                mischief.silent_addresses(injection),
            )
        )
        if order.seed == "azure":
            doors = mischief.doors(services(host), injection, host)
            members = network.members
            members.open(host, {one.source: one.app for one in doors.bindings})
            desks = [one._replace(app=members.desk(one.source)) for one in doors.bindings]
            stack.enter_context(serve(desks, host.journal, members.journal_of))
            stack.enter_context(doors.opening(host, network.appear))
        yield network


@contextmanager
def _joined(network: Network, host: AzureHost) -> Iterator[Network]:
    """The network of another machine, which this host's is in, too, until the block is left."""
    with network.join(host):
        network.members.open(host, {one.source: one.app for one in services(host)})
        yield network


def _machine(hardware: Hardware, fork: Fork | None, folder: Path, host: AzureHost) -> Machine:
    """The machine, which begins anew or goes on from a fork."""
    heard = partial(_heard, host)
    if fork is None:
        return Machine(hardware, folder, heard)
    # The saved machine's drive was empty.
    return Machine(replace(hardware, dvd=None), folder, heard, partial(_go_on, hardware.dvd))


def _go_on(disc: Path | None, machine: Machine) -> None:
    take_up(machine)
    if disc:
        machine.insert_dvd(disc)


def _heard(host: AzureHost, name: str, data: Mapping[str, Any]) -> None:
    host.journal.add("qmp", name, **data)
    if name == "DEVICE_TRAY_MOVED" and data.get("id") == "dvd" and data.get("tray-open"):
        host.take_eject()
