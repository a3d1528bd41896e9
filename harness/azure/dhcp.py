"""DHCP messages as values, and as the bytes on the wire. Pure functions.

RFC 2131 (messages), RFC 2132 (options), RFC 3396 (long options), RFC 3442 (classless routes, option 121; Microsoft's
249 has the same bytes), RFC 3046 (option 82). Left out: authentication (RFC 3118).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

MAGIC: Final = b"\x63\x82\x53\x63"
HEADER: Final = 236
SHORTEST: Final = 300
"""Bytes of the shortest message that every client takes (RFC 1542 section 2.1)."""
NOWHERE: Final = IPv4Address(0)
BROADCAST: Final = 0x8000

ROUTER, HOST_NAME, DOMAIN = 3, 12, 15
REQUESTED_ADDRESS, LEASE_TIME, OVERLOAD, TYPE, SERVER_ID, PARAMETERS = 50, 51, 52, 53, 54, 55
RENEWAL, REBINDING, VENDOR_CLASS, CLIENT_ID, RELAY_AGENT = 58, 59, 60, 61, 82
SUBNET_SELECTION = 118
CLASSLESS_ROUTES, WIRESERVER_OPTION, MICROSOFT_ROUTES = 121, 245, 249

TYPES: Final = {1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK", 7: "RELEASE", 8: "INFORM"}

Route = tuple[IPv4Network, IPv4Address]


class MalformedMessage(ValueError):
    """The bytes are no DHCP message; the text says why."""


@dataclass(frozen=True)
class Message:
    """One message. `op` is 1 from a client, 2 from a server; each option occurs once, in the order of the wire."""

    op: int
    xid: int
    chaddr: bytes
    options: tuple[tuple[int, bytes], ...] = ()
    flags: int = 0
    secs: int = 0
    hops: int = 0
    htype: int = 1
    ciaddr: IPv4Address = NOWHERE
    yiaddr: IPv4Address = NOWHERE
    siaddr: IPv4Address = NOWHERE
    giaddr: IPv4Address = NOWHERE
    sname: bytes = b""
    file: bytes = b""

    def option(self, code: int) -> bytes | None:
        """An option's bytes, None when it is absent."""
        return next((value for known, value in self.options if known == code), None)

    @property
    def type(self) -> str:
        """The message's type by name, such as "DISCOVER"; "BOOTP" where it has none."""
        value = self.option(TYPE)
        return "BOOTP" if not value else TYPES.get(value[0], f"type {value[0]}")

    @property
    def mac(self) -> str:
        """The client's hardware address, `60:45:bd:00:00:04`."""
        return self.chaddr.hex(":")

    @property
    def host_name(self) -> str:
        """The client's or server's option 12 as text, empty when absent."""
        return (self.option(HOST_NAME) or b"").rstrip(b"\0").decode("ascii", "backslashreplace")

    def with_options(self, *changed: tuple[int, bytes | None]) -> tuple[tuple[int, bytes], ...]:
        """The options with some replaced, added at the end, or (None) removed."""
        codes = {code for code, _ in changed}
        kept = tuple(option for option in self.options if option[0] not in codes)
        return kept + tuple((code, value) for code, value in changed if value is not None)


def decode(data: bytes) -> Message:
    """A message from its bytes. Raises MalformedMessage, and nothing else, whatever the bytes are."""
    if len(data) < HEADER + len(MAGIC):
        raise MalformedMessage(f"{len(data)} bytes are too few")
    if data[HEADER : HEADER + 4] != MAGIC:
        raise MalformedMessage("the magic cookie is missing")
    hlen = data[2]
    if not 1 <= hlen <= 16:
        raise MalformedMessage(f"a hardware address of {hlen} bytes")
    options = _gather(_options(data[HEADER + 4 :]))
    sname, file = data[44:108], data[108:236]
    overload = int.from_bytes(options.pop(OVERLOAD, b"")[:1], "big")
    for bit, area in ((1, file), (2, sname)):
        if overload & bit:
            options = _gather([*options.items(), *_options(area)])
    return Message(
        op=data[0],
        htype=data[1],
        hops=data[3],
        xid=int.from_bytes(data[4:8], "big"),
        secs=int.from_bytes(data[8:10], "big"),
        flags=int.from_bytes(data[10:12], "big"),
        ciaddr=IPv4Address(data[12:16]),
        yiaddr=IPv4Address(data[16:20]),
        siaddr=IPv4Address(data[20:24]),
        giaddr=IPv4Address(data[24:28]),
        chaddr=data[28 : 28 + hlen],
        sname=b"" if overload & 2 else sname.rstrip(b"\0"),
        file=b"" if overload & 1 else file.rstrip(b"\0"),
        options=tuple(options.items()),
    )


def encode(message: Message) -> bytes:
    """The message's bytes, padded to the shortest length that every client takes."""
    fixed = bytes((message.op, message.htype, len(message.chaddr), message.hops))
    numbers = ((message.xid, 4), (message.secs, 2), (message.flags, 2))
    addresses = (message.ciaddr, message.yiaddr, message.siaddr, message.giaddr)
    data = b"".join(
        (
            fixed,
            *(number.to_bytes(size, "big") for number, size in numbers),
            *(address.packed for address in addresses),
            message.chaddr.ljust(16, b"\0"),
            message.sname.ljust(64, b"\0"),
            message.file.ljust(128, b"\0"),
            MAGIC,
            *(_encode_option(code, value) for code, value in message.options),
            b"\xff",
        )
    )
    return data.ljust(SHORTEST, b"\0")


def encode_routes(routes: Iterable[Route]) -> bytes:
    """Options 121 and 249: for each route its prefix length, the significant bytes of the network, the router."""
    return b"".join(
        bytes((network.prefixlen,)) + network.network_address.packed[: _significant(network.prefixlen)] + router.packed
        for network, router in routes
    )


def decode_routes(data: bytes) -> tuple[Route, ...]:
    """The routes of option 121 or 249. Raises MalformedMessage."""
    routes = []
    while data:
        prefix, size = data[0], _significant(data[0])
        if prefix > 32 or len(data) < 1 + size + 4:
            raise MalformedMessage("a broken classless route")
        network = int.from_bytes(data[1 : 1 + size].ljust(4, b"\0"), "big")
        routes.append((IPv4Network((network, prefix), strict=False), IPv4Address(data[1 + size : 5 + size])))
        data = data[5 + size :]
    return tuple(routes)


def encode_suboptions(options: Iterable[tuple[int, bytes]]) -> bytes:
    """The inside of option 82."""
    return b"".join(bytes((code, len(value))) + value for code, value in options)


def _significant(prefix: int) -> int:
    return (prefix + 7) // 8


def _encode_option(code: int, value: bytes) -> bytes:
    pieces = [value[at : at + 255] for at in range(0, len(value), 255)] or [b""]
    return b"".join(bytes((code, len(piece))) + piece for piece in pieces)


def _options(area: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(area) and area[at] != 255:
        if area[at] == 0:
            at += 1
            continue
        if at + 2 > len(area) or at + 2 + area[at + 1] > len(area):
            raise MalformedMessage(f"option {area[at]} reaches beyond the message")
        yield area[at], area[at + 2 : at + 2 + area[at + 1]]
        at += 2 + area[at + 1]


def _gather(options: Iterable[tuple[int, bytes]]) -> dict[int, bytes]:
    """Options by code; repeated ones are one long option (RFC 3396)."""
    gathered: dict[int, bytes] = {}
    for code, value in options:
        gathered[code] = gathered.get(code, b"") + value
    return gathered
