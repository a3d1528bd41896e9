"""What the package lists of rpm-md repositories tell of packages: digests, sizes, places.

Format: primary.xml as createrepo_c writes it. It may have a hundred megabytes: it is read entry by entry.
"""

import gzip
import hashlib
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

from build.command import run
from build.errors import MachineError
from build.families.rpm.state import REPO_NAMESPACE, Metadata, kept
from build.lock import LockedPackage

COMMON = "{http://linux.duke.edu/metadata/common}"
OPEN = b'<one xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm">'
CLOSE = b"</one>"
END = b"</package>"
BLOCK = 1 << 20
AGAIN = "`./kiln clean`, then build again: the lists are kept with the packages"

Nevra = tuple[str, str, str]
"""A package's name, its version with epoch and release, and its architecture."""


def listed(folders: Mapping[str, Path], states: Iterable[Metadata], wanted: Iterable[Nevra]) -> Iterator[LockedPackage]:
    """What the lists of these states tell of the wanted packages, in the lists' order.

    `folders` has the folder of each state's lists by its suite. Versions are told as they are wanted: rpm itself says
    "0:" of some packages and leaves it out of others. Raises MachineError where a list is gone or another.
    """
    wanted_by = {(name, _plain(version), arch): version for name, version, arch in wanted}
    names = {name.encode() for name, _, _ in wanted_by}
    for state in states:
        with _opened(_primary(folders[state.suite], state)) as file:
            every = (_package(entry, state) for entry in _entries(file, names))
            found = [one for one in every if (one.name, one.version, one.arch) in wanted_by]
        for rank, one in enumerate(found):
            yield replace(one, version=wanted_by[one.name, one.version, one.arch], rank=rank)


def _plain(version: str) -> str:
    return version.removeprefix("0:")


def _primary(folder: Path, state: Metadata) -> Path:
    """The list of packages that belongs to this very state."""
    root = ElementTree.fromstring(kept(state).read_bytes())
    data = next((one for one in root.iter(f"{REPO_NAMESPACE}data") if one.get("type") == "primary"), None)
    location = data.find(f"{REPO_NAMESPACE}location") if data is not None else None
    checksum = data.find(f"{REPO_NAMESPACE}checksum") if data is not None else None
    if location is None or checksum is None:
        raise MachineError(f"{state.url} has no list of its packages", "use another mirror")
    path = folder / "repodata" / location.get("href", "").rpartition("/")[2]
    if not path.is_file() or _digest(path, checksum.get("type", "")) != checksum.text:
        raise MachineError(f"the cache lacks the package lists of {state.url}", AGAIN)
    return path


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha1" if algorithm == "sha" else algorithm).hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The list's text, whatever it is packed by."""
    if path.suffix == ".gz":
        with gzip.open(path) as file:
            yield cast(IO[bytes], file)
    elif path.suffix == ".xml":
        with path.open("rb") as file:
            yield file
    else:
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "primary.xml"
            program = {".zst": "zstd", ".xz": "xz", ".bz2": "bzip2"}[path.suffix]
            run("sh", "-ec", 'exec "$1" -dc "$2" >"$3"', "sh", program, path, plain)
            with plain.open("rb") as file:
                yield file


def _entries(file: IO[bytes], names: set[bytes]) -> Iterator[ElementTree.Element]:
    """The entries of these names."""
    rest = b""
    while block := file.read(BLOCK):
        *whole, rest = (rest + block).split(END)
        for text in whole:
            if text.partition(b"<name>")[2].partition(b"</name>")[0] in names:
                entry = text[text.index(b"<package") :]
                yield ElementTree.fromstring(OPEN + entry + END + CLOSE)[0]


def _package(entry: ElementTree.Element, state: Metadata) -> LockedPackage:
    def attribute(tag: str, name: str) -> str:
        return cast(ElementTree.Element, entry.find(f"{COMMON}{tag}")).get(name, "")

    epoch = attribute("version", "epoch")
    version = f"{attribute('version', 'ver')}-{attribute('version', 'rel')}"
    if attribute("checksum", "type") != "sha256":
        raise MachineError(f"the package lists of {state.url} have no sha256 digests", "use another mirror")
    return LockedPackage(
        name=entry.findtext(f"{COMMON}name", ""),
        arch=entry.findtext(f"{COMMON}arch", ""),
        version=version if epoch in ("", "0") else f"{epoch}:{version}",
        sha256=entry.findtext(f"{COMMON}checksum", ""),
        size=int(attribute("size", "package")),
        path=attribute("location", "href"),
        source=state.suite,
    )
