"""A UDP datagram in an IPv4 packet in an Ethernet frame, for a guest that has no address yet and answers no ARP.

RFC 791, RFC 768. Pure functions.
"""

import struct
from ipaddress import IPv4Address
from typing import Final

BROADCAST_MAC: Final = b"\xff" * 6
BROADCAST_ADDRESS: Final = IPv4Address("255.255.255.255")
IPV4: Final = 0x0800
UDP: Final = 17


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp_frame(
    macs: tuple[bytes, bytes], addresses: tuple[IPv4Address, IPv4Address], ports: tuple[int, int], payload: bytes
) -> bytes:
    """The Ethernet frame of a datagram; each pair is (source, destination)."""
    segment = _udp(addresses, ports, payload)
    return macs[1] + macs[0] + struct.pack("!H", IPV4) + _ipv4(addresses, len(segment)) + segment


def _udp(addresses: tuple[IPv4Address, IPv4Address], ports: tuple[int, int], payload: bytes) -> bytes:
    length = 8 + len(payload)
    pseudo = addresses[0].packed + addresses[1].packed + struct.pack("!BBH", 0, UDP, length)
    bare = struct.pack("!HHHH", *ports, length, 0)
    # A sum of zero would mean "not computed" (RFC 768).
    return bare[:6] + struct.pack("!H", checksum(pseudo + bare + payload) or 0xFFFF) + payload


def _ipv4(addresses: tuple[IPv4Address, IPv4Address], length: int) -> bytes:
    source, destination = (address.packed for address in addresses)
    bare = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0x4000, 128, UDP, 0, source, destination)
    return bare[:10] + struct.pack("!H", checksum(bare)) + bare[12:]
