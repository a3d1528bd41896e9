"""dnsmasq as the address server and name server of a network's VMs.

It gives out what Azure gives (options 1, 3, 6, 15, 51, 121, 245, 249, RFC 2132 and RFC 3442) and resolves the VMs'
names; foreign names do not exist. A network card beyond the VM's first gets neither router nor routes nor option 245,
and the name that its client sends is not taken (docs/azure/host-protocol.md 1.4). What dnsmasq cannot say,
`harness.azure.dhcp_relay` adds on the way to the guest.
"""

import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from build.command import find
from build.errors import MachineError
from harness.azure import dhcp
from harness.azure.journal import Journal
from harness.azure.members import Members
from harness.vm import IMDS, WIRESERVER, VirtualMachine

HOSTS: Final = "hosts"
SECONDARY: Final = "secondary"
"""The tag of network cards beyond a VM's first."""
SERVER_PORT, CLIENT_PORT = 1067, 1068
"""Where dnsmasq serves leases: away from port 67, which is the relay's."""
STARTING: Final = 10.0
"""Seconds until dnsmasq must have its sockets."""
PARTING: Final = 5.0
"""Seconds that it has for ending."""
QUERY: Final = re.compile(r"query\[(?P<type>\w+)] (?P<name>\S*) from (?P<client>\S+)")
"""How dnsmasq's log tells what it was asked."""

HOSTS_READ: Final = re.compile(rf" read \S*/{HOSTS}$")
"""What its log says once it has read who gets an address, at first or anew. It heeds no signal before."""


def routes(vm: VirtualMachine) -> tuple[dhcp.Route, ...]:
    """The three routes of option 121: everything, the wireserver and the metadata service through the router."""
    router = IPv4Address(vm.router)
    return tuple((IPv4Network(target), router) for target in ("0.0.0.0/0", f"{WIRESERVER}/32", f"{IMDS}/32"))


@dataclass(frozen=True)
class Settings:
    """What a fault may change: leases of `lease` seconds instead of infinite ones, and nobody who resolves `names`."""

    lease: int | None = None
    names: bool = True

    @property
    def term(self) -> str:
        """The lease's length as dnsmasq takes it."""
        return "infinite" if self.lease is None else str(self.lease)


AZURE = Settings()


def arguments(vm: VirtualMachine, folder: Path, settings: Settings = AZURE) -> tuple[str, ...]:
    """dnsmasq's command line for the network of a VM; leases and log go to the folder, where `hosts` has the addresses.

    - an empty user and group: it must not change them, which an unprivileged user namespace refuses.
    - `dhcp-ignore-clid`: a guest runs several DHCP clients one after another, all must get the one address.
    - an empty option 12: else dnsmasq echoes the client's name, which Azure never does; nor does it send option 28.
    - forced options: no client asks for 245 or 249, Azure sends them all the same.
    - an empty option 3 for the cards beyond the first: else dnsmasq names itself as their router.
    """
    network = IPv4Network(f"{vm.network}/{vm.prefix}")
    classless = dhcp.encode_routes(routes(vm)).hex(":")
    wireserver = IPv4Address(WIRESERVER).packed.hex(":")
    return (
        "--keep-in-foreground",
        "--user=",
        "--group=",
        "--log-facility=-",
        "--conf-file",
        "--pid-file",
        "--log-dhcp",
        "--log-queries",
        "--bind-interfaces",
        f"--listen-address=127.0.0.1,{WIRESERVER}",
        "--no-hosts",
        "--no-resolv",
        "--address=/#/",
        f"--domain={vm.domain}",
        f"--local=/{vm.domain}/",
        "--expand-hosts",
        f"--dhcp-alternate-port={SERVER_PORT},{CLIENT_PORT}",
        f"--dhcp-leasefile={folder / 'leases'}",
        f"--dhcp-range={network.network_address},static,{network.netmask},{settings.term}",
        f"--dhcp-hostsfile={folder.absolute() / HOSTS}",
        *(() if settings.names else ("--port=0",)),
        "--dhcp-authoritative",
        "--dhcp-ignore-clid",
        "--no-ping",
        f"--dhcp-ignore-names=tag:{SECONDARY}",
        f"--dhcp-option={dhcp.ROUTER},{vm.router}",
        f"--dhcp-option=tag:{SECONDARY},{dhcp.ROUTER}",
        f"--dhcp-option=6,{WIRESERVER}",
        f"--dhcp-option={dhcp.HOST_NAME}",
        "--dhcp-option=28",
        f"--dhcp-option-force={dhcp.DOMAIN},{vm.domain}",
        f"--dhcp-option-force=tag:!{SECONDARY},{dhcp.CLASSLESS_ROUTES},{classless}",
        f"--dhcp-option-force=tag:!{SECONDARY},{dhcp.MICROSOFT_ROUTES},{classless}",
        f"--dhcp-option-force=tag:!{SECONDARY},{dhcp.WIRESERVER_OPTION},{wireserver}",
    )


def write_hosts(members: Members, folder: Path, settings: Settings = AZURE) -> None:
    """Say which network card gets which address, and which cards are beyond a machine's first."""
    lines = [
        f"{card.mac},{f'set:{SECONDARY},' if number else ''}{card.addresses[0]},{settings.term}\n"
        for cards in members.cards
        for number, card in enumerate(cards)
    ]
    (folder / HOSTS).write_text("".join(lines))


@contextmanager
def dnsmasq(
    vm: VirtualMachine, members: Members, folder: Path, settings: Settings = AZURE
) -> Iterator[Callable[[], None]]:
    """dnsmasq for the members of a VM's network, in the current network namespace, until the block is left. Names that
    one asks for go to its journal.

    Yields a function to call when members have changed, or their addresses: a guest learns of that when it asks.
    Raises MachineError where it is missing or does not start.
    """
    write_hosts(members, folder, settings)
    command = (find("dnsmasq"), *arguments(vm, folder, settings))
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    path, started = folder / "dnsmasq.log", threading.Event()
    follower = threading.Thread(target=_follow, args=(process, path, members.journal_of, started), daemon=True)
    follower.start()
    try:
        if not started.wait(STARTING) or process.poll() is not None:
            raise MachineError(f"dnsmasq does not start: {_last_words(process, follower, path)}", f"its log is {path}")

        def changed() -> None:
            write_hosts(members, folder, settings)
            process.send_signal(signal.SIGHUP)  # it then reads the file of hosts anew

        yield changed
    finally:
        _end(process)
        follower.join()


def _end(process: "subprocess.Popen[str]") -> None:
    """End dnsmasq in good order: it then ends its own children, which serve TCP, too."""
    process.terminate()
    try:
        process.wait(PARTING)
    except subprocess.TimeoutExpired:
        process.kill()


def _follow(
    process: "subprocess.Popen[str]", path: Path, journal_of: Callable[[str], Journal], started: threading.Event
) -> None:
    """Keep what dnsmasq says, and journal the names it is asked for with whoever asks."""
    assert process.stderr is not None
    with process.stderr, path.open("w", encoding="utf-8") as log:
        for line in process.stderr:
            with suppress(OSError):  # a full disk must not stop the reading, which would stop dnsmasq
                print(line, end="", file=log, flush=True)
            if HOSTS_READ.search(line):
                started.set()
            elif asked := QUERY.search(line):
                journal_of(asked["client"]).add("dns", "query", **asked.groupdict())
    process.wait()
    started.set()


def _last_words(process: "subprocess.Popen[str]", follower: threading.Thread, path: Path) -> str:
    _end(process)
    follower.join()
    return path.read_text(encoding="utf-8").strip()
