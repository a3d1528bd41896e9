"""The key that signs a stand-in: fresh for each, without a passphrase, thrown away with it."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from build.command import Result, run
from build.keys import dearmored

OWNER = "standin@example.invalid"
PARAMETERS = f"""\
%no-protection
Key-Type: RSA
Key-Length: 3072
Key-Usage: sign
Name-Real: Kiln stand-in
Name-Email: {OWNER}
Expire-Date: 0
%commit
"""
"""RSA since every rpm and apt takes it."""

Call = Callable[..., Result]
"""How a program is called: `build.command.run` on this machine, `Workspace.tool` in a tools tree that holds gpg."""


@dataclass(frozen=True)
class Opened:
    """A key in a GnuPG home folder, which programs that call gpg themselves (rpmsign) may be given."""

    home: Path
    call: Call = run

    def clear_sign(self, file: Path, target: Path) -> None:
        """Write the file with its signature around it, as InRelease has it."""
        self.gpg("--yes", "--output", target, "--clear-sign", file)

    def detach_sign(self, file: Path, target: Path, *, armor: bool = True) -> None:
        """Write the file's signature alone."""
        self.gpg("--yes", *(("--armor",) if armor else ()), "--output", target, "--detach-sign", file)

    def gpg(self, *words: str | Path, text: str | None = None) -> str:
        """Call gpg with this key; returns what it printed."""
        quiet = ("--batch", "--quiet")
        return self.call("gpg", "--homedir", self.home, *quiet, *words, text=text).stdout


@dataclass(frozen=True)
class SigningKey:
    """A key whose files lie in `folder`: `key.asc`, the public one, `secret.asc` and `fingerprint`."""

    folder: Path
    FILES: ClassVar = ("key.asc", "secret.asc", "fingerprint")

    @classmethod
    def make(cls, folder: Path, call: Call = run, below: Path | None = None) -> "SigningKey":
        """A new key in this folder; `call` and `below` as for `opened`."""
        key = cls(folder)
        with _home(call, below) as opened:
            opened.gpg("--gen-key", text=PARAMETERS)
            key.public.write_text(opened.gpg("--armor", "--export", OWNER))
            key.secret.touch(mode=0o600)
            key.secret.write_text(opened.gpg("--armor", "--export-secret-keys", OWNER))
            told = opened.gpg("--with-colons", "--list-keys", OWNER)
        key._name.write_text(next(line.split(":")[9] for line in told.splitlines() if line.startswith("fpr:")))
        return key

    @property
    def public(self) -> Path:
        """The public key as text."""
        return self.folder / "key.asc"

    @property
    def secret(self) -> Path:
        """The secret key as text."""
        return self.folder / "secret.asc"

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, 40 hexadecimal digits."""
        return self._name.read_text()

    @property
    def _name(self) -> Path:
        return self.folder / "fingerprint"

    def binary(self) -> bytes:
        """The public key as bytes, the form of a keyring."""
        return dearmored(self.public.read_bytes())

    @contextmanager
    def opened(self, call: Call = run, below: Path | None = None) -> Iterator[Opened]:
        """The key in a home folder of its own, made in `below` (default: the temporary folder); gone afterwards."""
        with _home(call, below) as opened:
            copy = opened.home / "secret.asc"
            copy.write_bytes(self.secret.read_bytes())
            opened.gpg("--import", copy)
            yield opened


@contextmanager
def _home(call: Call, below: Path | None) -> Iterator[Opened]:
    """A private home folder. Short where it can be: the agent's socket lies in it, whose path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="kiln-gpg-", dir=below) as folder:
        opened = Opened(Path(folder), call)
        try:
            yield opened
        finally:
            call("gpgconf", "--homedir", opened.home, "--kill", "all")
