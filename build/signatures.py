"""OpenPGP signatures, checked by gpgv against one keyring and the primary keys that may sign."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from build import keys
from build.command import CommandFailed, run
from build.errors import KilnError, MachineError

HINT = "it was signed by somebody else, or altered on the way: use another mirror"
NO_KEY = "somebody else signed it, or its maker with a key newer than this Kiln: use a newer Kiln, or another mirror"
UNKNOWN = "[GNUPG:] NO_PUBKEY "
"""What gpgv says of a signature whose key the keyring does not have (GnuPG's doc/DETAILS)."""


@dataclass(frozen=True)
class Signed:
    """What a good signature says: the text that it covers, and when it was made, in seconds; 0: it does not tell."""

    text: str
    date: int


def detached(
    file: Path, signature: Path, keyring: Path, allowed: Collection[str], blame: type[KilnError] = MachineError
) -> Signed:
    """Check a file against its signature in another file. Raises `blame` where it does not hold."""
    status = _checked(("--", signature, file), file.name, keyring, allowed, blame)
    return Signed("", made(status))


def clear(file: Path, keyring: Path, allowed: Collection[str], blame: type[KilnError] = MachineError) -> Signed:
    """Check a text that stands between its signature's marks, and return what is signed of it, and nothing else.

    Raises `blame` where the signature does not hold.
    """
    text = file.with_name(f"{file.name}.signed-text")
    text.unlink(missing_ok=True)
    try:
        status = _checked(("--output", text, "--", file), file.name, keyring, allowed, blame)
        return Signed(text.read_text(encoding="utf-8", errors="replace"), made(status))
    finally:
        text.unlink(missing_ok=True)


def _checked(
    words: tuple[str | Path, ...], name: str, keyring: Path, allowed: Collection[str], blame: type[KilnError]
) -> str:
    if not keyring.is_file():
        raise MachineError(f"the keyring {keyring} is missing", "build again")
    try:
        status = run("gpgv", "--quiet", "--status-fd", "1", "--keyring", keyring.absolute(), *words).stdout
    except CommandFailed as refusal:
        last = refusal.output.strip().splitlines()[-1:] or ["gpgv does not say why"]
        hint = NO_KEY if UNKNOWN in refusal.output else HINT
        raise blame(f"the signature of {name} does not hold: {last[0]}", hint) from None
    signers = keys.signers(status)
    if allowed and not signers & set(allowed):
        raise blame(f"{name} is signed by {', '.join(sorted(signers)) or 'nobody'}, who may not sign it", HINT)
    return status


def made(status: str) -> int:
    """When the newest of the signatures was made, in seconds, from what gpgv prints with --status-fd."""
    lines = (line.split() for line in status.splitlines())
    dates = [words[4] for words in lines if words[:2] == ["[GNUPG:]", "VALIDSIG"]]
    return max((int(date) for date in dates if date.isdecimal()), default=0)
