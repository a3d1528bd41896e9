"""A spec's own repository beside a distribution's: apt, dnf or zypper installs from both, as root of its own view.

apt's distribution is Debian, of which a small tree is made; dnf's and zypper's is the tiny repository. What may be
wrong is a word of the letter; `main` raises what a build's caller is told.
"""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from build import archive, cache, keys, tools
from build.families import FAMILIES
from build.families.apt import AptPackages
from build.families.rpm.step import RpmPackages, kept_lists
from build.families.source import Sources
from build.spec import layered, load, sources
from build.spec.blame import explained
from build.spec.steps import steps
from build.workspace import Workspace
from distros import Recipe
from distros.debian import TOOLS, TRIXIE
from distros.recipe import Initramfs
from tests.build import deb_archive
from tests.build.archives import Signer
from tests.build.families.tiny import EPOCH, bench, served, tiny_recipe
from tests.standin import serve
from tests.standin.carve import Entry
from tests.standin.rpm import Package

EXTRA = Package("tiny-extra", requires=("tiny-base",), files=(Entry("/etc/extra", "file", 0o644),))
SPEC = """\
[packages]
add = ["{package}"]
[[repositories]]
name = "vendor"
type = "{kind}"
url = "{url}"
key = "{key}"
"""
OF_APT = f'suites = ["{deb_archive.SUITE}"]\ncomponents = ["{deb_archive.COMPONENT}"]\n'
NOWHERE = "http://127.0.0.1:9"
LEFT = (
    *("/etc/apt/sources.list.d/vendor*", "/etc/apt/keyrings/*"),
    *("/etc/yum.repos.d/*", "/etc/zypp/repos.d/*", "/etc/pki/rpm-gpg/*"),
)


@dataclass(frozen=True)
class Ground:
    """A distribution, and beside it a repository at `url`, signed by `key` and not by `wrong_key`."""

    work: Workspace
    recipe: Recipe
    sources: Sources
    names: tuple[str, ...]
    url: str
    key: Path
    wrong_key: Path


def main(letter: Mapping[str, Any]) -> int:
    """Install from both; `result` gets the packages, and then the files by which the image keeps the repository."""
    os.umask(0o022)
    fault, family = str(letter["trial"]), str(letter["family"])
    with cache.faults_explained(), Path(letter["log"]).open("a") as log, GROUNDS[family](fault, family, log) as ground:
        url = NOWHERE if fault == "unreachable" else ground.url
        key = ground.wrong_key if fault == "wrong_key" else ground.key
        package, kind, more = ("kiln-extra", "apt", OF_APT) if family == "apt" else ("tiny-extra", "rpm", "")
        file = ground.work.file("web.toml")
        file.write_text(SPEC.format(package=package, kind=kind, url=url, key=key) + more)
        told = _installed(ground, family, file)
    Path(letter["result"]).write_text("\n".join(told))
    return 0


def _installed(ground: Ground, family: str, file: Path) -> list[str]:
    spec, maker = load(file), FAMILIES[family]
    recipe = layered(ground.recipe, spec)
    given = replace(ground.sources, extra=sources(spec.repositories, recipe.arch))
    work = Workspace(ground.work.tools, f"{ground.work.name}-0", cache.folder(), ground.work.log, EPOCH)
    work.folder.mkdir(parents=True)
    try:
        with explained(spec, recipe):
            states = maker.states(recipe, given, lambda text: None)
            for state in states:
                maker.verify(state, work.tools, mirror=given.mirror is not None)
            step = maker.packages(recipe, (*ground.names, *spec.packages), states)
            with _nothing_kept(work, step):
                step.run(work)
        for one in steps(spec):
            one.run(work)
        names = [name for name, _, _ in maker.installed(recipe, work)]
        kept = [path for pattern in LEFT for path in work.glob(pattern)]
        lines = (work.path(path).read_text(errors="replace").splitlines() for path in kept)
        return [" ".join(names), *kept, *(line for one in lines for line in one)]
    finally:
        cache.remove(work.folder)


@contextmanager
def _nothing_kept(work: Workspace, step: Any) -> Iterator[None]:
    """The key is of this run alone, and so is all that the cache would keep for it."""
    shelf = work.cache / "packages" / step.shelf if isinstance(step, AptPackages) else None
    if shelf:
        shelf.mkdir(parents=True)
        for deb in (shelf.parent / TRIXIE.codename).glob("*.deb"):
            (shelf / deb.name).hardlink_to(deb)
    try:
        yield
    finally:
        for file in (work.cache / "trees").glob(f"{step.key}.*"):
            file.unlink()
        if isinstance(step, RpmPackages):
            cache.remove(kept_lists(work.cache, step.manager, step.repositories))
        else:
            cache.remove(work.cache / "lists" / step._state)
        if shelf:
            cache.remove(shelf)


@contextmanager
def _rpm(fault: str, family: str, log: IO[str]) -> Iterator[Ground]:
    with bench(f"extra-{fault}", family, log) as made:
        made.make(EXTRA)
        own = made.set_apart(EXTRA.name)
        with served(made) as url:
            mirror = Sources(url, keys.take(made.key.public))
            recipe, names = tiny_recipe(family), ("tiny-top",)
            yield Ground(made.work, recipe, mirror, names, f"{url}/extra", own.public, made.key.public)


@contextmanager
def _apt(fault: str, family: str, log: IO[str]) -> Iterator[Ground]:
    (state,) = archive.releases((TOOLS,), offline=False)
    tree = tools.make(state, FAMILIES[family].TOOLS, log, mirror=False, offline=False)
    work = Workspace(tree, f"extra-{fault}-{secrets.token_hex(4)}", cache.folder(), log, EPOCH)
    # No kernel, so no initramfs either.
    recipe = replace(TRIXIE, packages=(), debconf=(), early_files=(), initramfs=Initramfs("none", ""))
    with tempfile.TemporaryDirectory() as name, serve.served(Path(name) / "archive") as place:
        signers = [Signer(Path(name) / word) for word in ("own", "other")]
        deb_archive.make(Path(name) / "archive", None if fault == "unsigned" else signers[0])
        own, other = (one.keyring() for one in signers)
        for one in signers:
            one.end()
        work.folder.mkdir(parents=True)
        try:
            yield Ground(work, recipe, Sources(), ("systemd",), place.url, own, other)
        finally:
            cache.remove(work.folder)


GROUNDS: Mapping[str, Callable[[str, str, IO[str]], AbstractContextManager[Ground]]] = {
    "apt": _apt,
    "dnf": _rpm,
    "zypper": _rpm,
}
