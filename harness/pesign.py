"""Who signed a UEFI program, and whom a shim trusts: certificates of Authenticode signatures, read and not verified.

Sources: Microsoft's "Windows Authenticode Portable Executable Signature Format"; RFC 2315 (PKCS #7); shim's cert.S;
the UEFI specification's signature lists. Whether a signature holds, firmware says that boots by Secure Boot; whether
it is of these bytes at all, `Signature.fits` tells.
"""

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.pe import NotPe, certificate_table, contents, digest

PKCS7 = 2
LARGEST = 1 << 20
"""Bytes of certificates that are looked at."""
ALGORITHMS = ("sha256", "sha384", "sha512", "sha1")
"""What firmware and shim take for the digest of a program."""
X509_LIST = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
"""EFI_CERT_X509_GUID: signature lists whose entries are certificates."""
_TABLE = struct.Struct("<IIII")
_LIST = struct.Struct("<16sIII")
_OWNER = 16


@dataclass(frozen=True)
class Signer:
    """A certificate: whose it is, and who issued it, as their common names."""

    subject: str
    issuer: str


@dataclass(frozen=True)
class Signature:
    """A signature: the certificates in it, and whether what it signs has the digest of the program as it is now."""

    signers: tuple[Signer, ...]
    fits: bool


def signatures(program: bytes) -> tuple[Signature, ...]:
    """Every signature of a program; none where nobody signed it. Raises NotPe."""
    return tuple(
        Signature(_certificates(blob), any(digest(program, one) in blob for one in ALGORITHMS))
        for blob in _blobs(program)
    )


def vendors(shim: bytes) -> tuple[Signer, ...]:
    """The certificates that a shim takes for its vendor's: one, or a list of them. None where it is no shim, or the
    list has other entries than certificates, by which a program may be known as well. Raises NotPe."""
    table = bytes(contents(shim).get(".vendor_cert", b""))
    if len(table) < _TABLE.size:
        return ()
    size, _, begin, _ = _TABLE.unpack_from(table)
    told = table[begin : begin + size]
    try:
        found = [told] if told.startswith(b"\x30") else list(_listed(told))
        return tuple(_certificate(one) for one in found)
    except (ValueError, struct.error):
        return ()


def _listed(lists: bytes) -> Iterator[bytes]:
    """The certificates of EFI signature lists. Raises ValueError where one holds something else."""
    at = 0
    while at < len(lists):
        kind, length, header, size = _LIST.unpack_from(lists, at)
        begin, end = at + _LIST.size + header, at + length
        if uuid.UUID(bytes_le=kind) != X509_LIST or size <= _OWNER or not begin <= end <= len(lists):
            raise ValueError("a list of something else")
        yield from (lists[place + _OWNER : place + size] for place in range(begin, end - size + 1, size))
        at = end


def _blobs(program: bytes) -> Iterator[bytes]:
    """The PKCS #7 blobs of the certificate table."""
    start, size = certificate_table(program)
    if size > LARGEST:
        raise NotPe(f"its certificate table claims {size} bytes")
    end = start + size
    while start + 8 <= end:
        length, _, kind = struct.unpack_from("<IHH", program, start)
        if length < 8 or start + length > end:
            raise NotPe("its certificate table is damaged")
        if kind == PKCS7:
            yield _whole(program[start + 8 : start + length])
        start += -(-length // 8) * 8


def _certificates(blob: bytes) -> tuple[Signer, ...]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import pkcs7

    try:
        return tuple(_signer(one) for one in pkcs7.load_der_pkcs7_certificates(blob))
    except (ValueError, UnsupportedAlgorithm) as damage:
        raise NotPe(f"a signature cannot be read: {damage}") from None


def _certificate(raw: bytes) -> Signer:
    from cryptography import x509

    return _signer(x509.load_der_x509_certificate(raw))


def _signer(certificate: Any) -> Signer:
    return Signer(_common(certificate.subject), _common(certificate.issuer))


def _common(name: Any) -> str:
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else str(name.rfc4514_string())


def _whole(blob: bytes) -> bytes:
    """A DER value without the zeros that fill the table's entry up (X.690, 8.1.3: one to four bytes of length)."""
    if len(blob) < 2 or blob[1] < 0x80:
        return blob
    count = blob[1] & 0x7F
    return blob[: 2 + count + int.from_bytes(blob[2 : 2 + count], "big")]
