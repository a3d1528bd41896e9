"""The guests' network as Azure's hosts give it: addresses, leases and names, inside the current network namespace.

The caller makes the namespace (which has no way out) and the interface that faces the guests.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from build.command import run
from harness.azure.dhcp import Message
from harness.azure.dhcp_relay import Answer, asking_dnsmasq, remembering, serve_dhcp
from harness.azure.dnsmasq import AZURE, Settings, dnsmasq
from harness.azure.host import AzureHost
from harness.azure.members import Members
from harness.vm import IMDS, WIRESERVER, VirtualMachine


def addresses(vm: VirtualMachine) -> tuple[str, ...]:
    """The addresses that the host answers for: the subnet's router and the two service addresses."""
    return f"{vm.router}/{vm.prefix}", f"{WIRESERVER}/32", f"{IMDS}/32"


@dataclass(frozen=True)
class Network:
    """The network while it is there, with its members. `lease` says which first network card (MAC) of a machine gets
    which address from now on, `appear` adds an address that the host has kept silent about, and with `join` a further
    machine is there for as long as the block lasts."""

    members: Members
    lease: Callable[[AzureHost, str, str], None]
    appear: Callable[[str], None]
    join: Callable[[AzureHost], AbstractContextManager[None]]


@contextmanager
def azure_network(
    interface: str,
    host: AzureHost,
    folder: Path,
    wrap: Callable[[Answer], Answer] = lambda answer: answer,
    settings: Settings = AZURE,
    silent: tuple[str, ...] = (),
) -> Iterator[Network]:
    """Addresses on the interface, dnsmasq and the DHCP relay, until the block is left.

    `wrap` may change the path of the first machine's DHCP messages, `settings` those of dnsmasq, and `silent` are
    addresses that nobody has (faults). The folder gets dnsmasq's leases and log. Packets are not forwarded: the
    namespace has no other way anyway. Raises MachineError or CommandFailed where `ip` or dnsmasq fail.
    """
    members = Members(host)
    with ExitStack() as stack:

        def appear(address: str) -> None:
            run("ip", "address", "add", address, "dev", interface)
            stack.callback(run, "ip", "address", "del", address, "dev", interface, expect=(0, 1, 2))

        run("ip", "link", "set", "lo", "up")
        for address in addresses(host.vm):
            if address.partition("/")[0] not in silent:
                appear(address)
        changed = stack.enter_context(dnsmasq(host.vm, members, folder, settings))
        answer = stack.enter_context(asking_dnsmasq(host.vm))
        paths = {host: remembering(wrap(answer), host)}

        def path(message: Message) -> Message | None:
            return paths[members.of_card(message.mac)](message)

        def lease(of: AzureHost, mac: str, address: str) -> None:
            members.lease(of, mac, address)
            changed()
            _reach_cards(interface, members)

        @contextmanager
        def join(other: AzureHost) -> Iterator[None]:
            paths[other] = remembering(answer, other)
            with members.joined(other):
                changed()
                _reach_cards(interface, members)
                yield
            changed()

        _reach_cards(interface, members)
        stack.enter_context(serve_dhcp(interface, host.journal, path))
        yield Network(members, lease, appear, join)


def _reach_cards(interface: str, members: Members) -> None:
    """Tell the kernel behind which card each address of a machine with several is.

    Asked by ARP, a guest with several cards in one subnet answers for each of its addresses on every card. Azure's
    hosts do not ask: they know.
    """
    for cards in members.cards:
        for card in cards if len(cards) > 1 else ():
            for address in card.addresses:
                run("ip", "neighbour", "replace", address, "lladdr", card.mac, "dev", interface, "nud", "permanent")
