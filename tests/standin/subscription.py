"""What makes a loopback server an archive of subscribers: an authority, whom it lets in, and what they show."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from build.entitlement import AUTHORITY

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
"""Of each of the keys: small, unprotected, and thrown away soon."""
NUMBER = "4242424242"
"""Under which a registered machine has its certificate; any number does."""


@dataclass(frozen=True)
class Subscription:
    """Two folders: what --entitlement names, and what only the server has."""

    entitlement: Path
    private: Path

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Lines of the subscriber's key and certificate which nobody else may have."""
        files = (self.entitlement / f"{NUMBER}-key.pem", self.entitlement / f"{NUMBER}.pem")
        return tuple(file.read_bytes().splitlines()[1] for file in files)

    def context(self) -> ssl.SSLContext:
        """How the server speaks: with nobody who has no certificate of the authority's."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.private / "server.pem", self.private / "server-key.pem")
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(self.entitlement / AUTHORITY)
        return made


def make(folder: Path) -> Subscription:
    """Make the authority, a server's certificate for 127.0.0.1, and one of a subscriber, below a folder that is there.

    Their names and forms are those of a machine that is registered with Red Hat.
    """
    made = Subscription(folder / "entitlement", folder / "private")
    for one in (made.entitlement, made.private):
        one.mkdir()
    authority, key = made.entitlement / AUTHORITY, made.private / "authority-key.pem"
    _certificate(authority, key, "Stand-in of an authority")
    signed = ("-CA", authority, "-CAkey", key, "-addext", "basicConstraints=critical,CA:FALSE")
    there = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    _certificate(made.private / "server.pem", made.private / "server-key.pem", "localhost", *signed, *there)
    _certificate(made.entitlement / f"{NUMBER}.pem", made.entitlement / f"{NUMBER}-key.pem", "a subscriber", *signed)
    return made


def _certificate(certificate: Path, key: Path, name: str, *words: str | Path) -> None:
    files = ("-out", certificate, "-keyout", key)
    subprocess.run(
        ["openssl", "req", "-x509", *CURVE, "-subj", f"/CN={name}", *files, *words], check=True, capture_output=True
    )
