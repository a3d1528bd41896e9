"""An image to build on: a vendor's disk image, whose files take the place of a tree of packages.

Its root file system becomes the tree, whatever partitions and file systems it lay on; all that comes after (packages
that the recipe wants and the image lacks, configuration, boot loaders, the seal, the disk) is done as for any image.
"""

import hashlib
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from build import appliance, cache, fetch, offered, packed, traces
from build.archive import Release
from build.command import run
from build.diskfile import open_disk
from build.errors import CallerError
from build.families import trees
from build.workspace import Workspace

SHA256 = re.compile(r"[0-9a-f]{64}")
UNFIT = re.compile(r"[^a-z0-9]+")
ROOT_TYPE = "ext4"
ESP_PATHS = ("/boot/efi", "/efi")
RELEASE_FILES = ("/etc/os-release", "/usr/lib/os-release")


@dataclass(frozen=True)
class Base:
    """An image file: `name` stands in the name of what is built on it; its content is known by `sha256`.

    The file lies in the cache under its digest.
    """

    name: str
    sha256: str

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return folder() / self.sha256


def folder() -> Path:
    """Where images to build on are kept, each under its digest."""
    return cache.folder() / "bases"


def take(word: str, sha256: str | None, *, offline: bool, waiting: Callable[[str], None]) -> Base:
    """The image that the caller named: a file, or a URL whose content the caller knows by its digest.

    Raises CallerError where it is not the one meant, MachineError where it is out of reach.
    """
    if sha256 is not None and not SHA256.fullmatch(sha256):
        raise CallerError(f"{sha256!r} is no sha256", "give the 64 hexadecimal digits that the vendor publishes")
    if "://" not in word:
        return adopt(Path(word).expanduser(), sha256)
    if sha256 is None:
        raise CallerError(f"who vouches for {word}?", "give the digest that the vendor publishes: --base-sha256 HEX")
    file = fetch.large([word], fetch.Digest("sha256", sha256), offline=offline, waiting=waiting)
    return replace(adopt(file, sha256), name=name_of(word.rpartition("/")[2]))


def take_offered(offer: offered.Offer, sha256: str | None, *, offline: bool, waiting: Callable[[str], None]) -> Base:
    """The image that the distribution offers. Raises CallerError where the caller knows it by another digest."""
    if sha256 not in (None, offer.sha256):
        raise CallerError(f"{offer.url} has the digest {offer.sha256} by now, not {sha256}", "leave --base-sha256 out")
    kept = adopt(offered.fetched(offer, offline=offline, waiting=waiting), offer.sha256)
    return replace(kept, name=name_of(offer.url.rpartition("/")[2]))


def adopt(path: Path, sha256: str | None) -> Base:
    """Take a file of the caller's, by a second name or as a copy. Raises CallerError where it is not the one meant."""
    if not path.is_file():
        raise CallerError(
            f"there is no file {path}",
            f"--base takes an image's file, a URL that begins with https://, or the word {offered.WORD}",
        )
    found = digest(path)
    if sha256 and found != sha256:
        raise CallerError(
            f"{path} has the digest {found}, not {sha256}", "it is another file, or damaged: get it again"
        )
    kept = Base(name_of(path.name), found)
    kept.file.parent.mkdir(exist_ok=True)
    with cache.locked(f"base-{found}"):
        if not kept.file.exists():
            fresh = kept.file.with_suffix(".partial")
            run("cp", "--sparse=always", "--reflink=auto", path, fresh)
            fresh.rename(kept.file)
    return kept


def digest(path: Path) -> str:
    """The sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def name_of(file: str) -> str:
    """What an image's name says of the file that it was built on: its stem, in the letters of host names."""
    stem = re.sub(r"(\.(qcow2|img|raw|vhd|vhdx|xz|bz2|gz|zst))+$", "", file.lower())
    return UNFIT.sub("-", stem).strip("-") or "base"


@dataclass(frozen=True)
class UnpackBase:
    """The first step of a build on an image. `tools` is the state of the archive that the appliance comes from."""

    base: Base
    distro: str
    release: str
    identity: tuple[str, ...]
    """What the image's os-release may say as its ID."""
    tools: Release = field(repr=False)
    proof: offered.Proof | None = field(default=None, repr=False)
    """What vouches for an image that the distribution published; None: the caller does."""

    def describe(self) -> str:
        """Its title, and what becomes of the image's own file systems."""
        title = f"Take the files of {self.base.name} ({self.base.sha256[:12]})"
        return f"{title}\n    whatever they lie on: all of it becomes one ext4 file system, besides the ESP"

    def run(self, work: Workspace) -> None:
        """Raises CallerError where the image is another distribution's, or none that can be read.

        Raises whom its proof blames where that does not hold: nothing of the image was read by then.
        """
        if self.proof:
            self.proof.verify(self.base.sha256, work.tools)
        reader = appliance.make(self.tools, work.log, offline=work.offline)
        tar = work.file("base.tar")
        disk = packed.unpacked(self.base.file, work.file("base.disk"))
        mounts = appliance.read_files(reader, open_disk(disk), tar, work.log)
        work.file("base.disk").unlink(missing_ok=True)
        trees.fresh(work)
        # Labels are set anew for the tree as it will be; the build may not be allowed to write them at all.
        flags = ("--xattrs", "--xattrs-include=*", "--xattrs-exclude=security.selinux", "--numeric-owner")
        run("tar", "--extract", "--same-permissions", *flags, f"--file={tar}", f"--directory={work.tree}", log=work.log)
        tar.unlink()
        self.require_same(work)
        traces.forget_disk(work)
        for text in told(self.base.name, mounts):
            work.warn(text)
        trees.add_folders(work.tree)

    def require_same(self, work: Workspace) -> None:
        """Raise CallerError where the tree is not of the recipe's distribution and release."""
        told = os_release(work)
        found = (told.get("ID", "?"), told.get("VERSION_ID", ""))
        if found[0] not in self.identity or not _agrees(found[1], self.release):
            raise CallerError(
                f"{self.base.name} holds {' '.join(found)}, the recipe is for {self.distro} {self.release}",
                "name the distribution and release of the image with --distro and --release",
            )


def told(name: str, mounts: Sequence[appliance.Mount]) -> Iterator[str]:
    """What to tell of file systems that the image had and will not have: the root comes first in `mounts`."""
    root, *others = mounts
    if root.type != ROOT_TYPE:
        yield f"the root of {name} was {root.type}, and is {ROOT_TYPE}; its snapshots and quotas are gone"
    if merged := [f"{mount.path} ({mount.type})" for mount in others if mount.path not in ESP_PATHS]:
        yield f"{name} had file systems of their own, which are folders of the root now: {', '.join(merged)}"


def _agrees(found: str, release: str) -> bool:
    """Whether a version is the release's, or one of its minor releases; a rolling distribution has none."""
    return not found[:1].isdigit() or not release[:1].isdigit() or f"{found}.".startswith(f"{release}.")


def os_release(work: Workspace) -> dict[str, str]:
    """What the tree says it is (os-release(5)); empty where it does not."""
    for name in RELEASE_FILES:
        path = work.path(name)
        if path.is_file() and not path.is_symlink():
            lines = (line.partition("=") for line in path.read_text(errors="replace").splitlines())
            return {key: "".join(shlex.split(value)) for key, mark, value in lines if mark and key.isupper()}
    return {}
