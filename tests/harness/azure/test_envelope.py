"""Sealed certificates: opened here by OpenSSL's own code, as guests do."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7, pkcs12
from cryptography.x509 import CertificateBuilder, Name

from harness.azure.certificates import Identity, make_identity, sealed
from harness.azure.envelope import CIPHERS, seal


@pytest.fixture(scope="module")
def transport() -> Identity:
    return make_identity("LinuxTransport")


@pytest.fixture(scope="module")
def identity() -> Identity:
    return make_identity()


def header(transport: Identity) -> str:
    return base64.b64encode(transport.certificate.public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 127, 128, 70_000])
def test_seals_what_the_recipient_opens(transport: Identity, size: int) -> None:
    plain = bytes(range(256)) * (size // 256 + 1)
    opened = pkcs7.pkcs7_decrypt_der(
        seal(plain[:size], transport.certificate, "AES128_CBC"),
        transport.certificate,
        transport.key,
        [],
    )
    assert opened == plain[:size]


def test_seals_a_file_with_certificate_and_key(transport: Identity, identity: Identity) -> None:
    der = base64.b64decode(sealed(identity, header(transport), "AES128_CBC"))
    pfx = pkcs7.pkcs7_decrypt_der(der, transport.certificate, transport.key, [])
    key, certificate, _ = pkcs12.load_key_and_certificates(pfx, None)
    assert certificate == identity.certificate
    assert key is not None
    assert key.public_key() == identity.key.public_key()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program")
@pytest.mark.parametrize("cipher", CIPHERS)
def test_opens_with_the_programs_that_guests_run(
    transport: Identity, identity: Identity, cipher: str, tmp_path: Path
) -> None:
    key = transport.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "certificate.pem").write_bytes(transport.certificate.public_bytes(Encoding.PEM))
    message = "MIME-Version: 1.0\nContent-Type: application/x-pkcs7-mime\nContent-Transfer-Encoding: base64\n\n"
    (tmp_path / "data").write_text(message + sealed(identity, header(transport), cipher))
    decrypt = "openssl cms -decrypt -in data -inkey key.pem -recip certificate.pem"
    opened = subprocess.run(decrypt.split(), cwd=tmp_path, check=True, capture_output=True).stdout
    read = "openssl pkcs12 -nodes -password pass:"
    told = subprocess.run(read.split(), cwd=tmp_path, check=True, capture_output=True, input=opened).stdout
    assert b"BEGIN PRIVATE KEY" in told
    assert identity.certificate.public_bytes(Encoding.PEM).strip() in told


@pytest.mark.parametrize(
    ("certificate", "cipher", "message"),
    [
        ("", "AES128_CBC", "the transport certificate is broken"),
        ("not base64!", "AES128_CBC", "the transport certificate is broken"),
        ("AAAA", "AES128_CBC", "the transport certificate is broken"),
        (None, "ROT13", "unknown cipher ROT13"),
    ],
)
def test_refuses_nonsense(
    transport: Identity, identity: Identity, certificate: str | None, cipher: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        sealed(identity, header(transport) if certificate is None else certificate, cipher)


def test_refuses_a_certificate_without_an_rsa_key(identity: Identity) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = identity.certificate
    builder = CertificateBuilder().subject_name(Name([])).issuer_name(Name([])).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(made.not_valid_before_utc)
    certificate = builder.not_valid_after(made.not_valid_after_utc).sign(key, SHA256())
    with pytest.raises(ValueError, match="no RSA key"):
        seal(b"", certificate, "AES128_CBC")


def test_spells_thumbprints_as_agents_do(identity: Identity) -> None:
    assert len(identity.thumbprint) == 40
    assert identity.thumbprint == identity.thumbprint.upper()
    assert "PRIVATE" not in repr(identity)
