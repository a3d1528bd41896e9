"""A tiny signed rpm-md repository, and dnf or zypper that installs from it: as root of its own view, one trial a call.

What may be wrong with a repository is a function of TRIALS here; `main` raises what the family raises.
"""

import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

from build import archive, cache, keys, tools
from build.command import run
from build.families import FAMILIES, trees
from build.families.source import Sources
from build.workspace import Workspace
from distros import Recipe, all_recipes
from distros.debian import TOOLS
from distros.recipe import Repository, Rpm, TextFile
from tests.standin import rpm as packages
from tests.standin.carve import Entry
from tests.standin.key import SigningKey

EPOCH = 1_700_000_000
DATABASE = "/usr/lib/sysimage/rpm"
BACKENDS = {"dnf": "sqlite", "zypper": "ndb"}


def tiny_recipe(family: str) -> Recipe:
    """A recipe of that family whose packages are the tiny repository's."""
    return replace(
        next(one for one in all_recipes() if one.family == family),
        archives=(Repository("tiny", "https://nowhere", "repo", "", (), True, "test"),),
        rpm=Rpm("10", BACKENDS[family], DATABASE),
        early_files=(TextFile("/etc/early", "before the packages\n"),),
    )


@dataclass
class Bench:
    """Where a trial's repository is made: `work` has the tools, `served` is what a web server offers."""

    work: Workspace
    served: Path
    key: SigningKey
    broken_off: str = ""
    """The name of a package of which the server sends one half."""

    @property
    def repository(self) -> Path:
        """The folder of packages."""
        return self.served / "repo"

    def make(self, *more: packages.Package, unsigned: str = "", foreign: str = "", lines: int = 20_000) -> None:
        """Make two packages, each of a file with so many lines, and `more`.

        All are signed but the one named `unsigned`; another key signs `foreign`.
        """
        root = self.work.file("root")
        (root / "etc").mkdir(parents=True)
        for name in ("base", "top", "extra"):
            (root / f"etc/{name}").write_text(f"{name}\n" * lines)
        two = (
            packages.Package("tiny-base", files=(Entry("/etc/base", "file", 0o644),)),
            packages.Package("tiny-top", requires=("tiny-base",), files=(Entry("/etc/top", "file", 0o640),)),
        )
        made = packages.build(self.work, (*two, *more), root)
        self.repository.mkdir(parents=True)
        for file in made.rglob("*.rpm"):
            shutil.copy(file, self.repository)
        other = self.work.file("other-key")
        other.mkdir()
        with self.key.opened(self.work.tool, self.work.folder) as opened:
            kept = [path for path in self.files() if not path.name.startswith((unsigned or "-", foreign or "-"))]
            packages.sign(self.work, kept, opened)
        if foreign:
            with SigningKey.make(other, self.work.tool, self.work.folder).opened(
                self.work.tool, self.work.folder
            ) as stranger:
                packages.sign(self.work, [path for path in self.files() if path.name.startswith(foreign)], stranger)
        self.describe()

    def describe(self) -> None:
        """Make the lists of what there is, and sign them."""
        shutil.rmtree(self.repository / "repodata", ignore_errors=True)
        with self.key.opened(self.work.tool, self.work.folder) as opened:
            packages.describe(self.work, self.repository, opened)

    def set_apart(self, name: str) -> SigningKey:
        """Move a package into a repository of its own, which another key signs; returns that key."""
        there, folder = self.served / "extra", self.work.file("extra-key")
        there.mkdir()
        folder.mkdir()
        file = self.package(name).rename(there / self.package(name).name)
        key = SigningKey.make(folder, self.work.tool, self.work.folder)
        with key.opened(self.work.tool, self.work.folder) as opened:
            packages.sign(self.work, [file], opened)
            packages.describe(self.work, there, opened)
        self.describe()
        return key

    def files(self) -> list[Path]:
        """The packages, sorted."""
        return sorted(self.repository.glob("*.rpm"))

    def package(self, name: str) -> Path:
        """The file of a package."""
        return next(path for path in self.files() if path.name.startswith(name))


def good(bench: Bench) -> None:
    bench.make()


def large(bench: Bench) -> None:
    """Little to fetch, 18 MB to install."""
    bench.make(lines=2_000_000)


def unsigned_package(bench: Bench) -> None:
    bench.make(unsigned="tiny-base")


def foreign_key(bench: Bench) -> None:
    bench.make(foreign="tiny-base")


def tampered_package(bench: Bench) -> None:
    bench.make()
    alter(bench.package("tiny-base"), -100)


def forged_package(bench: Bench) -> None:
    """With lists that fit it: whoever did that had the mirror's key, but not the packages'."""
    bench.make()
    alter(bench.package("tiny-base"), -100)
    bench.describe()


def tampered_list(bench: Bench) -> None:
    bench.make()
    alter(next(bench.repository.glob("repodata/*-primary.xml*")), 40)


def tampered_metadata(bench: Bench) -> None:
    bench.make()
    file = bench.repository / "repodata/repomd.xml"
    file.write_text(file.read_text().replace("<revision>", "<revision>1"))


def missing_package(bench: Bench) -> None:
    bench.make()
    bench.package("tiny-base").unlink()


def mirror_that_dies(bench: Bench) -> None:
    bench.make()
    bench.broken_off = bench.package("tiny-base").name


def broken_scriptlet(bench: Bench) -> None:
    shell = packages.Package("sh", provides=("/bin/sh",))
    bench.make(shell, packages.Package("tiny-broken", requires=("sh",), scripts=(("pre", "exit 7"),)))


def scriptlet_that_complains(bench: Bench) -> None:
    bench.make(packages.Package("tiny-broken", scripts=(("post -p <lua>", "error('not today')"),)))


def many(bench: Bench) -> None:
    """Packages with something to choose among them, whose scripts write down in which order they came."""
    leaves = [f"tiny-{letter}" for letter in "phqbxkcz"]
    picks = [_noting(f"tiny-pick-{letter}", provides=("tiny-pick",)) for letter in "yan"]
    tied = [_noting(name, requires=tuple(leaves[:number:3])) for number, name in enumerate(leaves)]
    bench.make(*tied, *picks, _noting("tiny-many", requires=("tiny-pick", *leaves)))


def _noting(name: str, **more: Any) -> packages.Package:
    words = f'local file = io.open("/etc/order", "a"); file:write("{name}\\n"); file:close()'
    return packages.Package(name, scripts=(("post -p <lua>", words),), **more)


TRIALS: Mapping[str, Callable[[Bench], None]] = {
    one.__name__: one
    for one in (
        *(
            good,
            large,
            unsigned_package,
            foreign_key,
            tampered_package,
            forged_package,
            tampered_list,
            tampered_metadata,
        ),
        *(missing_package, mirror_that_dies, broken_scriptlet, scriptlet_that_complains, many),
    )
}


def renewed(bench: Bench) -> None:
    """A newer version of a package, and one that was not there before."""
    for left in ("lists", "rpms"):
        cache.remove(bench.work.file(left))
    two = (packages.Package("tiny-base", version="2"), packages.Package("tiny-other"))
    made = [
        Path(shutil.copy(file, bench.repository))
        for file in packages.build(bench.work, two, bench.work.file("root")).rglob("*.rpm")
    ]
    with bench.key.opened(bench.work.tool, bench.work.folder) as opened:
        packages.sign(bench.work, made, opened)
    bench.describe()


def without_packages(bench: Bench) -> None:
    """Lists, and nothing of what they list."""
    for file in bench.files():
        file.unlink()


BETWEEN: Mapping[str, Callable[[Bench], None]] = {one.__name__: one for one in (renewed, without_packages)}
"""What may happen to a repository before its packages are added to a tree that was made of them."""


def alter(file: Path, at: int) -> None:
    """Turn one byte over."""
    content = bytearray(file.read_bytes())
    content[at] ^= 0xFF
    file.write_bytes(content)


def main(letter: Mapping[str, Any]) -> int:
    """Make the trial's repository, install from it `runs` times, and write what came of it to `result`."""
    os.umask(0o022)
    with cache.faults_explained(), Path(letter["log"]).open("a") as log:
        with bench(str(letter["trial"]), str(letter["family"]), log) as ground:
            TRIALS[letter["trial"]](ground)
            told = [install(ground, letter, log, number) for number in range(int(letter.get("runs", 1)))]
        Path(letter["result"]).write_text("\n".join(told))
    return 0


@contextmanager
def bench(name: str, family: str, log: IO[str]) -> Iterator[Bench]:
    """Tools and a key in a folder that goes with the trial."""
    (state,) = archive.releases((TOOLS,), offline=os.environ.get("KILN_TEST_OFFLINE") == "1")
    tree = tools.make(state, FAMILIES[family].TOOLS, log, mirror=False, offline=False)
    work = Workspace(tree, f"tiny-{family}-{name}-{secrets.token_hex(4)}", cache.folder(), log, EPOCH)
    try:
        work.folder.mkdir(parents=True)
        (work.file("key")).mkdir()
        key = SigningKey.make(work.file("key"), work.tool, work.folder)
        yield Bench(work, work.file("served"), key)
    finally:
        cache.remove(work.folder)


def install(bench: Bench, letter: Mapping[str, Any], log: IO[str], number: int) -> str:
    """Install from the repository over loopback; returns the digest of the tree, its packages and its warnings."""
    with served(bench) as url, workspace(bench, letter, log, number) as work:
        recipe = tiny_recipe(str(letter["family"]))
        step, _ = asked(bench, recipe, url, tuple(letter["names"]))
        told = made(work, recipe, step)
        if "between" not in letter:
            return told
        BETWEEN[letter["between"]](bench)
        return _changed(work, recipe, asked(bench, recipe, url, ())[1], letter)


@contextmanager
def workspace(bench: Bench, letter: Mapping[str, Any], log: IO[str], number: int) -> Iterator[Workspace]:
    """A workspace for one run; with `room` in the letter it is no larger."""
    work = Workspace(bench.work.tools, f"{bench.work.name}-{number}", cache.folder(), log, EPOCH)
    try:
        if letter.get("room"):
            work.folder.mkdir(parents=True)
            run("mount", "-t", "tmpfs", "-o", f"size={letter['room']}", "tmpfs", work.folder)
        yield work
    finally:
        if letter.get("room"):
            run("umount", work.folder)
        cache.remove(work.folder)


def asked(bench: Bench, recipe: Recipe, url: str, names: tuple[str, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The step that installs these packages from the repository, and the repository's state."""
    family = FAMILIES[recipe.family]
    states = family.states(recipe, Sources(url, keys.take(bench.key.public)), lambda text: None)
    for state in states:
        family.verify(state, bench.work.tools, mirror=True)
    return family.packages(recipe, names, states), states


def made(work: Workspace, recipe: Recipe, step: Any) -> str:
    """Run the step; returns the digest of the tree, its packages, what lies where, and the warnings."""
    tar = work.cache / "trees" / f"{step.key}.tar.zst"
    tar.unlink(missing_ok=True)
    step.run(work)
    digest = hashlib.sha256(tar.read_bytes()).hexdigest()
    tar.unlink()
    assert (work.tree / "etc/early").read_text() == "before the packages\n"
    left = sorted(path.name for path in work.tree.iterdir() if path.name not in (*trees.MOUNTED, "run", "tmp"))
    files = sorted(path.name for path in (work.tree / DATABASE.lstrip("/")).iterdir())
    names = [name for name, _, _ in FAMILIES[recipe.family].installed(recipe, work)]
    return " ".join((digest, *names, *left, *files, *work.warnings()))


def _changed(work: Workspace, recipe: Recipe, states: tuple[Any, ...], letter: Mapping[str, Any]) -> str:
    """Add packages to the tree and take some out, as on an image; returns what is installed, with versions."""
    family = FAMILIES[recipe.family]
    changed = replace(recipe, removed=tuple(letter.get("removed", ())))
    family.additions(changed, tuple(letter["added"]), states).run(work)
    files = sorted(path.name for path in work.tree.glob("etc/*") if path.is_file())
    return " ".join((*(f"{name}-{version}" for name, version, _ in family.installed(recipe, work)), *files))


@contextmanager
def served(bench: Bench) -> Iterator[str]:
    """The repository over HTTP; of a package that breaks off one half."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *words: Any) -> None:
            super().__init__(*words, directory=str(bench.served))

        def do_GET(self) -> None:
            if not bench.broken_off or not self.path.endswith(bench.broken_off):
                super().do_GET()
                return
            content = bench.package("tiny-base").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
