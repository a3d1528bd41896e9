"""The state of an rpm-md repository, which its repomd.xml stands for.

It lists the digests of the package lists, and those the digests of the packages. Format: what createrepo_c writes.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from build import cache
from build.errors import MachineError

REPOMD = "repodata/repomd.xml"
REPO_NAMESPACE = "{http://linux.duke.edu/metadata/repo}"


@dataclass(frozen=True)
class Metadata:
    """One rpm-md repository at one moment: the digest of its repomd.xml, and that file's date in seconds.

    `suite` is the repository's name. `url` is where it answered and `ways` are further places of the same content;
    what they hold is fixed by the digest, so they take no part in what an image is; nor does `signature`, the digest
    of repomd.xml's signature, which two keys may have made of the same file. The other fields are those of
    `distros.recipe.Repository`; `keyring` may be a key that the caller gave (`build.keys`), of which any may sign.
    """

    suite: str
    sha256: str
    date: int
    keyring: str
    keys: tuple[str, ...]
    signed_metadata: bool
    metadata_keys: tuple[str, ...] = ()
    sha1_key: bool = False
    access: str = ""
    url: str = field(default="", repr=False)
    ways: tuple[str, ...] = field(default=(), repr=False)
    signature: str = field(default="", repr=False)


def read_state(told: Mapping[str, Any]) -> Metadata:
    """The state that JSON held."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    return Metadata(**values)


def kept(state: Metadata) -> Path:
    """Where this repomd.xml is kept, by its digest."""
    return folder() / state.sha256


def folder() -> Path:
    """Where release files, and all that stands for a state, are kept."""
    return cache.folder() / "releases"


def date_of(content: bytes, url: str) -> int:
    """When the newest of the lists was made, in seconds. Raises MachineError where that is no repomd.xml."""
    try:
        found = ElementTree.fromstring(content).iter(f"{REPO_NAMESPACE}timestamp")
        return max(int(float(one.text or "")) for one in found)
    except (ElementTree.ParseError, ValueError):
        raise MachineError(
            f"{url}/{REPOMD} is no list of a repository",
            "something on the way answers in its place, as a portal does; use another network or --mirror",
        ) from None
