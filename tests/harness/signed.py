"""UEFI programs with signatures of their digests, and shims that trust somebody. Nothing in them runs; for tests."""

import hashlib
import struct
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

MICROSOFT = "Microsoft UEFI CA 2023"
VENDOR = "a vendor's CA"
HEADERS = 0x200
COFF, OPTIONAL = 0x84, 0x98
CHECKSUM, TABLE = OPTIONAL + 64, OPTIONAL + 112 + 8 * 4
"""Where the headers have the checksum and the certificate table's place."""
OPTIONAL_SIZE = 240
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
X509_LIST = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072").bytes_le


def program(subject: str = "a vendor", issuer: str = VENDOR, content: bytes = b"", section: str = ".text") -> bytes:
    """A program of 64 bits with `content` as its one section, signed with one certificate."""
    body = content.ljust(max(8, -(-len(content) // 8) * 8), b"\0")
    headers = bytearray(HEADERS)
    headers[:2] = b"MZ"
    struct.pack_into("<I", headers, 0x3C, COFF - 4)
    texts = section.encode() + b"\0" if len(section) > 8 else b""
    headers[COFF - 4 : COFF] = b"PE\0\0"
    # Without symbols: the texts of long names lie where the symbols would begin.
    struct.pack_into("<HHIIIHH", headers, COFF, 0x8664, 1, 0, HEADERS - 32, 0, OPTIONAL_SIZE, 0)
    struct.pack_into("<H", headers, OPTIONAL, 0x20B)
    struct.pack_into("<I", headers, OPTIONAL + 60, HEADERS)
    name = b"/0" if texts else section.encode()
    struct.pack_into("<8sIIII", headers, OPTIONAL + OPTIONAL_SIZE, name, len(content), 0x1000, len(body), HEADERS)
    headers[HEADERS - 32 : HEADERS - 32 + len(texts)] = texts
    signed = bytes(headers[:CHECKSUM] + headers[CHECKSUM + 4 : TABLE] + headers[TABLE + 8 :]) + body
    blob = signature(subject, issuer, hashlib.sha256(signed).digest())
    entry = struct.pack("<IHH", 8 + len(blob), 0x200, 2) + blob
    entry += bytes(-len(entry) % 8)
    struct.pack_into("<II", headers, TABLE, HEADERS + len(body), len(entry))
    return bytes(headers) + body + entry


def shim(*vendors: str, issuer: str = MICROSOFT) -> bytes:
    """A shim that Microsoft signed. It trusts these vendors: one by its certificate, several by a list of them."""
    certificates = [certificate(one, one) for one in vendors]
    told = certificates[0] if len(vendors) == 1 else b"".join(_list(one) for one in certificates)
    table = struct.pack("<IIII", len(told), 0, 16, 16 + len(told)) + told
    return program("a shim", issuer, table, ".vendor_cert")


def _list(one: bytes) -> bytes:
    """An EFI signature list with that one entry."""
    return X509_LIST + struct.pack("<III", 28 + 16 + len(one), 0, 16 + len(one)) + bytes(16) + one


def bare(content: bytes = b"code") -> bytes:
    """The same program, of which nobody signed anything."""
    made = bytearray(program(content=content))
    struct.pack_into("<II", made, TABLE, 0, 0)
    return bytes(made)


@cache
def signature(subject: str, issuer: str, digest: bytes) -> bytes:
    """A PKCS #7 blob with one certificate, around the digest."""
    key, made = _issued(subject, issuer)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(digest).add_signer(made, key, SHA256())
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities])


def certificate(subject: str, issuer: str) -> bytes:
    """A certificate in DER."""
    return _issued(subject, issuer)[1].public_bytes(Encoding.DER)


@cache
def _issued(subject: str, issuer: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
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
    return key, made
