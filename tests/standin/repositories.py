"""Making an rpm stand-in as root of its own view: base, pool, the recipe's packages, then its repositories.

All packages lie in the recipe's first repository; the others are there, signed where it says so, and empty.
"""

import base64
import os
import pickle
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from build import archive, cache, confined
from build.archive import Release
from build.errors import CallerError, MachineError
from build.privileges import entry
from build.progress import Progress
from build.workspace import Workspace
from distros.debian import TOOLS
from distros.recipe import Recipe, Repository
from tests.standin import Standin, base, flavour, pool, rpm
from tests.standin.flavour import LABEL, Flavour, Made
from tests.standin.key import Opened, SigningKey
from tests.standin.pool import Pool
from tests.standin.report import Invented

SOURCES = ("base", "carve", "dpkg", "flavour", "kernel", "key", "loaders", "parcel", "pool", "repositories", "rpm")
"""The modules of this package that every rpm stand-in is made by."""
ARCHITECTURE = "x86_64"
SERVED = "served"
LOG = "made.log"


def make(recipe: Recipe, words: Flavour, folder: Path, progress: Progress) -> Standin:
    """Fill the folder with the stand-in of this recipe. Raises CallerError where there is none for its architecture."""
    if recipe.arch != ARCHITECTURE:
        raise CallerError(f"there is no stand-in for {recipe.name} on {recipe.arch}", f"use --arch {ARCHITECTURE}")
    (state,) = archive.releases((TOOLS,), offline=False)
    here = base.folder(state).is_dir()
    letter = {"folder": str(folder), "values": base64.b64encode(pickle.dumps((recipe, words, state))).decode()}
    with progress.step(f"Stand-in of {recipe.name}" if here else f"Base and stand-in of {recipe.name}"):
        status = confined.call(entry(), __name__, letter)
    if status:
        raise MachineError(f"making the stand-in ended with status {status}", f"see {folder / LOG}")
    return load(recipe, folder)


def load(recipe: Recipe, folder: Path) -> Standin:
    """The stand-in in this folder."""
    return Standin(recipe, folder, Invented.load(folder), "")


def main(letter: Mapping[str, Any]) -> int:
    """The part that runs as root of its own view. The recipe comes pickled: a test's own is found by no name."""
    os.umask(0o022)
    recipe, words, state = pickle.loads(base64.b64decode(letter["values"]))
    folder = Path(letter["folder"])
    with cache.faults_explained(), (folder / LOG).open("w") as log:
        fill(recipe, words, state, folder, log)
    return 0


def fill(recipe: Recipe, words: Flavour, state: Release, folder: Path, log: IO[str]) -> None:
    """Make what is missing of base and pool, and the recipe's own part."""
    ground = base.make(state, log)
    shared = pool.make(ground, log)
    work = ground.workspace(f"{recipe.name}-{secrets.token_hex(4)}", log)
    cache.remove(work.folder)
    work.folder.mkdir(parents=True)
    work.file("root").mkdir()
    try:
        made = flavour.packages(recipe, words, ground, work, shared.names)
        rpms = rpm.build(work, tuple(made.packages.values()), work.file("root"))
        for name in ("key.asc", "secret.asc"):
            shutil.copy2(shared.folder / name, folder / name)
        with SigningKey(folder).opened(work.tool, work.folder) as opened:
            rpm.sign(work, sorted(rpms.glob("*.rpm")), opened)
            _repositories(recipe, rpms, shared, made, work, opened)
        shutil.move(work.file(SERVED), folder / SERVED)
    finally:
        cache.remove(work.folder)
    report(recipe, state, made).save(folder)


def _repositories(recipe: Recipe, rpms: Path, shared: Pool, made: Made, work: Workspace, key: Opened) -> None:
    replaced = {f"{name}-" for name in made.packages}
    for number, one in enumerate(one for one in recipe.archives if isinstance(one, Repository)):
        there = work.file(SERVED) / place(recipe, one)
        packages = there / "Packages"
        packages.mkdir(parents=True, exist_ok=True)
        for file in (*rpms.glob("*.rpm"), *shared.packages.glob("*.rpm")) if number == 0 else ():
            if file.parent == rpms or not _named(file, replaced):
                (packages / file.name).hardlink_to(file)
        rpm.describe(work, there, key if one.signed_metadata else None)


def place(recipe: Recipe, repository: Repository) -> str:
    """Where a mirror has a repository, below its URL."""
    return repository.path.replace("{arch}", recipe.arch).strip("/")


def _named(file: Path, prefixes: set[str]) -> bool:
    """Whether a package of the pool has a name that the recipe's own packages have too."""
    return f"{file.name.rsplit('-', 2)[0]}-" in prefixes


def report(recipe: Recipe, state: Release, made: Made) -> Invented:
    """What the stand-in is made of."""
    return Invented(
        recipe.name,
        f"{state.url} {state.suite} and GRUB of sid",
        (f"os-release says {LABEL}", f"releases of packages end in .{rpm.RELEASE_MARK}"),
        tuple(made.repacked),
        tuple(sorted(made.empty)),
    )
