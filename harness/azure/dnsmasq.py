"""dnsmasq as the VM's address server and name server.

It gives out what Azure gives (options 1, 3, 6, 15, 51, 121, 245, 249, RFC 2132 and RFC 3442) and resolves the VM's own
name; foreign names do not exist. What it cannot say, `harness.azure.dhcp_relay` adds on the way to the guest.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from build.command import find
from build.errors import MachineError
from harness.azure import dhcp
from harness.deadline import Deadline, TooLate
from harness.vm import IMDS, WIRESERVER, VirtualMachine

SERVER_PORT, CLIENT_PORT = 1067, 1068
"""Where dnsmasq serves leases: away from port 67, which is the relay's."""
STARTING: Final = 10.0
"""Seconds until dnsmasq must have its sockets."""


def routes(vm: VirtualMachine) -> tuple[dhcp.Route, ...]:
    """The three routes of option 121: everything, the wireserver and the metadata service through the router."""
    router = IPv4Address(vm.router)
    return tuple((IPv4Network(target), router) for target in ("0.0.0.0/0", f"{WIRESERVER}/32", f"{IMDS}/32"))


def arguments(vm: VirtualMachine, folder: Path) -> tuple[str, ...]:
    """dnsmasq's command line for one VM; leases and log go to the folder.

    - `no-daemon` keeps it from changing its user, which an unprivileged user namespace refuses.
    - `dhcp-ignore-clid`: a guest runs several DHCP clients one after another, all must get the one address.
    - an empty option 12: else dnsmasq echoes the client's name, which Azure never does; nor does it send option 28.
    - forced options: no client asks for 245 or 249, Azure sends them all the same.
    """
    network = IPv4Network(f"{vm.network}/{vm.prefix}")
    classless = dhcp.encode_routes(routes(vm)).hex(":")
    wireserver = IPv4Address(WIRESERVER).packed.hex(":")
    return (
        "--no-daemon",
        "--conf-file",
        "--pid-file",
        "--log-dhcp",
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
        f"--dhcp-range={network.network_address},static,{network.netmask},infinite",
        f"--dhcp-host={vm.mac},{vm.address},infinite",
        "--dhcp-authoritative",
        "--dhcp-ignore-clid",
        "--no-ping",
        f"--dhcp-option={dhcp.ROUTER},{vm.router}",
        f"--dhcp-option=6,{WIRESERVER}",
        f"--dhcp-option={dhcp.HOST_NAME}",
        "--dhcp-option=28",
        f"--dhcp-option-force={dhcp.DOMAIN},{vm.domain}",
        f"--dhcp-option-force={dhcp.CLASSLESS_ROUTES},{classless}",
        f"--dhcp-option-force={dhcp.MICROSOFT_ROUTES},{classless}",
        f"--dhcp-option-force={dhcp.WIRESERVER_OPTION},{wireserver}",
    )


@contextmanager
def dnsmasq(vm: VirtualMachine, folder: Path) -> Iterator[None]:
    """dnsmasq in the current network namespace until the block is left.

    Raises MachineError where it is missing or does not start.
    """
    path = folder / "dnsmasq.log"
    with path.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            (find("dnsmasq"), *arguments(vm, folder)), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _await_start(process, path)
        yield
    finally:
        process.kill()
        process.wait()


def _await_start(process: "subprocess.Popen[bytes]", log: Path) -> None:
    def started() -> bool | None:
        if process.poll() is not None:
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            raise MachineError(f"dnsmasq ended with status {process.returncode}: {said}", f"its log is {log}")
        return b"started, version" in log.read_bytes() or None

    try:
        Deadline.after(STARTING).until("dnsmasq to start", started, every=0.01)
    except TooLate:
        raise MachineError(f"dnsmasq did not start within {STARTING:.0f} s", f"its log is {log}") from None
