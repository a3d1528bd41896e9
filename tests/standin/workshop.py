"""Where a stand-in is made: as root of its own view, in a workspace below a tools tree, of an archive's packages."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from build import archive, cache, confined, tools
from build.archive import Release
from build.families import apt
from build.privileges import entry
from build.progress import Progress
from build.request import find_recipe
from build.workspace import Workspace
from distros.debian import TOOLS
from distros.recipe import Archive, Recipe
from tests.standin.key import SigningKey
from tests.standin.report import Invented

Maker = Callable[[Recipe, tuple[Release, ...], Workspace], Invented]
"""Makes `served` and the files of its key in the workspace, from these states of archives; tells what it invented."""


def send(module: str, recipe: Recipe, archives: Iterable[Archive], folder: Path, progress: Progress, base: str) -> None:
    """Have `main` of the module fill the folder, given the present state of the archives that `base` names."""
    (tools_state,) = archive.releases((TOOLS,), offline=False)
    letter = {
        "recipe": [recipe.distro, recipe.release, recipe.arch],
        "tools": asdict(tools_state),
        "states": [asdict(state) for state in archive.releases(tuple(archives), offline=False)],
        "folder": str(folder.absolute()),
    }
    with progress.step(f"Making a stand-in for {recipe.name} of {base}"):
        status = confined.call(entry(), module, letter)
    if status:
        raise KeyboardInterrupt


def work(letter: Mapping[str, Any], packages: tuple[str, ...], make: Maker) -> int:
    """Do what the letter says, as root of its own view; `packages` are those that the tools tree needs besides."""
    os.umask(0o022)
    recipe, states = find_recipe(*letter["recipe"]), tuple(map(apt.read_state, letter["states"]))
    folder = Path(letter["folder"])
    logs = cache.folder() / "logs"
    logs.mkdir(exist_ok=True)
    with (logs / f"standin-{recipe.name}-{recipe.arch}.log").open("w") as log:
        tree = tools.make(apt.read_state(letter["tools"]), packages, log, mirror=False, offline=False)
        name = f"standin-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
        place = Workspace(tree, name, cache.folder(), log, max(state.date for state in states))
        cache.remove(place.folder)
        place.folder.mkdir(parents=True)
        try:
            make(recipe, states, place).save(folder)
            for made in ("served", *SigningKey.FILES):
                shutil.move(place.file(made), folder / made)
        finally:
            cache.remove(place.folder)
    return 0
