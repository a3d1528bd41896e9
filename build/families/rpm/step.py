"""The first step of an image of rpm packages, whichever program installs them: dnf and zypper say how they do it."""

import hashlib
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from build import cache, packages
from build.command import CommandFailed
from build.errors import KilnError, MachineError
from build.families import trees
from build.families.rpm.changes import describe_additions, erase, missing
from build.families.rpm.database import SETTLE, clean, installed_in
from build.families.rpm.settings import SETTINGS, macros, write_settings
from build.families.rpm.state import REPOMD, Metadata
from build.workspace import Workspace
from distros.recipe import Rpm, TextFile

ENVIRONMENT = {
    # Nothing runs in the tree: systemctl must not look for a system to talk to.
    "SYSTEMD_OFFLINE": "1",
    # Modules that package scripts import would leave caches that hold times.
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""What package scripts must see."""
NOT_THERE = "the recipe names a package that the repositories do not have"
ALTERED = "the repository was altered or is being renewed; run the build again, or use another mirror"

Blame = tuple[str, type[KilnError], str]
"""What a program prints, who must act then, and what to do."""


@dataclass(frozen=True)
class Offer:
    """A repository as a package manager is told of it: `urls` are where it is, best first; `signed` says whether its
    metadata's signature is that program's to check, too."""

    state: Metadata
    urls: tuple[str, ...]
    signed: bool


def remote(state: Metadata) -> Offer:
    """The repository itself.

    Who signs metadata with another key than packages is checked by gpgv alone: a package manager would take either key
    for both.
    """
    return Offer(state, (state.url, *state.ways), state.signed_metadata and not state.metadata_keys)


@dataclass(frozen=True)
class RpmPackages(ABC):
    """Everything that decides what the tree holds; its digest is the tree's name in the cache."""

    name: str
    repositories: tuple[Metadata, ...]
    packages: tuple[str, ...]
    early_files: tuple[TextFile, ...]
    arch: str
    rpm: Rpm

    manager: ClassVar[str]
    """The program's name, and that of the folder beside the tree in which it keeps lists and packages."""
    environment: ClassVar[Mapping[str, str]]
    """What programs that install or remove packages must see."""
    how: ClassVar[tuple[object, ...]]
    """How the program is called, as far as the tree depends on it."""

    @property
    def key(self) -> str:
        """The cached tree's name: what is asked for, and how it is done."""
        return hashlib.sha256(repr((self, *self.how, macros(self.rpm), SETTLE)).encode()).hexdigest()[:24]

    def describe(self) -> str:
        """What a plan shows."""
        return f"Install {len(self.packages)} packages and what they need from {len(self.repositories)} repositories"

    def run(self, work: Workspace) -> None:
        """Make the tree, from the cache where it holds the same one."""
        trees.cached(work, self.key, lambda: self._install(work))
        self.note_use(work)

    def _install(self, work: Workspace) -> None:
        trees.fresh(work)
        self.add(work)

    def add(self, work: Workspace, removed: tuple[str, ...] = ()) -> None:
        """Install into the tree as it is, take `removed` out of it, and leave nothing of this build's own in it."""
        with self.filling(work):
            if self.packages:
                self.fetch_and_fill(work)
            if removed:
                settings = write_settings(work, self.rpm, self.repositories)
                erase(work, self.rpm, removed, {**self.environment, **settings})

    @contextmanager
    def filling(self, work: Workspace) -> Iterator[None]:
        """The tree ready to be filled, and settled and cleaned after the block; what lies beside it goes."""
        outside = work.file(self.manager)
        cache.remove(outside)
        outside.mkdir(parents=True)
        for file in self.early_files:
            work.write(file.path, file.text, file.mode)
        try:
            yield
        finally:
            cache.remove(work.file(SETTINGS))
            cache.remove(outside)
        clean(work, self.rpm)

    @abstractmethod
    def fetch_and_fill(self, work: Workspace) -> None:
        """Fill the tree from the repositories."""

    @abstractmethod
    def fill(self, work: Workspace, offers: tuple[Offer, ...]) -> None:
        """Fill the tree from repositories that lie in the workspace."""

    def shelf(self, work: Workspace, state: Metadata) -> Path:
        """Where a repository's packages are kept in the cache."""
        return packages.folder(work.cache, f"{self.name}-{self.arch}-{state.suite}")

    def note_use(self, work: Workspace) -> None:
        """Note that this build used its packages and lists: what none has used for long is removed."""
        names = [packages.rpm_name(*package) for package in installed_in(work, self.rpm)]
        for state in self.repositories:
            packages.note_use(self.shelf(work, state), names)
        with suppress(FileNotFoundError):
            os.utime(kept_lists(work.cache, self.manager, self.repositories))


@dataclass(frozen=True)
class RpmAdditions:
    """Packages onto a tree that is there, and out of it."""

    packages: RpmPackages
    removed: tuple[str, ...]

    def describe(self) -> str:
        """What a plan shows."""
        return describe_additions(self.packages.packages, self.removed)

    def run(self, work: Workspace) -> None:
        """What is there already stays in its version; no repository is asked where nothing is missing."""
        lacking = missing(work, self.packages.rpm, self.packages.packages)
        replace(self.packages, packages=lacking).add(work, self.removed)


def kept_lists(work_cache: Path, manager: str, states: Iterable[Metadata]) -> Path:
    """Where a package manager's lists of these states are kept."""
    told = repr((manager, *((state, state.url) for state in states)))
    return work_cache / "lists" / hashlib.sha256(told.encode()).hexdigest()[:24]


def folders_of_lists(work_cache: Path, states: Iterable[Metadata], form: str) -> dict[str, Path]:
    """The folder of each state's package lists in the cache, by its suite; what is not there is left out.

    `form` is how a package manager calls such a folder, with {suite}. It does not matter from which place they came.
    """
    found = {}
    for state in states:
        for file in sorted(work_cache.glob(f"lists/*/{form.format(suite=state.suite)}/{REPOMD}")):
            if hashlib.sha256(file.read_bytes()).hexdigest() == state.sha256:
                found[state.suite] = file.parent.parent
    return found


def require_state(state: Metadata, repomds: Iterable[Path]) -> None:
    """Raise MachineError where the repomd.xml that a package manager fetched is not the one of this state."""
    found = [hashlib.sha256(file.read_bytes()).hexdigest() for file in repomds]
    if found != [state.sha256]:
        raise MachineError(f"{state.url} was renewed since the build began", "run the build again")


def keep_lists(here: Path, kept: Path, *without: str) -> None:
    """Keep a package manager's lists for builds to come, without what has one of these names."""
    kept.parent.mkdir(exist_ok=True)
    partial = kept.with_name(f"{kept.name}.partial")
    cache.remove(partial)
    shutil.copytree(here, partial, symlinks=True, ignore=shutil.ignore_patterns(*without))
    with suppress(OSError):  # another build of this very state was first
        partial.rename(kept)


def blamed(failure: CommandFailed, blame: Iterable[Blame]) -> KilnError:
    """The failure as an error of whoever must act, by the first of `blame` that it says; itself where there is none."""
    lines = failure.output.splitlines()
    for needle, error, hint in blame:
        if found := next((line for line in lines if needle in line), None):
            return error(f"installing the packages failed: {found.strip()}", hint)
    return failure
