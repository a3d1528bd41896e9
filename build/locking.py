"""Locks on their way in and out of a build: taken and checked before it, written after it."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from build import archive, cache, fetch, tools, wholefile
from build.archive import Release
from build.errors import CallerError, MachineError
from build.families import apt, family
from build.families.locked import lockable
from build.lock import Lock, LockedSource, Subject, snapshot, without_password
from build.manifest import Manifest
from build.order import Order
from build.plan import Choices, package_names
from build.spec import Spec
from build.spec import sources as spec_sources
from distros.recipe import Archive, Recipe


def subject(recipe: Recipe, choices: Choices) -> Subject:
    """What a lock of this image is for. Raises CallerError where there can be none."""
    lockable(recipe)
    if choices.base:
        raise CallerError(
            "an image on a base cannot be locked: the base's digest fixes it",
            "give --base FILE --base-sha256 DIGEST without --lock and --write-lock",
        )
    _require_names(recipe, choices.spec)
    return Subject(
        recipe.name,
        recipe.arch,
        choices.generation,
        choices.provisioner,
        choices.kernel,
        package_names(recipe, choices),
        recipe.removed,
        tuple(f"{one.name} {without_password(one.url)}" for one in choices.spec.repositories),
    )


def _require_names(recipe: Recipe, spec: Spec) -> None:
    """Raise CallerError where two sources of packages have one name, by which a lock tells them apart."""
    sources = (*recipe.archives, *spec_sources(spec.repositories, recipe.arch))
    names = [name for one in sources for name in (one.suites if isinstance(one, Archive) else (one.name,))]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CallerError(
            f"{spec.file}: a lock cannot tell apart the sources that are both called {twice[0]}",
            "give the spec's repository a name or suite of its own, or leave --lock and --write-lock out",
        )


def take(file: Path, recipe: Recipe, choices: Choices) -> Lock:
    """The lock that a file holds, if it is for this image. Raises CallerError."""
    wanted = subject(recipe, choices)
    lock = Lock.load(file)
    lock.require(wanted)
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None and given != str(lock.epoch):
        raise CallerError(
            f"SOURCE_DATE_EPOCH is {given!r}, the lock says {lock.epoch}", "unset it: a lock holds the source date"
        )
    return lock


def states(lock: Lock, recipe: Recipe) -> tuple[Any, ...]:
    """The states of the archives that the lock names. Raises CallerError where they are of another family."""
    try:
        return tuple(family(recipe).read_state(source.state) for source in lock.sources)
    except (TypeError, KeyError) as damage:
        raise CallerError(f"the lock's sources are not what {recipe.name} has: {damage}", "write a new lock") from None


def places(lock: Lock, recipe: Recipe, mirror: str | None) -> Mapping[str, tuple[str, ...]]:
    """Where to look for each source's packages, best first: at the mirror, where they came from, at the snapshot."""
    mirrored = lockable(recipe).mirrored(recipe, mirror) if mirror else {}
    return {
        source.suite: tuple(
            # A private server's place is in no lock.
            place
            for place in dict.fromkeys((mirrored.get(source.suite, ""), *source.places))
            if place.startswith(("http://", "https://"))
        )
        for source in lock.sources
    }


def tools_state(lock: Lock, recipe: Recipe, *, offline: bool) -> Release:
    """The state of the tools' archive, which is asked only where that tools tree is not in the cache.

    Raises MachineError where it has to be made and the archive as it was is out of reach.
    """
    state = apt.read_state(lock.tools.state)
    if offline or tools.folder(state, family(recipe).TOOLS).is_dir():
        return state
    for place in lock.tools.places:
        if _has(place, state):
            return replace(state, url=place)
    raise MachineError(
        f"the lock's tools are not to be had: {' and '.join(lock.tools.places)} have another state of {state.suite}",
        f"a machine that built from this lock has them in its cache, below tools/; copy them to {cache.folder()}",
    )


def _has(place: str, state: Release) -> bool:
    """Whether the archive at this place is in that state still; its release file is kept then."""
    try:
        content = fetch.small(f"{place}/dists/{state.suite}/InRelease")
    except MachineError:
        return False
    if hashlib.sha256(content).hexdigest() != state.sha256:
        return False
    wholefile.write(archive.kept(state), content)
    return True


def made(order: Order, manifest: Manifest) -> Lock:
    """The lock of an image that was built. Raises MachineError where the cache no longer knows its packages."""
    if order.lock:
        return order.lock
    maker = lockable(order.recipe)
    installed = tuple((one.name, one.version, one.arch) for one in manifest.packages)
    templates = maker.snapshots(order.recipe)
    return Lock(
        subject(order.recipe, order.choices),
        order.epoch,
        tuple(_source(state, templates.get(state.suite, ""), order.public(state.url)) for state in order.states),
        _source(order.tools, tools.ARCHIVE.snapshots, order.tools.url),
        maker.lock_packages(cache.folder(), order.states, installed),
    )


def _source(state: Any, template: str, url: str) -> LockedSource:
    told = {**asdict(state), "url": without_password(url)}
    return LockedSource(told, snapshot(template, state.date) if template else "")
