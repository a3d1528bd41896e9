"""The image that a distribution offers for clouds, to build on: found, believed only when its digest is signed.

The list of digests is fetched with its signature while a build is planned; the signature is checked by the worker, who
has the keyrings, before a byte of the image is used.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from build import archive, cache, fetch, freshness, signatures, wholefile
from build.errors import CallerError, KilnError, MachineError
from build.families.rpm.trust import pinned
from build.signatures import Signed
from distros.recipe import OfferedImage, Recipe

WORD = "published"
"""What --base calls it."""
SHA256 = "[0-9a-fA-F]{64}"
PLAIN = re.compile(rf"({SHA256}) [ *](\S+)")
TAGGED = re.compile(rf"SHA256 \((\S+)\) = ({SHA256})")
"""A line of sha256sum(1), and of its --tag form."""


@dataclass(frozen=True)
class Proof:
    """What vouches for the image at `url`, which the list calls `name`: a list of digests and its signature, kept by
    their digests ("" where the list is clear-signed), and who may have signed. `blames_caller`: the caller named the
    place."""

    url: str
    name: str
    list: str
    signature: str
    keyring: str
    keys: tuple[str, ...]
    blames_caller: bool = False

    @classmethod
    def read(cls, told: Mapping[str, Any] | None) -> "Proof | None":
        """The proof that JSON held, if any."""
        return cls(**{**told, "keys": tuple(told["keys"])}) if told else None

    @property
    def blame(self) -> type[KilnError]:
        """Who must act where it does not hold."""
        return CallerError if self.blames_caller else MachineError

    def verify(self, digest: str, tools: Path) -> None:
        """Raise `blame` unless the list is signed by one of the keys, and says this SHA-256 of the image.

        Raises MachineError where it is older than a list that was believed before.
        """
        allowed = pinned(self.keyring, self.keys, tools)
        content = b"".join(one.content for one in allowed)
        keyring = cache.folder() / "keys" / f"{sha256(content).hexdigest()}.gpg"
        wholefile.write(keyring, content)
        fingerprints = {one.fingerprint for one in allowed}
        signed = self._signed(keyring, fingerprints)
        if digest not in digests(signed.text, self.name):
            raise self.blame(f"the signed list has another digest of {self.name}", signatures.HINT)
        freshness.remember(_Dated(self.url, "list", self.list, signed.date))

    def _signed(self, keyring: Path, fingerprints: Collection[str]) -> Signed:
        """What is signed of the list, and when it was."""
        kept = _kept(self.list)
        if not self.signature:
            return signatures.clear(kept, keyring, fingerprints, self.blame)
        told = signatures.detached(kept, _kept(self.signature), keyring, fingerprints, self.blame)
        return Signed(kept.read_text(encoding="utf-8", errors="replace"), told.date)


@dataclass(frozen=True)
class _Dated:
    """A signed list at one moment, as `build.freshness` knows sources."""

    url: str
    suite: str
    sha256: str
    date: int


@dataclass(frozen=True)
class Offer:
    """An image that can be had: where, its SHA-256, and what vouches for that."""

    url: str
    sha256: str
    proof: Proof


def find(recipe: Recipe, mirror: str | None, keyring: str | None, *, offline: bool) -> Offer:
    """The newest image that the recipe's distribution offers; the mirror's, signed by `keyring`, where it has one.

    Raises CallerError where there is none to be had by that name, MachineError where it is out of reach.
    """
    image = recipe.offered
    if image is None:
        raise CallerError(
            f"{recipe.name} has no published image whose signature Kiln could check",
            "name one by its file, or by its URL with --base-sha256",
        )
    at_mirror = mirror is not None and bool(image.path)
    url = f"{mirror}".rstrip("/") + f"/{image.path}" if at_mirror else image.url
    listed, signature = _asked(image, url, offline=offline)
    name = url.rpartition("/")[2]
    pattern = image.listed or re.escape(name)
    found = [(value, entry) for value, entry in entries(_kept(listed)) if re.fullmatch(pattern, entry)]
    if len({value for value, _ in found}) != 1:
        raise MachineError(f"the list of {url} has {len(found)} digests of it", "name a URL with --base-sha256")
    key, keys = (keyring, ()) if at_mirror and keyring else (image.keyring, image.keys)
    return Offer(url, found[0][0], Proof(url, found[0][1], listed, signature, key, keys, at_mirror))


def _asked(image: OfferedImage, url: str, *, offline: bool) -> tuple[str, str]:
    """The digests by which the list and its signature are kept, as they are now, or were when last asked for."""
    record = archive.folder() / f"offered-{sha256(url.encode()).hexdigest()[:24]}"
    if offline:
        if not record.is_file():
            raise MachineError(f"{url} has never been asked for here", "build once without --offline")
        listed, signature = json.loads(record.read_text())
        return listed, signature
    folder = url.rpartition("/")[0]
    places = [one.format(url=url, folder=folder) for one in (image.digests, image.signature) if one]
    kept = [_keep(fetch.small(place)) for place in places]
    listed, signature = kept[0], "".join(kept[1:])
    wholefile.write(record, json.dumps([listed, signature]).encode())
    return listed, signature


def entries(file: Path) -> Iterator[tuple[str, str]]:
    """Digests (SHA-256, small letters) and names of a list, in either of sha256sum's forms."""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        yield from parsed(line)


def parsed(line: str) -> Iterator[tuple[str, str]]:
    """The digest and name that a line of such a list holds, if it is one."""
    if plain := PLAIN.fullmatch(line.strip()):
        yield plain[1].lower(), plain[2]
    elif tagged := TAGGED.fullmatch(line.strip()):
        yield tagged[2].lower(), tagged[1]


def digests(text: str, name: str) -> set[str]:
    """The digests that a list has of this name."""
    return {value for line in text.splitlines() for value, entry in parsed(line) if entry == name}


def _kept(digest: str) -> Path:
    return archive.folder() / digest


def _keep(content: bytes) -> str:
    digest = sha256(content).hexdigest()
    wholefile.write(_kept(digest), content)
    return digest


def fetched(offer: Offer, *, offline: bool, waiting: Callable[[str], None]) -> Path:
    """The image's file in the cache. Raises MachineError where it is out of reach, or not what the list says."""
    return fetch.large([offer.url], fetch.Digest("sha256", offer.sha256), offline=offline, waiting=waiting)
