"""CMS EnvelopedData (RFC 5652 section 6) for one RSA recipient, under the two ciphers that Azure's guests ask for.

`cryptography` makes such envelopes under AES alone, while cloud-init asks for triple DES; so the DER is put together
here, a handful of nested fields, and the library does the encryption.
"""

import secrets
from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

SEQUENCE, SET, INTEGER, OCTETS, NULL, EXPLICIT, IMPLICIT = 0x30, 0x31, 0x02, 0x04, 0x05, 0xA0, 0x80
OID_DATA: Final = bytes.fromhex("06092a864886f70d010701")
OID_ENVELOPED: Final = bytes.fromhex("06092a864886f70d010703")
OID_RSA: Final = bytes.fromhex("06092a864886f70d010101")
OID_AES128_CBC: Final = bytes.fromhex("0609608648016503040102")
OID_DES_EDE3_CBC: Final = bytes.fromhex("06082a864886f70d0307")

CIPHERS: Final[dict[str, tuple[Callable[[bytes], BlockCipherAlgorithm], int, bytes]]] = {
    "AES128_CBC": (AES, 16, OID_AES128_CBC),
    "DES_EDE3_CBC": (TripleDES, 24, OID_DES_EDE3_CBC),
}
"""Ciphers by the names of `x-ms-cipher-name`: algorithm, bytes of its key, object identifier."""


def seal(plain: bytes, recipient: x509.Certificate, cipher: str) -> bytes:
    """The DER of an envelope that only the recipient's key opens.

    Raises ValueError for a certificate without an RSA key and for an unknown cipher.
    """
    public = recipient.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise ValueError("the transport certificate has no RSA key")
    if cipher not in CIPHERS:
        raise ValueError(f"unknown cipher {cipher}")
    algorithm, size, identifier = CIPHERS[cipher]
    key = secrets.token_bytes(size)
    vector, encrypted = _encrypt(algorithm(key), plain)
    transport = _tlv(SEQUENCE, OID_RSA, _tlv(NULL))
    for_recipient = _tlv(
        SEQUENCE, _integer(0), _name(recipient), transport, _tlv(OCTETS, public.encrypt(key, PKCS1v15()))
    )
    content = _tlv(SEQUENCE, OID_DATA, _tlv(SEQUENCE, identifier, _tlv(OCTETS, vector)), _tlv(IMPLICIT, encrypted))
    enveloped = _tlv(SEQUENCE, _integer(0), _tlv(SET, for_recipient), content)
    return _tlv(SEQUENCE, OID_ENVELOPED, _tlv(EXPLICIT, enveloped))


def _encrypt(algorithm: BlockCipherAlgorithm, plain: bytes) -> tuple[bytes, bytes]:
    vector = secrets.token_bytes(algorithm.block_size // 8)
    padder = padding.PKCS7(algorithm.block_size).padder()
    encryptor = Cipher(algorithm, modes.CBC(vector)).encryptor()
    return vector, encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()


def _name(recipient: x509.Certificate) -> bytes:
    """IssuerAndSerialNumber, by which the recipient finds its envelope."""
    return _tlv(SEQUENCE, recipient.issuer.public_bytes(), _integer(recipient.serial_number))


def _integer(number: int) -> bytes:
    return _tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def _tlv(tag: int, *content: bytes) -> bytes:
    value = b"".join(content)
    if len(value) < 128:
        return bytes((tag, len(value))) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value
