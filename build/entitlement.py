"""Certificates by which a subscriber's machine shows that it may fetch packages (Red Hat's content network).

A registered machine has them in /etc/pki/entitlement as NUMBER.pem and NUMBER-key.pem. They are read where they lie and
shown to the archive alone: nothing of them goes into a log, a manifest or an image.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from build.errors import CallerError

ACCESS = "entitlement"
"""A repository's word for what its archive wants to see."""
AUTHORITY = "redhat-uep.pem"
"""The authority that signs the content network's own certificates."""
AUTHORITY_HERE = Path("/etc/rhsm/ca") / AUTHORITY
HOW = (
    "copy /etc/pki/entitlement and /etc/rhsm/ca/redhat-uep.pem of a registered machine into one folder and name it "
    "with --entitlement DIR, or use a mirror of yours with --mirror"
)


@dataclass(frozen=True)
class Entitlement:
    """The files of one entitlement: certificate, private key, and the authority of who is asked."""

    certificate: Path
    key: Path
    authority: Path


def find(folder: Path) -> Entitlement:
    """The entitlement in a folder. Raises CallerError where something of it is missing."""
    if not folder.is_dir():
        raise CallerError(f"there is no folder {folder}", HOW)
    pairs = [(folder / f"{path.name.removesuffix('-key.pem')}.pem", path) for path in sorted(folder.glob("*-key.pem"))]
    complete = [pair for pair in pairs if pair[0].is_file()]
    if not complete:
        raise CallerError(f"{folder} holds no NUMBER.pem with its NUMBER-key.pem", HOW)
    authority = next((path for path in (folder / AUTHORITY, AUTHORITY_HERE) if path.is_file()), None)
    if authority is None:
        raise CallerError(f"there is no {AUTHORITY} in {folder}", HOW)
    return Entitlement(*complete[-1], authority)


def context(folder: Path) -> ssl.SSLContext:
    """How to ask an archive for a file with the entitlement in a folder. Raises CallerError."""
    files = find(folder)
    try:
        made = ssl.create_default_context(cafile=str(files.authority))
        made.load_cert_chain(files.certificate, files.key)
    except (OSError, ssl.SSLError) as refusal:
        raise CallerError(f"the entitlement {files.certificate} cannot be used: {refusal.strerror}", HOW) from None
    return made
