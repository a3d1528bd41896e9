"""UEFI programs with certificates in them, as a signature has them; what they sign is nothing. For tests only."""

import struct
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

MICROSOFT = "Microsoft UEFI CA 2023"
HEADERS = 0x200
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)


def program(subject: str = "a vendor", issuer: str = "a vendor's CA", content: bytes = b"") -> bytes:
    """A program of 64 bits with `content` behind its headers, and a signature with that one certificate."""
    headers = bytearray(HEADERS)
    headers[:2] = b"MZ"
    struct.pack_into("<I", headers, 0x3C, 0x80)
    headers[0x80:0x84] = b"PE\0\0"
    struct.pack_into("<H", headers, 0x80 + 24, 0x20B)
    blob = signature(subject, issuer)
    entry = struct.pack("<IHH", 8 + len(blob), 0x200, 2) + blob
    entry += bytes(-len(entry) % 8)
    body = content + bytes(-len(content) % 8)
    struct.pack_into("<II", headers, 0x80 + 24 + 112 + 8 * 4, HEADERS + len(body), len(entry))
    return bytes(headers) + body + entry


@cache
def signature(subject: str, issuer: str) -> bytes:
    """A PKCS #7 blob with one certificate."""
    key = ec.generate_private_key(ec.SECP256R1())

    def name(word: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, word)])

    made = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(FIRST_DAY)
        .not_valid_after(FIRST_DAY + timedelta(days=3650))
        .sign(key, SHA256())
    )
    return pkcs7.serialize_certificates([made], Encoding.DER)
