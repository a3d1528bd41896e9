"""A guest's side of the network, run in a namespace of its own: DHCP by our codec, then DNS and HTTP by the library."""

import json
import socket
import struct
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from build.command import run
from harness.azure import dhcp
from harness.azure.dhcp import Message, decode, decode_routes, encode
from harness.azure.frames import BROADCAST_ADDRESS, BROADCAST_MAC, IPV4, udp_frame
from harness.vm import WIRESERVER
from tests.harness.azure.machines import GENERALIZED, SECOND_CARD
from tests.harness.azure.test_wireserver import report

MAC = bytes.fromhex(GENERALIZED.mac.replace(":", ""))
INTERFACE = "guest0"
VERSION = {"x-ms-version": "2012-11-30", "User-Agent": "Cloud-Init/25.1.4"}


def message(kind: int, xid: int, *options: tuple[int, bytes], flags: int = 0) -> Message:
    return Message(1, xid, MAC, ((dhcp.TYPE, bytes((kind,))), *options), flags=flags)


class Wire:
    """A packet socket: a guest without an address can use no other."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV4))
        self.socket.bind((INTERFACE, IPV4))

    def send(self, payload: bytes) -> None:
        pair = dhcp.NOWHERE, BROADCAST_ADDRESS
        self.socket.send(udp_frame((MAC, BROADCAST_MAC), pair, (68, 67), payload))

    def ask(self, asked: Message, patience: float = 5.0) -> dict[str, Any] | None:
        """The answer, and to whom its frame and packet were addressed; None for silence."""
        self.send(encode(asked))
        self.socket.settimeout(patience)
        try:
            while True:
                frame = self.socket.recv(65535)
                if frame[23] == 17 and frame[36:38] == struct.pack("!H", 68):
                    answer = decode(frame[42:])
                    if answer.xid == asked.xid:
                        return describe(answer, frame)
        except TimeoutError:
            return None


def describe(answer: Message, frame: bytes) -> dict[str, Any]:
    routes = answer.option(dhcp.CLASSLESS_ROUTES) or b""
    return {
        "type": answer.type,
        "address": str(answer.yiaddr),
        "giaddr": str(answer.giaddr),
        "sname": answer.sname.decode(),
        "options": {code: value.hex() for code, value in answer.options},
        "order": [code for code, _ in answer.options],
        "routes": [f"{network} {router}" for network, router in decode_routes(routes)],
        "to": [frame[:6].hex(":"), str(IPv4Address(frame[30:34])), str(IPv4Address(frame[26:30]))],
    }


def lease(wire: Wire) -> dict[str, Any]:
    """What several DHCP clients of one guest get, one after another."""
    asks = dhcp.PARAMETERS, b"\1\3\6\x0c\x0f\x1c\x33\x3a\x3b\x79"
    name = dhcp.HOST_NAME, b"vm-alpha"
    address = dhcp.REQUESTED_ADDRESS, IPv4Address(GENERALIZED.address).packed
    server = dhcp.SERVER_ID, IPv4Address(WIRESERVER).packed
    first, second = (dhcp.CLIENT_ID, b"\xff\0\0\0\1\0\2abcd"), (dhcp.CLIENT_ID, b"\1" + MAC)
    stale = dhcp.REQUESTED_ADDRESS, IPv4Address("10.9.9.9").packed
    wire.send(b"no message")
    stranger = replace(message(1, 90), chaddr=b"\x02" * 6)
    return {
        "stranger": wire.ask(stranger, 0.5),
        "offer": wire.ask(message(1, 1, first)),
        "ack": wire.ask(message(3, 2, first, address, server, asks)),
        "other_offer": wire.ask(message(1, 3, second, name, flags=dhcp.BROADCAST)),
        "other_ack": wire.ask(message(3, 4, second, name, address, server, flags=dhcp.BROADCAST)),
        "stale": wire.ask(message(3, 5, second, name, stale)),
        "again": wire.ask(message(3, 6, second, name, address)),
    }


def lease_of_second_card(wire: Wire) -> dict[str, Any]:
    """What the clients of the guest's second card get, which call themselves by another name."""
    own = bytes.fromhex(SECOND_CARD.mac.replace(":", ""))
    address = dhcp.REQUESTED_ADDRESS, IPv4Address(SECOND_CARD.addresses[0]).packed
    more = (dhcp.HOST_NAME, b"vm-second"), (dhcp.PARAMETERS, b"\1\3\6\x0c\x0f\x79\xf5\xf9")
    return {
        "second_offer": wire.ask(replace(message(1, 21, *more), chaddr=own)),
        "second_ack": wire.ask(replace(message(3, 22, address, *more), chaddr=own)),
    }


def renewal() -> str:
    """A renewal is sent from the address, to the server's."""
    asked = replace(message(3, 7, (dhcp.HOST_NAME, b"vm-alpha")), ciaddr=IPv4Address(GENERALIZED.address))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((GENERALIZED.address, 68))
        client.settimeout(5)
        client.sendto(encode(asked), (WIRESERVER, 67))
        return decode(client.recv(65535)).type


def query(name: str, kind: int) -> bytes:
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


def resolve(name: str, kind: int = 1) -> list[Any]:
    """The answer's code (0 found, 3 no such name) and whatever ends its data."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(query(name, kind), (WIRESERVER, 53))
        answer = client.recv(4096)
    return [answer[3] & 15, socket.inet_ntoa(answer[-4:]) if answer[7] and kind == 1 else bool(answer[7])]


def resolve_by_tcp(name: str) -> int:
    with socket.create_connection((WIRESERVER, 53), timeout=5) as client:
        asked = query(name, 1)
        client.sendall(struct.pack("!H", len(asked)) + asked)
        return client.recv(4096)[5] & 15


def fetch(address: str, headers: dict[str, str], body: bytes | None = None) -> list[Any]:
    request = urllib.request.Request(f"http://{address}", body, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as refused:
        return [refused.code, refused.read().decode()]


def is_reachable(address: str) -> bool:
    try:
        socket.create_connection((address, 80), timeout=0.5).close()
    except OSError:
        return False
    return True


def main() -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "set", INTERFACE, "up")
    facts: dict[str, Any] = {**lease(Wire()), **lease_of_second_card(Wire())}
    run("ip", "address", "add", f"{GENERALIZED.address}/24", "dev", INTERFACE)
    for route in facts["ack"]["routes"]:
        network, router = route.split()
        run("ip", "route", "add", network, "via", router)
    domain = GENERALIZED.domain
    idle = socket.create_connection((WIRESERVER, 53), timeout=5)  # must hold nobody up
    later: dict[str, Callable[[], Any]] = {
        "renewal": renewal,
        "own_name": lambda: resolve(f"vm-alpha.{domain}"),
        "bare_name": lambda: resolve("vm-alpha"),
        "reverse": lambda: resolve("4.0.0.10.in-addr.arpa", 12),
        "second_name": lambda: resolve(f"vm-second.{domain}"),
        "second_reverse": lambda: resolve("24.0.0.10.in-addr.arpa", 12),
        "foreign": lambda: resolve("www.example.org"),
        "neighbour": lambda: resolve(f"other.{domain}"),
        "tcp": lambda: resolve_by_tcp(f"vm-alpha.{domain}"),
        "imds": lambda: fetch(
            "169.254.169.254/metadata/instance/compute/name?api-version=2021-02-01&format=text", {"Metadata": "true"}
        ),
        "goal_state": lambda: fetch(f"{WIRESERVER}/machine/?comp=goalstate", VERSION),
        "health": lambda: fetch(f"{WIRESERVER}/machine?comp=health", VERSION, report().encode()),
        "plugin": lambda: fetch(f"{WIRESERVER}:32526/versions", {}),
        "outside": lambda: is_reachable("192.0.2.1"),
    }
    print(json.dumps({**facts, **{name: look() for name, look in later.items()}}), flush=True)
    sys.stdin.readline()
    idle.close()


if __name__ == "__main__":
    main()
