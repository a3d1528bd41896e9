"""Keys that sign archives: those that the caller gives for a mirror, and who made a signature."""

import base64
import binascii
import hashlib
import re
from pathlib import Path

import distros
from build import cache, wholefile
from build.errors import CallerError

GIVEN = "given:"
"""Marks a keyring's name as a key that the caller gave; its digest follows."""
OURS = "distros:"
"""Marks a keyring's name as a public key that comes with Kiln; its path in the package `distros` follows."""
ARMOR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+:[^\r\n]*\r?\n)*\r?\n(.*?)\r?\n(?:=[A-Za-z0-9+/=]{4}\r?\n)?"
    rb"-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)
"""A key as text (RFC 9580, section 6): header lines, an empty one, base64, a checksum that may be missing."""
FIRST_BIT = 0x80
"""Set in the first byte of every OpenPGP packet (RFC 9580, section 4.2)."""


def take(file: Path) -> str:
    """Keep a public key that the caller gave, as text or binary; returns its name as a keyring.

    Raises CallerError where it is none.
    """
    try:
        content = file.expanduser().read_bytes()
    except OSError as refusal:
        raise CallerError(f"the key {file} cannot be read: {refusal.strerror}", "name a public key file") from None
    binary = dearmored(content)
    if not binary or not binary[0] & FIRST_BIT:
        raise CallerError(f"{file} holds no OpenPGP key", "name the public key that signs the mirror, as it offers it")
    return f"{GIVEN}{_keep(binary).stem}"


def dearmored(content: bytes) -> bytes:
    """The binary keys of a text that holds some, one after the other; what is binary already stays as it is."""
    try:
        blocks = [base64.b64decode(re.sub(rb"\s", b"", block), validate=True) for block in ARMOR.findall(content)]
    except binascii.Error:
        return b""
    return b"".join(blocks) if b"-----BEGIN" in content else content


def located(keyring: str, tools: Path) -> Path:
    """Where a keyring lies: a file of the tools tree, a key that the caller gave, or one that comes with Kiln."""
    if keyring.startswith(GIVEN):
        return _kept(keyring.removeprefix(GIVEN))
    if keyring.startswith(OURS):
        return _keep(dearmored((Path(distros.__file__).parent / keyring.removeprefix(OURS)).read_bytes()))
    return tools / keyring.lstrip("/")


def shown(keyring: str) -> str:
    """How people know a keyring."""
    return "the key that was given" if keyring.startswith(GIVEN) else keyring


def signers(status: str) -> set[str]:
    """The fingerprints of the primary keys whose signatures hold, from what gpgv prints with --status-fd."""
    lines = (line.split() for line in status.splitlines())
    return {words[-1] for words in lines if words[:2] == ["[GNUPG:]", "VALIDSIG"]}


def _keep(binary: bytes) -> Path:
    """Have a key in the cache, whole at once, whoever else keeps the same."""
    kept = _kept(hashlib.sha256(binary).hexdigest())
    # apt checks signatures as a user of its own, who must be able to read it.
    wholefile.write(kept, binary, wholefile.PUBLIC)
    return kept


def _kept(digest: str) -> Path:
    return cache.folder() / "keys" / f"{digest}.gpg"
