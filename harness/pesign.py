"""Who signed a UEFI program: the certificates of its Authenticode signatures, read and not verified.

Sources: Microsoft's "PE Format" (optional header, certificate table), "Windows Authenticode Portable Executable
Signature Format"; RFC 2315 (PKCS #7). Whether a signature holds, firmware says that boots by Secure Boot.
"""

import struct
from dataclasses import dataclass

DIRECTORY = 4
"""The certificate table's place among the data directories: the only one whose address is a file offset."""
PKCS7 = 2
LARGEST = 1 << 20
"""Bytes of certificates that are looked at."""


@dataclass(frozen=True)
class Signer:
    """A certificate within a signature: whose it is, and who issued it, as their common names."""

    subject: str
    issuer: str


class NotPe(ValueError):
    """What was read is no PE program, or its certificate table is damaged."""


def signers(program: bytes) -> tuple[Signer, ...]:
    """Every certificate of every signature; none where it is not signed. Raises NotPe."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import pkcs7
    from cryptography.x509.oid import NameOID

    def common(name: object) -> str:
        found = name.get_attributes_for_oid(NameOID.COMMON_NAME)  # type: ignore[attr-defined]
        return str(found[0].value) if found else ""

    told = []
    for blob in _signatures(program):
        try:
            certificates = pkcs7.load_der_pkcs7_certificates(blob)
        except (ValueError, UnsupportedAlgorithm) as damage:
            raise NotPe(f"a signature cannot be read: {damage}") from None
        told += [Signer(common(one.subject), common(one.issuer)) for one in certificates]
    return tuple(told)


def _signatures(program: bytes) -> list[bytes]:
    """The PKCS #7 blobs of the certificate table."""
    try:
        (at,) = struct.unpack_from("<I", program, 0x3C)
        if program[:2] != b"MZ" or program[at : at + 4] != b"PE\0\0":
            raise NotPe("it does not begin as a PE program does")
        optional = at + 24
        (magic,) = struct.unpack_from("<H", program, optional)
        directories = optional + {0x10B: 96, 0x20B: 112}[magic]
        start, size = struct.unpack_from("<II", program, directories + 8 * DIRECTORY)
    except (struct.error, KeyError) as damage:
        raise NotPe(f"its headers are damaged: {damage}") from None
    if size > LARGEST or start + size > len(program):
        raise NotPe("its certificate table lies outside of it")
    found, end = [], start + size
    while start + 8 <= end:
        length, _, kind = struct.unpack_from("<IHH", program, start)
        if length < 8 or start + length > end:
            raise NotPe("its certificate table is damaged")
        if kind == PKCS7:
            found.append(_whole(program[start + 8 : start + length]))
        start += -(-length // 8) * 8
    return found


def _whole(blob: bytes) -> bytes:
    """A DER value without the zeros that fill the table's entry up (X.690, 8.1.3: one to four bytes of length)."""
    if len(blob) < 2 or blob[1] < 0x80:
        return blob
    count = blob[1] & 0x7F
    return blob[: 2 + count + int.from_bytes(blob[2 : 2 + count], "big")]
