"""The attested document: a VM's identity, signed, by which a marketplace image tells that it runs on Azure.

https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service, "Attested data". The authority is a test's
own: a guest that checks the chain as documented finds everything but Microsoft's root.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from harness.azure.certificates import named, unsigned
from harness.vm import VirtualMachine

SIGNER = "metadata.azure.com"
AUTHORITY = "Kiln test authority, not Microsoft's"
LASTS = timedelta(hours=6)
"""From a document's creation to its end, as the documentation's example has it."""
NONCE_DIGITS = 10


@dataclass(frozen=True)
class Signer:
    """Who signs: the key and certificate of SIGNER, and the authority's certificate above it."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    authority: x509.Certificate


def make_signer() -> Signer:
    """A fresh authority and its signer, valid from a day ago (a guest's clock may lag)."""
    root, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    root_name, name = named(AUTHORITY), named(SIGNER)
    is_authority = x509.BasicConstraints(ca=True, path_length=0)
    authority = unsigned(root_name, root_name, root).add_extension(is_authority, critical=True).sign(root, SHA256())
    names = x509.SubjectAlternativeName([x509.DNSName(SIGNER), x509.DNSName(f"*.{SIGNER}")])
    certificate = unsigned(name, root_name, key).add_extension(names, critical=False).sign(root, SHA256())
    return Signer(key, certificate, authority)


def attested(vm: VirtualMachine, signer: Signer, nonce: str, now: datetime) -> dict[str, str]:
    """The answer: the signed content as base64 of PKCS #7. Without a nonce the time takes its place."""
    content = {
        "licenseType": "",
        "nonce": nonce or _moment(now),
        "plan": {"name": "", "product": "", "publisher": ""},
        "sku": "",
        "subscriptionId": str(vm.subscription_id),
        "timeStamp": {"createdOn": _moment(now), "expiresOn": _moment(now + LASTS)},
        "vmId": str(vm.vm_id),
    }
    builder = PKCS7SignatureBuilder().set_data(json.dumps(content, separators=(",", ":")).encode())
    builder = builder.add_signer(signer.certificate, signer.key, SHA256()).add_certificate(signer.authority)
    signed = builder.sign(Encoding.DER, [PKCS7Options.Binary])
    return {"encoding": "pkcs7", "signature": base64.b64encode(signed).decode()}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%m/%d/%y %H:%M:%S -0000")
