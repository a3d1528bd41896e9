"""Steps for a disk image that a distribution publishes: fetched, verified, unpacked, grown. It is never booted."""

import bz2
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from build import archive, fetch, gptgrow, keys, signatures, wholefile
from build.errors import CallerError, KilnError, MachineError
from build.packed import write_sparsely
from build.vhd import FIXED, LENGTH, Footer
from build.workspace import Workspace


@dataclass(frozen=True)
class Published:
    """A published image at one moment. `url` is the folder with one for each version, `file` its name there.

    `sha256` is the digest of the clear-signed list of digests, which stands for all of it; one of `keys` (fingerprints
    of primary keys in `keyring`) signs that list and the image, whose signature is at `signature`, with {url} for its
    own address. `date` is when the list was signed, in seconds; `mirror` says that the caller named the place, and is
    to blame for it. `suite` is the channel.
    """

    url: str
    suite: str
    file: str
    version: str
    sha256: str
    date: int
    keyring: str
    keys: tuple[str, ...]
    signature: str
    mirror: bool = field(default=False, repr=False)

    @property
    def blame(self) -> type[KilnError]:
        """Who must act where it is not what it should be."""
        return CallerError if self.mirror else MachineError

    @property
    def list(self) -> Path:
        """Where the signed list is kept."""
        return archive.folder() / self.sha256


@dataclass(frozen=True)
class FetchImage:
    """The image as it is published, packed, in the cache."""

    image: Published

    def describe(self) -> str:
        """What a plan shows."""
        return f"Fetch {self.image.file} {self.image.version} and check its digest and signature"

    def run(self, work: Workspace) -> None:
        """Raises MachineError (CallerError for a mirror) where it is out of reach, or not the one that was signed."""
        published = self.image
        keyring = keys.located(published.keyring, work.tools)
        digest = self.digest(keyring)
        url = f"{published.url}/{published.version}/{published.file}"
        file = fetch.large([url], digest, offline=work.offline, waiting=work.waiting)
        signature = file.with_name(f"{file.name}.sig")
        if not signature.is_file():
            place = published.signature.format(url=url, version=published.version)
            if work.offline:
                raise MachineError(f"the cache does not hold {place}", "build once without --offline")
            wholefile.write(signature, fetch.small(place))
        try:
            signatures.detached(file, signature, keyring, published.keys, published.blame)
        except KilnError:
            signature.unlink()
            raise
        work.file("packed").unlink(missing_ok=True)
        work.file("packed").symlink_to(file)

    def digest(self, keyring: Path) -> fetch.Digest:
        """The image's digest, from the signed list."""
        published = self.image
        listed = signatures.clear(published.list, keyring, published.keys, published.blame)
        found = dict(sha512s(listed.text)).get(published.file)
        if found is None:
            raise published.blame(f"{published.file}.DIGESTS.asc has no SHA512 of it", signatures.HINT)
        return fetch.Digest("sha512", found)


def sha512s(text: str) -> Iterator[tuple[str, str]]:
    """Names and SHA-512 digests from a list in blocks, each under a line that names its algorithm."""
    algorithm = ""
    for line in text.splitlines():
        words = line.split()
        if line.startswith("#"):
            algorithm = words[1].upper() if len(words) > 1 else ""
        elif algorithm == "SHA512" and len(words) == 2:
            yield words[1].removeprefix("*"), words[0].lower()


@dataclass(frozen=True)
class UnpackImage:
    """The disk out of the packed image: raw and sparse, without the footer that it came with."""

    def describe(self) -> str:
        """What a plan shows."""
        return "Unpack the disk"

    def run(self, work: Workspace) -> None:
        """Raises MachineError where the file is no fixed VHD in bzip2's form."""
        try:
            with work.file("packed").open("rb") as packed, work.disk.open("wb") as disk:
                length = unpack(packed, disk)
        except (OSError, EOFError) as damage:
            if isinstance(damage, OSError) and damage.errno is not None:
                raise
            raise MachineError(f"the image cannot be unpacked: {damage}", "the distribution's file is broken") from None
        with work.disk.open("r+b") as disk:
            disk.seek(length - LENGTH)
            footer = Footer.parse(disk.read(LENGTH))
            if footer.disk_type != FIXED or footer.current_size != length - LENGTH:
                raise MachineError("the image is no whole fixed VHD", "the distribution has changed its form")
            disk.truncate(footer.current_size)


def unpack(packed: BinaryIO, disk: BinaryIO) -> int:
    """Write what bzip2 packed, leaving holes where it is zeros; returns its length in bytes.

    Raises EOFError where it breaks off, OSError where it is none.
    """
    with bz2.open(packed) as content:
        return write_sparsely(content, disk)


@dataclass(frozen=True)
class GrowDisk:
    """The disk in the wanted size, its ids and partitions as they were."""

    size: int

    def describe(self) -> str:
        """What a plan shows."""
        return f"Grow the disk to {self.size >> 20} MiB: its table moves, ids and partitions stay"

    def run(self, work: Workspace) -> None:
        """Raises CallerError where it would shrink."""
        gptgrow.grow(work.disk, self.size)
