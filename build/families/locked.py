"""Families that can be built from a lock: what each of them has for that, beside its own module."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from build.errors import CallerError
from build.families import PackagesStep, apt_locked, dnf, whole, zypper
from build.families.rpm.locked import RpmLocks
from build.lock import Lock, LockedPackage
from distros.recipe import Recipe


class Lockable(Protocol):
    """What a family's module holds that can make a tree from a lock."""

    def lock_packages(
        self, work_cache: Path, states: tuple[Any, ...], installed: Iterable[tuple[str, str, str]]
    ) -> tuple[LockedPackage, ...]:
        """What the package lists of these states, as the cache keeps them, tell of installed packages.

        Raises MachineError where the lists are gone.
        """

    def locked(
        self, recipe: Recipe, names: tuple[str, ...], lock: Lock, places: Mapping[str, tuple[str, ...]]
    ) -> PackagesStep:
        """The step that makes a tree of these packages, and of what the lock says that they need."""

    def mirrored(self, recipe: Recipe, mirror: str) -> Mapping[str, str]:
        """The URL of each source of the recipe at a private mirror, by suite."""

    def snapshots(self, recipe: Recipe) -> Mapping[str, str]:
        """Where each source can be had as it was, with {time}, by suite; without those that have no such service."""


LOCKABLE: Mapping[str, Lockable] = {
    "apt": apt_locked,
    "dnf": RpmLocks(dnf.packages, dnf.lists),
    "zypper": RpmLocks(zypper.packages, zypper.lists),
}


def lockable(recipe: Recipe) -> Lockable:
    """What makes this recipe from a lock. Raises CallerError where nothing can."""
    if whole(recipe):
        raise CallerError(
            f"{recipe.name} is published as a whole image, of which a lock would name no package",
            "build it without --lock and --write-lock: its manifest has the digest of what it was made of",
        )
    try:
        return LOCKABLE[recipe.family]
    except KeyError:
        raise CallerError(
            f"images of the family {recipe.family} cannot be locked", "build it without --lock and --write-lock"
        ) from None
