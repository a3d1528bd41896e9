"""OpenPGP certificates in a file, parted and told by fingerprint, so that of a bundle no key counts that is not named.

Reads packet framing and fingerprints alone (RFC 9580, sections 4.2, 5.5.2 and 5.5.4); what a certificate is worth is
for gpgv and rpm to say.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap

PUBLIC_KEY = 6
"""The packet with which a certificate begins."""
CRC24_START, CRC24_POLYNOMIAL = 0xB704CE, 0x1864CFB


@dataclass(frozen=True)
class Certificate:
    """One certificate: the fingerprint of its primary key (upper-case hexadecimal) and all of its packets."""

    fingerprint: str
    content: bytes

    @property
    def armored(self) -> str:
        """The certificate as text, which is the only form that rpm imports."""
        body = "\n".join(wrap(base64.b64encode(self.content).decode(), 64))
        check = base64.b64encode(_crc24(self.content).to_bytes(3, "big")).decode()
        header, footer = (f"-----{word} PGP PUBLIC KEY BLOCK-----" for word in ("BEGIN", "END"))
        return f"{header}\n\n{body}\n={check}\n{footer}\n"


def certificates(binary: bytes) -> tuple[Certificate, ...]:
    """The certificates that a binary keyring holds, in its order. Raises ValueError where its packets do not add up."""
    found: list[Certificate] = []
    for tag, packet, body in _packets(binary):
        if tag == PUBLIC_KEY:
            found.append(Certificate(_fingerprint(body), packet))
        elif found:
            found[-1] = Certificate(found[-1].fingerprint, found[-1].content + packet)
    return tuple(found)


def _fingerprint(body: bytes) -> str:
    """Of a primary key's packet. Keys of versions before 4 have none that means anything."""
    version = body[:1]
    if version == b"\x04":
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()
    if version == b"\x06":
        return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    return ""


def _packets(binary: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each packet's tag, its whole bytes, and its body."""
    at = 0
    while at < len(binary):
        tag, start, length = _header(binary, at)
        end = start + length
        if end > len(binary):
            raise ValueError("a packet is cut off")
        yield tag, binary[at:end], binary[start:end]
        at = end


def _header(binary: bytes, at: int) -> tuple[int, int, int]:
    """A packet's tag, where its body starts, and the body's length in bytes."""
    first = binary[at]
    if not first & 0x80:
        raise ValueError("what should be a packet is none")
    if not first & 0x40:
        size = {0: 1, 1: 2, 2: 4}.get(first & 3, 0)
        length = int.from_bytes(binary[at + 1 : at + 1 + size], "big") if size else len(binary) - at - 1
        return first >> 2 & 0xF, at + 1 + size, length
    lead = int.from_bytes(binary[at + 1 : at + 2], "big")
    if lead < 192:
        return first & 0x3F, at + 2, lead
    if lead < 224:
        return first & 0x3F, at + 3, ((lead - 192) << 8) + int.from_bytes(binary[at + 2 : at + 3], "big") + 192
    if lead < 255:
        raise ValueError("a certificate's packet has no known length")
    return first & 0x3F, at + 6, int.from_bytes(binary[at + 2 : at + 6], "big")


def _crc24(content: bytes) -> int:
    """The checksum of armored text (RFC 9580, section 6.1)."""
    value = CRC24_START
    for byte in content:
        value ^= byte << 16
        for _ in range(8):
            value <<= 1
            if value & 0x1000000:
                value ^= CRC24_POLYNOMIAL
    return value
