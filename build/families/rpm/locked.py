"""Images of rpm packages from a lock: the same tree, made from exactly the packages that a lock names.

dnf and zypper install from repositories that hold nothing else. The digests of the lock let a package in, and rpm
checks its signature as it does without a lock, by the keys of the source that it came from.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from build import entitlement, keys, packages, scc
from build.errors import CallerError, MachineError
from build.families import trees
from build.families.locked_tree import LockedTree
from build.families.rpm.asking import located
from build.families.rpm.database import installed_in
from build.families.rpm.lists import AGAIN, Nevra, listed
from build.families.rpm.offered import DESCRIBE, offered
from build.families.rpm.state import Metadata, read_state
from build.families.rpm.step import RpmPackages
from build.families.source import Sources
from build.lock import Lock, LockedPackage
from build.workspace import Workspace
from distros.recipe import Recipe, Repository


@dataclass(frozen=True)
class RpmLocks:
    """What a family of rpm packages has for locks (`build.families.locked.Lockable`): its own step, and where it keeps
    the package lists of states."""

    packages: Callable[[Recipe, tuple[str, ...], tuple[Metadata, ...]], RpmPackages]
    lists: Callable[[Path, tuple[Metadata, ...]], Mapping[str, Path]]

    def lock_packages(
        self, work_cache: Path, states: tuple[Metadata, ...], installed: Iterable[Nevra]
    ) -> tuple[LockedPackage, ...]:
        """What the package lists of these states tell of installed packages; of one that two sources have, the first.

        Raises MachineError where the lists are gone or lack one.
        """
        wanted, folders = set(installed), self.lists(work_cache, states)
        if gone := [state for state in states if state.suite not in folders]:
            raise MachineError(f"the cache lacks the package lists of {gone[0].url}", AGAIN)
        found: dict[Nevra, LockedPackage] = {}
        for one in listed(folders, states, wanted):
            found.setdefault((one.name, one.version, one.arch), one)
        if missing := sorted(wanted - found.keys()):
            raise MachineError(f"the cache's package lists do not tell of {' '.join(missing[0])}", AGAIN)
        return tuple(sorted(found.values()))

    def locked(
        self, recipe: Recipe, names: tuple[str, ...], lock: Lock, places: Mapping[str, tuple[str, ...]]
    ) -> "LockedRpm":
        """The step that makes a tree of these packages, and of what the lock says that they need."""
        states = tuple(read_state(source.state) for source in lock.sources)
        return LockedRpm(self.packages(recipe, names, states), lock.packages, places)

    def mirrored(self, recipe: Recipe, mirror: str) -> dict[str, str]:
        """The URL of each repository at a private mirror."""
        own = [one for one in recipe.archives if isinstance(one, Repository)]
        return {one.name: located(one, recipe.arch, Sources(mirror)).url for one in own}

    def snapshots(self, recipe: Recipe) -> dict[str, str]:
        """None: no distribution of rpm packages has a service that gives its repositories as of a moment."""
        return {}


@dataclass(frozen=True)
class LockedRpm(LockedTree[RpmPackages]):
    """What the lock names, offered as repositories of their own."""

    how = DESCRIBE

    def install(self, work: Workspace) -> None:
        """Raises CallerError where the caller's own key is not here."""
        for state in self.asked.repositories:
            _require_key(state, work)
        files = zip(self.packages, self._gathered(work), strict=True)
        trees.fresh(work)
        with self.asked.filling(work), offered(work, self.asked.repositories, files) as offers:
            self.asked.fill(work, offers)

    def shelves(self, work: Workspace) -> tuple[Path, ...]:
        """Where each repository's packages are kept."""
        return tuple(self.asked.shelf(work, one) for one in self.asked.repositories)

    def installed(self, work: Workspace) -> tuple[Nevra, ...]:
        """What rpm tells."""
        return installed_in(work, self.asked.rpm)

    def _gathered(self, work: Workspace) -> tuple[Path, ...]:
        """The packages' files; a source of subscribers is shown what the caller gave for it."""
        given = "" if work.offline else work.credentials
        registered = [one for one in self.asked.repositories if one.access == scc.ACCESS]
        ways = scc.ways((replace(one, url=url) for one in registered for url in self.places[one.suite]), given)
        subscribed = [one.suite for one in self.asked.repositories if given and one.access == entitlement.ACCESS]
        contexts = {suite: entitlement.context(Path(given)) for suite in subscribed}
        places = {suite: tuple(ways.get(url, url) for url in urls) for suite, urls in self.places.items()}
        with scc.redactor(ways, given).errors():
            return packages.gather(self.packages, places, work.cache, offline=work.offline, contexts=contexts)


def _require_key(state: Metadata, work: Workspace) -> None:
    """Raise CallerError where the caller's own key, by which a source's packages are signed, is not here."""
    if state.keyring.startswith(keys.GIVEN) and not keys.located(state.keyring, work.tools).is_file():
        raise CallerError(
            f"the lock's packages of {state.suite} are signed by a key that this machine does not have",
            "name the key with which the lock was written: --mirror-key FILE",
        )
