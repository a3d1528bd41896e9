"""A tree from a lock of the tiny repository, in whatever state that is by then: as root of its own view."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from build import cache
from build.families import FAMILIES
from build.families.locked import lockable
from build.lock import Lock, LockedSource, Subject
from distros.recipe import Recipe
from tests.build.families.tiny import EPOCH, TRIALS, Bench, alter, asked, bench, made, served, tiny_recipe, workspace
from tests.standin import rpm as packages


@dataclass(frozen=True)
class Locking:
    """A repository, and how trees are made from it: `letter` is the test's request."""

    bench: Bench
    recipe: Recipe
    letter: Mapping[str, Any]
    log: IO[str]

    def first(self, url: str, number: int = 0, *, offline: bool = False) -> tuple[str, Lock]:
        """What a build without a lock tells, and its lock."""
        step, states = asked(self.bench, self.recipe, url, tuple(self.letter["names"]))
        with workspace(self.bench, self.letter, self.log, number) as work:
            told = made(replace(work, offline=offline), self.recipe, step)
            found = FAMILIES[self.recipe.family].installed(self.recipe, work)
        return told, lock_of(self.recipe, states, found, tuple(self.letter["names"]))

    def again(self, lock: Lock, number: int, *, offline: bool = False) -> str:
        """What a build from the lock tells."""
        step = lockable(self.recipe).locked(
            self.recipe, lock.subject.asked, lock, {one.suite: one.places for one in lock.sources}
        )
        with workspace(self.bench, self.letter, self.log, number) as work:
            return made(replace(work, offline=offline), self.recipe, step)


def lock_of(
    recipe: Recipe, states: Iterable[Any], installed: Iterable[tuple[str, str, str]], names: tuple[str, ...]
) -> Lock:
    """The lock of what is installed, as its file would give it."""
    named = lockable(recipe).lock_packages(cache.folder(), tuple(states), installed)
    sources = tuple(LockedSource(asdict(state)) for state in states)
    lock = Lock(Subject(recipe.name, recipe.arch, "2", "none", "", names), EPOCH, sources, sources[0], named)
    return Lock.read(json.loads(lock.text()))


def main(letter: Mapping[str, Any]) -> int:
    """Make the trial's repository, install from it, and from the lock of that as `locked` says."""
    os.umask(0o022)
    with cache.faults_explained(), Path(letter["log"]).open("a") as log:
        with bench(f"{letter['trial']}-locked", str(letter["family"]), log) as ground:
            TRIALS[letter["trial"]](ground)
            locking = Locking(ground, tiny_recipe(str(letter["family"])), letter, log)
            with served(ground) as url:
                told = SCENES[letter["locked"]](locking, url)
        Path(letter["result"]).write_text("\n".join(told))
    return 0


def moved_on(locking: Locking, url: str) -> list[str]:
    """From the cache; from the cache when the archive no longer has it; from the archive when the cache has nothing."""
    told, lock = locking.first(url)
    found = [told, locking.again(lock, 1)]
    before = shutil.copytree(locking.bench.repository, locking.bench.served / "before")
    _move_on(locking.bench)
    found.append(locking.again(lock, 2))
    shutil.rmtree(locking.bench.repository)
    before.rename(locking.bench.repository)
    forget_packages()
    return [*found, locking.again(lock, 3)]


def gone(locking: Locking, url: str) -> list[str]:
    """Neither the cache nor the archive has it."""
    _, lock = locking.first(url)
    _move_on(locking.bench)
    forget_packages()
    return [locking.again(lock, 1)]


def forged(locking: Locking, url: str) -> list[str]:
    """The lock names a package whose signature does not hold."""
    _, lock = locking.first(url)
    file = locking.bench.package("tiny-base")
    alter(file, -100)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    named = tuple(replace(one, sha256=digest) if one.name == "tiny-base" else one for one in lock.packages)
    return [locking.again(replace(lock, packages=named), 1)]


def offline(locking: Locking, url: str) -> list[str]:
    """The cache has it all."""
    told, lock = locking.first(url)
    same, _ = locking.first(url, 1, offline=True)
    return [told, same, locking.again(lock, 2, offline=True)]


def offline_with_lists_alone(locking: Locking, url: str) -> list[str]:
    """The cache has the lists, and the packages no more."""
    locking.first(url)
    forget_packages()
    return [locking.first(url, 1, offline=True)[0]]


SCENES: Mapping[str, Callable[[Locking, str], list[str]]] = {
    one.__name__: one for one in (moved_on, gone, forged, offline, offline_with_lists_alone)
}


def _move_on(ground: Bench) -> None:
    """The archive has a newer tiny-base alone."""
    for file in ground.files():
        file.unlink()
    for left in ("lists", "rpms", "root", "top", "standin.spec"):
        cache.remove(ground.work.file(left))
    ground.work.file("root").mkdir()
    built = packages.build(ground.work, (packages.Package("tiny-base", "2"),), ground.work.file("root"))
    for file in built.rglob("*.rpm"):
        shutil.copy(file, ground.repository)
    with ground.key.opened(ground.work.tool, ground.work.folder) as opened:
        packages.sign(ground.work, ground.files(), opened)
    ground.describe()


def forget_packages() -> None:
    """Take every tiny package out of the cache."""
    for file in cache.folder().glob("packages/*/tiny-*.rpm"):
        file.unlink(missing_ok=True)
