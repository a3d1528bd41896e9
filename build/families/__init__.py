"""Package families: what a package manager does, once for every distribution that has it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from build.errors import CallerError
from build.families import apt, dnf, flatcar, zypper
from build.families.source import Sources
from build.spec.value import Spec
from build.workspace import Workspace
from distros.recipe import Recipe


class State(Protocol):
    """One source of packages at one moment. A frozen dataclass whose fields JSON can hold, tuples as lists."""

    @property
    def url(self) -> str:
        """Where it is."""

    @property
    def suite(self) -> str:
        """Its name among the sources of an image."""

    @property
    def sha256(self) -> str:
        """The digest of the file that stands for the whole state of the source."""

    @property
    def date(self) -> int:
        """Seconds: when that file was made."""


class PackagesStep(Protocol):
    """The first step of a build: everything that decides what the tree holds."""

    def describe(self) -> str:
        """What a plan shows."""

    def run(self, work: Workspace) -> None:
        """Make the tree, from the cache where it holds the same one."""


class Family(Protocol):
    """What a family's module holds."""

    TOOLS: tuple[str, ...]
    """Packages of the tools tree besides those of every build."""

    def states(self, recipe: Recipe, sources: Sources, note: Callable[[str], None]) -> tuple[Any, ...]:
        """The present state of every source of packages. Raises MachineError where one is out of reach."""

    def read_state(self, told: Mapping[str, Any]) -> Any:
        """The state whose fields were written as JSON."""

    def verify(self, state: Any, tools: Path, *, mirror: bool) -> None:
        """Check the signature of what stands for a state. Raises CallerError for a mirror, else MachineError."""

    def packages(self, recipe: Recipe, names: tuple[str, ...], states: tuple[Any, ...]) -> PackagesStep:
        """The step that makes a tree of these packages and what they need."""

    def additions(self, recipe: Recipe, names: tuple[str, ...], states: tuple[Any, ...]) -> PackagesStep:
        """The step that adds what a tree that is there already lacks of these packages."""

    def installed(self, recipe: Recipe, work: Workspace) -> tuple[tuple[str, str, str], ...]:
        """Name, version and architecture of every package in the workspace's tree, sorted."""


class WholeImage(Protocol):
    """What a family's module holds besides, whose images are published whole and not made of packages."""

    def require_possible(self, spec: Spec) -> None:
        """Raise CallerError for what a spec asks for and such an image cannot have."""

    def steps(
        self, recipe: Recipe, image: str, size: int, spec: Spec, states: tuple[Any, ...]
    ) -> tuple[PackagesStep, ...]:
        """All that is done for the image of that name, `size` its disk's in bytes. Raises CallerError."""


FAMILIES: Mapping[str, Family] = {"apt": apt, "dnf": dnf, "zypper": zypper, "flatcar": flatcar}
WHOLE: Mapping[str, WholeImage] = {"flatcar": flatcar}


def family(recipe: Recipe) -> Family:
    """The family that makes this recipe. Raises CallerError where this Kiln has none of that name."""
    try:
        return FAMILIES[recipe.family]
    except KeyError:
        raise CallerError(f"{recipe.name} needs the family {recipe.family}, which cannot be built yet") from None


def whole(recipe: Recipe) -> WholeImage | None:
    """The family of a recipe that is not a tree of packages, None for all others."""
    return WHOLE.get(recipe.family)


__all__ = ["FAMILIES", "Family", "PackagesStep", "Sources", "State", "WholeImage", "family", "whole"]
