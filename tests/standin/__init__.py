"""Stand-in mirrors: small signed mirrors in the shape of a distribution's own, made of Debian's packages.

They prove Kiln's code - names, keys, layouts, loaders, boots -, not a distribution's content. A recipe is never cut to
fit one: what the pool of packages lacks is made as an empty package, and the report names it.

A stand-in's folder holds `served/` (the mirror), `key.asc` (the public key that signs it), `report.json` (what was
invented) and `secret.asc` (the key itself, thrown away with the folder). Each kind has a module here with
`make(recipe, folder, progress)`, which fills such a folder.
"""

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from build import cache
from build.archive import releases
from build.errors import CallerError
from build.progress import Progress
from distros.debian import TRIXIE
from distros.recipe import Archive, Recipe
from tests.standin.key import SigningKey
from tests.standin.report import Invented

KINDS: Mapping[str, str] = {"apt": "apt", "dnf": "el", "zypper": "suse", "flatcar": "flatcar"}
"""The module of this package that makes the stand-in of a family's recipe; its name is the kind's."""
FIRST = {"apt": "ubuntu", "el": "almalinux", "suse": "opensuse", "flatcar": "flatcar"}
"""The distribution whose stand-in is made where the caller names the kind alone."""
MADE_FROM = tuple(one for one in TRIXIE.archives if isinstance(one, Archive))
"""The archives whose state decides what a stand-in's packages are.

Security updates are among them for a reason of the emulator's: in 6.12.107, the kernel of the main suite, a
cmpxchg16b is followed by a jump, and QEMU 7.2 leaves rubbish in the flags there: each guest ends in a double fault.
"""


@dataclass(frozen=True)
class Standin:
    """A stand-in mirror for one recipe, made.

    `mirror` is the mirror's own folder in what is served, as "/ubuntu"; `flags` are further words of the build command
    that the recipe needs with it.
    """

    recipe: Recipe
    folder: Path
    invented: Invented
    mirror: str
    flags: tuple[str, ...] = ()

    @property
    def served(self) -> Path:
        """The folder that a web server offers."""
        return self.folder / "served"

    @property
    def key(self) -> SigningKey:
        """The key that signs it."""
        return SigningKey(self.folder)

    @property
    def place(self) -> str:
        """Where a server offers `served`: a path of this very stand-in's.

        Two of them at one URL would look like an archive that was set back in time, which Kiln refuses.
        """
        return f"/{self.recipe.name}-{hashlib.sha256(self.key.public.read_bytes()).hexdigest()[:12]}"

    def url(self, server: str) -> str:
        """The mirror's URL at a server (its URL without a slash at the end) that offers it at its place."""
        return server + self.place + self.mirror

    def command(self, server: str) -> tuple[str, ...]:
        """The words of the build that uses it, served at its place by that server."""
        recipe = self.recipe
        what = ("--distro", recipe.distro, "--release", recipe.release, "--arch", recipe.arch)
        mirror = ("--mirror", self.url(server), "--mirror-key", str(self.key.public))
        return ("./kiln", "build", *what, *mirror, *self.flags)


class Maker(Protocol):
    """What a kind's module holds."""

    SOURCES: tuple[str, ...]
    """The modules of this package that decide what it makes: without them it would be made anew at each change."""

    def make(self, recipe: Recipe, folder: Path, progress: Progress) -> Standin:
        """Fill the folder, which is there and empty; leaves nothing else behind."""

    def load(self, recipe: Recipe, folder: Path) -> Standin:
        """The stand-in that `make` put into this folder."""


def maker(recipe: Recipe) -> Maker:
    """The module that makes this recipe's stand-in. Raises CallerError where there is none."""
    kind = KINDS.get(recipe.family)
    if kind is None:
        raise CallerError(f"there is no stand-in for {recipe.name}: its family is {recipe.family}")
    module: Maker = importlib.import_module(f"tests.standin.{kind}")
    return module


def standin(recipe: Recipe, progress: Progress, *, offline: bool = False) -> Standin:
    """The stand-in for a recipe, from the cache where it was made of the same packages by the same code."""
    makes = maker(recipe)
    name = f"{recipe.name}-{recipe.arch}-{_key(recipe, makes.SOURCES, offline=offline)}"
    folder = cache.folder() / "standins" / name
    with cache.locked(f"standin-{folder.name}", waiting=progress.note):
        if not folder.is_dir():
            fresh = folder.with_name(f"{folder.name}.partial")
            cache.remove(fresh)
            fresh.mkdir(parents=True)
            makes.make(recipe, fresh, progress)
            fresh.rename(folder)
    return makes.load(recipe, folder)


def _key(recipe: Recipe, sources: tuple[str, ...], *, offline: bool) -> str:
    """What names a stand-in: the recipe, the packages that it is made of, and the code that makes it."""
    states = [state.sha256 for state in releases(MADE_FROM, offline=offline)]
    code = [(Path(__file__).parent / f"{module}.py").read_bytes() for module in sources]
    return hashlib.sha256(repr((recipe, states, code)).encode()).hexdigest()[:16]
