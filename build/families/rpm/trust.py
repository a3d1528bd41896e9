"""Who may sign: the keys that a repository pins, and whether they have signed its repomd.xml."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from build import archive, cache, keys, wholefile
from build.certificates import Certificate, certificates
from build.command import CommandFailed, run
from build.errors import CallerError, KilnError, MachineError, RecipeError
from build.families.rpm.state import REPOMD, Metadata, folder, kept


def verify(state: Metadata, tools: Path, *, mirror: bool) -> None:
    """Check the signature of a repomd.xml where its repository signs it, and that its packages' keys are there.

    Raises CallerError for a mirror and a repository of the caller's own, MachineError for the distribution's, and
    RecipeError for a key that is nowhere.
    """
    package_keys(state, tools)
    blame: type[KilnError] = CallerError if mirror or state.keyring.startswith(keys.GIVEN) else MachineError
    file = kept(state)
    if hashlib.sha256(file.read_bytes()).hexdigest() != state.sha256:
        file.unlink()
        raise MachineError(f"{file} is damaged, and removed now", "run the build again")
    if state.signed_metadata:
        _verify_signature(state, file, tools, blame)


def _verify_signature(state: Metadata, file: Path, tools: Path, blame: type[KilnError]) -> None:
    signature = folder() / state.signature
    if b"-----BEGIN PGP SIGNATURE-----" not in signature.read_bytes():
        raise blame(f"{state.url}/{REPOMD} is not signed", "Kiln builds from signed repositories only")
    allowed = pinned(state.keyring, state.metadata_keys or state.keys, tools)
    keyring = b"".join(one.content for one in allowed)
    file_of_keys = cache.folder() / "keys" / f"{hashlib.sha256(keyring).hexdigest()}.gpg"
    wholefile.write(file_of_keys, keyring)
    try:
        told = run("gpgv", "--status-fd", "1", "--keyring", file_of_keys, signature, file).stdout
    except CommandFailed as refusal:
        raise blame(
            f"the signature of {state.url}/{REPOMD} does not hold against {keys.shown(state.keyring)}: "
            + refusal.output.strip().splitlines()[-1],
            archive.ALTERED,
        ) from None
    if not keys.signers(told) & {one.fingerprint for one in allowed}:
        raise blame(f"{state.url}/{REPOMD} is signed by none of its repository's own keys", archive.ALTERED)


def package_keys(state: Metadata, tools: Path) -> tuple[Certificate, ...]:
    """The certificates that may sign this repository's packages."""
    return pinned(state.keyring, state.keys, tools)


def pinned(keyring: str, fingerprints: Iterable[str], tools: Path) -> tuple[Certificate, ...]:
    """The certificates of these fingerprints and no others; all of a keyring that the caller gave.

    Raises RecipeError where one is missing, or where a recipe names none.
    """
    given = keyring.startswith(keys.GIVEN)
    names = [keyring] if given else keyring.split(":")
    try:
        contents = [keys.dearmored(keys.located(name, tools).read_bytes()) for name in names]
        found = tuple(one for content in contents for one in certificates(content))
    except (OSError, ValueError) as damage:
        if given:
            raise CallerError(f"{keys.shown(keyring)} cannot be read: {damage}", "give the public key itself") from None
        raise RecipeError(f"the keyring {keyring} cannot be read: {damage}", "correct it in the recipe") from None
    if given:
        return found
    wanted = tuple(fingerprints)
    missing = [one for one in wanted if one not in {certificate.fingerprint for certificate in found}]
    if missing or not wanted:
        raise RecipeError(
            f"the keyring {keyring} has no key {', '.join(missing) or 'that is named'}", "correct it in the recipe"
        )
    return tuple(one for one in found if one.fingerprint in wanted)
