"""The certificates of a goal state: a PKCS#12 file without password, sealed for the guest.

Every VM of Azure gets at least the certificate under which its extensions' protected settings are encrypted
(docs/azure/host-protocol.md 4.5).
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from cryptography.x509.oid import NameOID

from harness.azure.envelope import seal

COMMON_NAME = "Windows Azure CRP Certificate Generator"
VALID = timedelta(days=730)


@dataclass(frozen=True)
class Identity:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def thumbprint(self) -> str:
        """SHA-1 of the certificate, upper case without colons, as ovf-env.xml and the agents spell it."""
        return self.certificate.fingerprint(SHA1()).hex().upper()

    def __repr__(self) -> str:
        return f"Identity({self.thumbprint})"


def make_identity(common_name: str = COMMON_NAME) -> Identity:
    """A fresh self-signed certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = named(common_name)
    return Identity(unsigned(name, name, key).sign(key, SHA256()), key)


def named(common_name: str) -> x509.Name:
    """A name that is a common name alone."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def unsigned(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    """A certificate that its issuer has yet to sign, valid from a day ago (a guest's clock may lag)."""
    since = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + VALID)
    )


def recipient_of(transport: str) -> x509.Certificate:
    """The certificate that a guest's `x-ms-guest-agent-public-x509-cert` holds, base64 of DER. Raises ValueError."""
    try:
        return x509.load_der_x509_certificate(base64.b64decode(transport, validate=True))
    except (binascii.Error, ValueError) as broken:
        raise ValueError(f"the transport certificate is broken: {broken}") from None


def sealed(identity: Identity, transport: str, cipher: str) -> str:
    """The identity as PKCS#12 in an envelope, in lines of base64.

    `transport` is as for `recipient_of`, `cipher` the value of `x-ms-cipher-name`. Raises ValueError where either makes
    no sense.
    """
    plain = pkcs12.serialize_key_and_certificates(None, identity.key, identity.certificate, None, NoEncryption())
    return base64.encodebytes(seal(plain, recipient_of(transport), cipher)).decode()
