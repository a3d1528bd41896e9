"""Trees from a tiny repository for subscribers alone, and what is left of their secrets: as root of its own view."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from build import cache, keys
from build.families import FAMILIES
from build.families.locked import lockable
from build.families.source import Sources
from distros import Recipe
from distros.recipe import Repository
from tests.build.centre import centre, credentials
from tests.build.families.tiny import Bench, bench, good, made, tiny_recipe, workspace
from tests.build.families.tiny_locked import forget_packages, lock_of
from tests.build.leaks import files_with
from tests.standin.serve import served
from tests.standin.subscription import Subscription

ACCESS = {"dnf": "entitlement", "zypper": "scc"}


def main(letter: Mapping[str, Any]) -> int:
    """Build, write the lock, build from it what the cache no longer has; then tell where a secret is found."""
    os.umask(0o022)
    began = time.time()
    with cache.faults_explained(), Path(letter["log"]).open("a") as log:
        with bench("subscribed", str(letter["family"]), log) as ground:
            good(ground)
            with archive(ground, letter) as (url, given):
                told = _trees(ground, letter, url, given, log)
        words = [word.encode() for word in letter["secrets"]]
        log.flush()
        assert list(files_with(words, Path(letter["folder"]))), "who looks for secrets finds none where they are"
        for place in (cache.folder(), Path(letter["log"])):
            told += [f"{path} holds a secret" for path in files_with(words, place, began)]
        Path(letter["result"]).write_text("\n".join(told))
    return 0


@contextmanager
def archive(ground: Bench, letter: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The repository behind what its subscribers must show; its address, and where what they show lies."""
    if letter["family"] == "zypper":
        with centre("/repo", root=ground.served) as server:
            yield server.url, credentials(Path(letter["folder"]), server.url)
        return
    folder = Path(letter["folder"])
    with served(ground.served, context=Subscription(folder, Path(letter["private"])).context()) as server:
        yield server.url, str(folder)


def _trees(ground: Bench, letter: Mapping[str, Any], url: str, given: str, log: Any) -> list[str]:
    recipe = subscribed(ground, str(letter["family"]), url)
    family = FAMILIES[recipe.family]
    states = family.states(recipe, Sources(credentials=given), lambda text: None)
    family.verify(states[0], ground.work.tools, mirror=True)
    words = [word.encode() for word in letter["secrets"]]
    with workspace(ground, letter, log, 0) as plain:
        work = replace(plain, credentials=given)
        told = [made(work, recipe, family.packages(recipe, tuple(letter["names"]), states))]
        lock = lock_of(recipe, states, family.installed(recipe, work), tuple(letter["names"]))
        told += [f"{path} holds a secret" for path in files_with(words, work.folder)]
    forget_packages()
    with workspace(ground, letter, log, 1) as plain:
        step = lockable(recipe).locked(recipe, lock.subject.asked, lock, {"tiny": lock.sources[0].places})
        told.append(made(replace(plain, credentials=given), recipe, step))
    written = f"{lock.text()} {[asdict(state) for state in states]} {asdict(recipe)}".encode()
    return told + ["what is written of it holds a secret" for word in words if word in written]


def subscribed(ground: Bench, family: str, url: str) -> Recipe:
    """The recipe of a family whose one repository is for subscribers."""
    keyring = keys.take(ground.key.public)
    one = Repository("tiny", f"{url}/repo", "repo", keyring, (), True, "test", access=ACCESS[family])
    return replace(tiny_recipe(family), archives=(one,))
