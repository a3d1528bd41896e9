"""The first step of an image from a lock, whatever its packages are: the families say how they install them."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from build import packages
from build.families import trees
from build.lock import LockedPackage
from build.workspace import Workspace


class Asked(Protocol):
    """The step that an image has without a lock."""

    @property
    def packages(self) -> tuple[str, ...]:
        """What it asks for by name."""

    @property
    def key(self) -> str:
        """What tells its tree from others."""


Step = TypeVar("Step", bound=Asked)


@dataclass(frozen=True)
class LockedTree(ABC, Generic[Step]):
    """What is asked for as without a lock, and what to make it of; `places` are where packages may be found, by source.

    Where a package came from takes no part in what the tree is.
    """

    asked: Step
    packages: tuple[LockedPackage, ...]
    places: Mapping[str, tuple[str, ...]] = field(repr=False)

    how: ClassVar[object]
    """How packages are offered to what installs them, as far as the tree depends on it."""

    @property
    def key(self) -> str:
        """The cached tree's name: what is asked for, how it is installed, and what the lock names."""
        return hashlib.sha256(repr((self.asked.key, self.packages, self.how)).encode()).hexdigest()[:24]

    def describe(self) -> str:
        """What a plan shows."""
        return (
            f"Install {len(self.asked.packages)} packages and what they need: {len(self.packages)} that the lock names"
        )

    def run(self, work: Workspace) -> None:
        """Make the tree, from the cache where it holds the same one."""
        trees.cached(work, self.key, lambda: self.install(work))
        for kept in (packages.folder(work.cache), *self.shelves(work)):
            packages.note_use(kept, map(packages.file_name, self.packages))
        packages.require_exactly(self.packages, self.installed(work))

    @abstractmethod
    def install(self, work: Workspace) -> None:
        """Make the tree of the lock's packages."""

    @abstractmethod
    def shelves(self, work: Workspace) -> Iterable[Path]:
        """Where builds without a lock keep these packages."""

    @abstractmethod
    def installed(self, work: Workspace) -> Iterable[tuple[str, str, str]]:
        """Name, version and architecture of every package in the tree."""
