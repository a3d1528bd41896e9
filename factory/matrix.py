"""The matrix: which images a night is about and what is done with each, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

AXES = ("distro", "release", "generation", "kind", "provisioner", "arch")
"""What tells a matrix's images apart, in the order of their names."""


@dataclass(frozen=True)
class Cell:
    """One image and what is played with it. `size` as the command line takes it, paths are absolute; `private_key`
    lets the harness into a specialized image."""

    distro: str
    release: str
    generation: str
    kind: str
    provisioner: str
    arch: str
    scenarios: tuple[str, ...] = ("first-boot",)
    faults: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    size: str = ""
    spec: Path | None = None
    mirror: str = ""
    mirror_key: Path | None = None
    hostname: str = ""
    admin: str = ""
    ssh_key: Path | None = None
    private_key: Path | None = None


@dataclass(frozen=True)
class KnownFailure:
    """A check that may fail without failing the night: of the images whose names match, until it `expires`."""

    check: str
    image: str
    reason: str
    tracker: str
    expires: date

    def covers(self, image: str, today: date) -> bool:
        """Whether it holds for that image today."""
        return today <= self.expires and fnmatchcase(image, self.image)


@dataclass(frozen=True)
class Publication:
    """Where what passed goes: a target's file, and whether it becomes the latest there."""

    to: Path
    promote: bool = False
    images: str = "*"


@dataclass(frozen=True)
class Retention:
    """How long results are kept: those of the last nights, and of one night a week for so many weeks."""

    nights: int = 14
    weeks: int = 8


@dataclass(frozen=True)
class Budget:
    """How much slower than the median of the last nights a boot or a build may be before it is flagged."""

    boot: float = 1.5
    build: float = 2.0


@dataclass(frozen=True)
class Matrix:
    """A night's images, and the rules for all of them. `store` is where results live, `locks` the folder of locks."""

    file: str
    name: str
    cells: tuple[Cell, ...]
    store: Path
    locks: Path | None = None
    attempts: int = 3
    known: tuple[KnownFailure, ...] = ()
    publications: tuple[Publication, ...] = ()
    retention: Retention = Retention()
    budget: Budget = Budget()
    environment: Mapping[str, str] = field(default_factory=dict)
