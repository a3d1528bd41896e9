"""SSH key pairs: made for a run, or read from a user's file."""

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from build.errors import CallerError

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


@dataclass(frozen=True)
class Key:
    """An SSH key pair: the private half in OpenSSH's or PEM form, the public one as an authorized_keys line."""

    private: str
    public: str


def make_key(comment: str = "kiln") -> Key:
    """A fresh ed25519 key pair for one run."""
    secret = Ed25519PrivateKey.generate()
    return Key(_text(secret), f"{_public(secret)} {comment}")


def load_key(private: str) -> Key:
    """The key pair of a private key file's text: OpenSSH's or PEM form, without a passphrase.

    Raises CallerError where it is none, or locked.
    """
    return Key(private, _public(_secret(private)))


def plain(private: str) -> str:
    """A private key's text in the form that paramiko reads for sure.

    It reads none of the OpenSSH form whose content happens to need no padding, so it gets the PEM form; Ed25519 has
    only the other one, but always the same length, and so a padding. Raises CallerError as `load_key` does.
    """
    return _text(_secret(private))


def _secret(private: str) -> PrivateKey:
    load = load_ssh_private_key if "BEGIN OPENSSH" in private else load_pem_private_key
    try:
        secret = load(private.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as refusal:
        raise _unusable(str(refusal)) from None
    if not isinstance(secret, PrivateKey):
        raise _unusable("it is neither an Ed25519 nor an ECDSA nor an RSA key")
    return secret


def _text(secret: PrivateKey) -> str:
    openssh = isinstance(secret, Ed25519PrivateKey)
    form = PrivateFormat.OpenSSH if openssh else PrivateFormat.TraditionalOpenSSL
    return secret.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def _public(secret: PrivateKey) -> str:
    return secret.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _unusable(why: str) -> CallerError:
    return CallerError(f"that is no usable private key: {why}", "give a key without a passphrase")
