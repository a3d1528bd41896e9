"""The guest's network as Azure's hosts give it: addresses, leases and names, inside the current network namespace.

The caller makes the namespace (which has no way out) and the interface that faces the guest.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from build.command import run
from harness.azure.dhcp_relay import Answer, asking_dnsmasq, serve_dhcp
from harness.azure.dnsmasq import AZURE, Settings, dnsmasq
from harness.azure.host import AzureHost
from harness.vm import IMDS, WIRESERVER, VirtualMachine


def addresses(vm: VirtualMachine) -> tuple[str, ...]:
    """The addresses that the host answers for: the subnet's router and the two service addresses."""
    return f"{vm.router}/{vm.prefix}", f"{WIRESERVER}/32", f"{IMDS}/32"


@dataclass(frozen=True)
class Network:
    """The network while it is there. `lease` says which first network card (MAC) gets which address from now on,
    and `appear` adds an address that the host has kept silent about."""

    lease: Callable[[str, str], None]
    appear: Callable[[str], None]


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

    `wrap` may change the path of DHCP messages, `settings` those of dnsmasq, and `silent` are addresses that nobody has
    (faults). The folder gets dnsmasq's leases and log. Packets are not forwarded: the namespace has no other way
    anyway. Raises MachineError or CommandFailed where `ip` or dnsmasq fail.
    """
    with ExitStack() as stack:

        def appear(address: str) -> None:
            run("ip", "address", "add", address, "dev", interface)
            stack.callback(run, "ip", "address", "del", address, "dev", interface, expect=(0, 1, 2))

        run("ip", "link", "set", "lo", "up")
        for address in addresses(host.vm):
            if address.partition("/")[0] not in silent:
                appear(address)
        lease = stack.enter_context(dnsmasq(host.vm, folder, host.journal, settings))
        if host.vm.more_interfaces:
            lease = _reaching(interface, host.vm, lease)
        answer = stack.enter_context(asking_dnsmasq(host.vm))
        stack.enter_context(serve_dhcp(interface, host, wrap(answer)))
        yield Network(lease, appear)


def _reaching(interface: str, vm: VirtualMachine, lease: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """The function `lease`, which tells the kernel, too, at which card an address is.

    Asked by ARP, a guest with several cards in one subnet answers for each of its addresses on every card. Azure's
    hosts do not ask: they know.
    """

    def reach(mac: str, address: str) -> None:
        run("ip", "neighbour", "replace", address, "lladdr", mac, "dev", interface, "nud", "permanent")

    def lease_and_reach(mac: str, address: str) -> None:
        lease(mac, address)
        reach(mac, address)

    for address in (vm.address, *vm.more_addresses):
        reach(vm.mac, address)
    for card in vm.more_interfaces:
        for address in card.addresses:
            reach(card.mac, address)
    return lease_and_reach
