"""The host's side of the guest's DHCP: a relay in front of dnsmasq, as Azure's host agent sits in front of its server.

It journals every message, asks dnsmasq in the name of 168.63.129.16 (RFC 3046 with sub-options 5, RFC 3527, and 11,
RFC 5107), and gives the answer the shape that Azure's has: server id and giaddr 168.63.129.16, infinite renewal times.
The message path is a function `Message -> Message | None`, so that a fault can wrap it.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any, Final

from harness.azure import dhcp
from harness.azure.dhcp import MalformedMessage, Message, decode, encode
from harness.azure.dnsmasq import SERVER_PORT
from harness.azure.frames import BROADCAST_ADDRESS, BROADCAST_MAC, IPV4, udp_frame
from harness.azure.host import AzureHost
from harness.azure.journal import Journal
from harness.vm import WIRESERVER, VirtualMachine

Answer = Callable[[Message], Message | None]
"""What a guest's message gets; None is silence."""

NODE: Final = IPv4Address(WIRESERVER)
FOREVER: Final = b"\xff" * 4
NODE_NAME: Final = b"KILNHOST01"
PATIENCE: Final = 2.0
"""Seconds that dnsmasq has for an answer; without ping it needs milliseconds."""
BACKOFF: Final = 0.1
"""Seconds of rest after a crash, lest a dead interface fill the journal."""
UNANSWERED: Final = ("RELEASE", "DECLINE")


def to_server(message: Message, vm: VirtualMachine) -> Message:
    """The guest's message as dnsmasq gets it."""
    link = IPv4Address(vm.network).packed
    suboptions = dhcp.encode_suboptions(((5, link), (11, NODE.packed)))
    return replace(
        message, hops=message.hops + 1, giaddr=NODE, options=message.with_options((dhcp.RELAY_AGENT, suboptions))
    )


def to_guest(answer: Message) -> Message:
    """dnsmasq's answer as Azure would give it."""
    changed: list[tuple[int, bytes | None]] = [(dhcp.SERVER_ID, NODE.packed)]
    changed += [(dhcp.RELAY_AGENT, None), (dhcp.SUBNET_SELECTION, None)]
    if answer.option(dhcp.LEASE_TIME) == FOREVER:
        # dnsmasq leaves the renewal times out of an infinite lease, Azure spells them out.
        changed += [(dhcp.RENEWAL, FOREVER), (dhcp.REBINDING, FOREVER)]
    return replace(
        answer, hops=0, siaddr=dhcp.NOWHERE, giaddr=NODE, sname=NODE_NAME, options=answer.with_options(*changed)
    )


def destination(answer: Message) -> tuple[bytes, IPv4Address]:
    """Where an answer goes: hardware and network address (RFC 2131 section 4.1)."""
    if answer.type != "NAK" and answer.ciaddr != dhcp.NOWHERE:
        return answer.chaddr, answer.ciaddr
    if answer.type == "NAK" or answer.flags & dhcp.BROADCAST or answer.yiaddr == dhcp.NOWHERE:
        return BROADCAST_MAC, BROADCAST_ADDRESS
    return answer.chaddr, answer.yiaddr


def describe(message: Message) -> Mapping[str, Any]:
    """What the journal keeps of a message. Option 55 is kept as the list of its numbers."""
    told: dict[str, Any] = {"mac": message.mac, "xid": f"{message.xid:08x}", "broadcast": bool(message.flags >> 15)}
    if message.option(dhcp.HOST_NAME) is not None:
        told["host_name"] = message.host_name
    if requested := message.option(dhcp.REQUESTED_ADDRESS):
        told["requested"] = str(IPv4Address(requested)) if len(requested) == 4 else requested.hex()
    if parameters := message.option(dhcp.PARAMETERS):
        told["parameters"] = list(parameters)
    if vendor := message.option(dhcp.VENDOR_CLASS):
        told["vendor_class"] = vendor.decode("ascii", "backslashreplace")
    if client := message.option(dhcp.CLIENT_ID):
        told["client_id"] = client.hex(":")
    if message.yiaddr != dhcp.NOWHERE:
        told["address"] = str(message.yiaddr)
    return told


def remembering(answer: Answer, host: AzureHost) -> Answer:
    """The message path with both directions in the journal, and the names kept that the guest's first card sends."""

    def path(message: Message) -> Message | None:
        host.journal.add("dhcp", message.type, **describe(message))
        is_first = message.mac not in host.vm.more_macs
        if is_first and message.host_name and message.type in ("DISCOVER", "REQUEST", "INFORM"):
            host.take_hostname(message.host_name)
        reply = answer(message)
        if reply is not None:
            host.journal.add("dhcp", reply.type, **describe(reply))
        return reply

    return path


@contextmanager
def asking_dnsmasq(vm: VirtualMachine) -> Iterator[Answer]:
    """The message path through dnsmasq, which must run in this namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
        # dnsmasq holds the same port on every address; the socket with the exact address wins.
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        upstream.bind((WIRESERVER, SERVER_PORT))

        def answer(message: Message) -> Message | None:
            upstream.sendto(encode(to_server(message, vm)), ("127.0.0.1", SERVER_PORT))
            if message.type in UNANSWERED:
                return None
            reply = _await_reply(upstream, message.xid)
            return None if reply is None else to_guest(reply)

        yield answer


def _await_reply(upstream: socket.socket, xid: int) -> Message | None:
    until = time.monotonic() + PATIENCE
    while (left := until - time.monotonic()) > 0:
        upstream.settimeout(left)
        try:
            reply = decode(upstream.recv(65535))
        except TimeoutError:
            return None
        except MalformedMessage:
            continue
        if reply.xid == xid and reply.op == 2:
            return reply
    return None


@contextmanager
def serve_dhcp(interface: str, journal: Journal, path: Answer) -> Iterator[None]:
    """Answer the DHCP messages that arrive on an interface, in a thread, until the block is left.

    `path` is who answers, and keeps it in mind; the journal gets what is no message, or breaks it.

    Needs the right to open packet sockets in this network namespace.
    """
    with ExitStack() as stack:
        listening = stack.enter_context(_listen(interface))
        sending = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        sending.bind((interface, IPV4))
        stopping = threading.Event()
        loop = threading.Thread(target=_loop, args=(listening, sending, journal, path, stopping), daemon=True)
        loop.start()
        try:
            yield
        finally:
            stopping.set()
            loop.join()


def _listen(interface: str) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    listening.bind(("0.0.0.0", 67))
    listening.settimeout(0.2)
    return listening


def _loop(
    listening: socket.socket, sending: socket.socket, journal: Journal, answer: Answer, stopping: threading.Event
) -> None:
    while not stopping.is_set():
        try:
            message = decode(listening.recv(65535))
            reply = answer(message) if message.op == 1 else None
            if reply is not None:
                sending.send(frame(reply, sending.getsockname()[4]))
        except TimeoutError:
            continue
        except MalformedMessage as broken:
            journal.add("dhcp", "malformed", reason=str(broken))
        except Exception as broken:  # a fault's own fault must not end the service, nor pass in silence
            journal.add("dhcp", "crash", reason=f"{type(broken).__name__}: {broken}")
            stopping.wait(BACKOFF)


def frame(answer: Message, source: bytes) -> bytes:
    """The Ethernet frame that carries an answer to the guest, which cannot be asked by ARP yet."""
    hardware, address = destination(answer)
    return udp_frame((source, hardware), (NODE, address), (67, 68), encode(answer))
