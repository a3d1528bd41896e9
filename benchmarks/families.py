"""How long trees and disks of other families take, beside the programs that do the most of it: dnf, mmdebstrap, mke2fs.

    .venv/bin/python benchmarks/families.py [--el almalinux] [--ubuntu 24.04] [--only el|ubuntu] [--runs 2]

Builds from stand-ins (see `./kiln standin`), in a cache of its own beside the usual one, where the stand-ins are. Run
it on a quiet machine. Each figure is the least of its runs, which take turns with what they are compared with; ratios
follow, with the most that each may be.
"""

import argparse
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from build import archive, cache, confined, keys, mmdebstrap, tools
from build.families import dnf, family
from build.families.apt import AptPackages
from build.families.dnf import DnfPackages
from build.families.rpm.settings import key_files, write_settings
from build.families.source import Sources
from build.filesystems import MKE2FS, FillRoot, PartitionDisk
from build.initramfs import MakeInitramfs
from build.plan import Choices, plan
from build.privileges import entry
from build.progress import Progress
from build.request import BuildRequest, choose, find_recipe
from build.workspace import Workspace
from distros import Recipe
from distros.debian import TOOLS
from tests.standin import standin
from tests.standin.serve import served

SMALL = 3 << 30
LIMITS = {"dnf": 1.3, "mmdebstrap": 1.1, "mke2fs": 2.0}
"""How many times as long as the program alone Kiln may take."""
DNF_ALONE = """\
[main]
best=1
gpgcheck=1
install_weak_deps=0
keepcache=1
plugins=0
metadata_expire=-1
cachedir={cache}
logdir={cache}
persistdir={cache}
reposdir=/nonexistent
varsdir=/nonexistent
module_platform_id=platform:el{release}
excludepkgs={excluded}
"""
DNF_CACHE = "/cache"
"""Where dnf has its cache in the tree, from where a link leads out: the packages outlive the tree."""
REPOSITORY = "[{name}]\nname={name}\nbaseurl={url}\ngpgkey={keys}\n"


def front() -> int:
    """Make the stand-ins, serve them, and take the figures as root of our own view."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--el", default="almalinux", help="one of RHEL's family")
    options.add_argument("--ubuntu", default="24.04", help="a release of Ubuntu")
    options.add_argument("--only", choices=("el", "ubuntu"), help="the figures of one of them alone")
    options.add_argument("--runs", type=int, default=2)
    given = options.parse_args()
    both = {"el": (given.el, None), "ubuntu": ("ubuntu", given.ubuntu)}
    wanted = [find_recipe(*which, "x86_64") for name, which in both.items() if given.only in (None, name)]
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=cache.folder()) as folder:
        for recipe in wanted:
            made = standin(recipe, Progress())
            with served(made.served) as here:
                letter = {
                    "distro": recipe.distro,
                    "release": recipe.release,
                    "mirror": here.url + made.mirror,
                    "key": str(made.key.public),
                    "folder": folder,
                    "runs": given.runs,
                }
                if status := confined.call(entry(), "benchmarks.families", letter):
                    return status
    return 0


def main(letter: Mapping[str, Any]) -> int:
    """The part that runs as root of its own view: one family."""
    os.umask(0o022)
    recipe = find_recipe(letter["distro"], letter["release"], "x86_64")
    with (Path(letter["folder"]) / "log").open("a") as log, bench(recipe, letter, log) as made:
        if recipe.family == "dnf":
            against_dnf(made)
        else:
            against_mmdebstrap(made)
        against_mke2fs(made)
    return 0


@dataclass(frozen=True)
class Bench:
    """Where one recipe is measured: `step` makes its tree in `work`, `others` are the steps behind it."""

    recipe: Recipe
    work: Workspace
    step: Any
    others: tuple[Any, ...]
    states: tuple[Any, ...]
    runs: int


@contextmanager
def bench(recipe: Recipe, letter: Mapping[str, Any], log: IO[str]) -> Iterator[Bench]:
    """The recipe with an image's choices, from the mirror that the letter names."""
    made_of = family(recipe)
    (release,) = archive.releases((TOOLS,), offline=False)
    programs = tools.make(release, made_of.TOOLS, log, mirror=False, offline=False)
    states = made_of.states(recipe, Sources(letter["mirror"], keys.take(Path(letter["key"]))), lambda text: None)
    for state in states:
        made_of.verify(state, programs, mirror=True)
    epoch = max(state.date for state in states)
    choices: Choices = choose(recipe, BuildRequest(recipe.distro, recipe.release, size=SMALL))
    step, *others = plan(recipe, choices, states, epoch).steps
    work = Workspace(programs, f"benchmark-{secrets.token_hex(4)}", Path(letter["folder"]) / recipe.name, log, epoch)
    work.folder.mkdir(parents=True)
    work.cache.mkdir()
    try:
        yield Bench(recipe, work, step, tuple(others), states, int(letter["runs"]))
    finally:
        cache.remove(work.folder)


@dataclass(frozen=True)
class Turn:
    """Something to measure: `prepare` is done before and not counted."""

    prepare: Callable[[], object]
    work: Callable[[], object]

    def seconds(self) -> float:
        """How long it takes."""
        self.prepare()
        started = time.monotonic()
        self.work()
        return time.monotonic() - started


def kilns_tree(made: Bench) -> Turn:
    """The tree as a build makes it that has its packages, and no tree, in the cache."""

    def drop() -> None:
        cache.remove(made.work.cache / "trees")
        cache.remove(made.work.tree)

    return Turn(drop, lambda: made.step.run(made.work))


def against_dnf(made: Bench) -> None:
    """The tree beside dnf alone, which fills an empty folder and has its packages in its cache."""
    assert isinstance(made.step, DnfPackages)
    kiln = kilns_tree(made)
    kiln.seconds()  # fetches the packages
    alone = dnf_alone(made.work, made.step)
    alone.seconds()
    told("tree", made.recipe, "dnf", *in_turn(made.runs, kiln, alone))


def dnf_alone(work: Workspace, step: DnfPackages) -> Turn:
    """What installs the step's packages by dnf alone, with rpm's settings as a build has them: so it is no slower."""
    target = Workspace(work.tools, f"{work.name}/alone", work.cache, work.log, work.epoch)
    target.file(DNF_CACHE.lstrip("/")).mkdir(parents=True)
    settings = write_settings(target, step.rpm, step.repositories)
    file = target.file("dnf.conf")
    main = DNF_ALONE.format(cache=DNF_CACHE, release=step.rpm.release, excluded=",".join(step.rpm.excluded))
    for state in step.repositories:
        found = " ".join(f"file://{path}" for path in key_files(target, state))
        main += REPOSITORY.format(name=state.suite, url=state.url, keys=found)
    file.write_text(main)

    def empty() -> None:
        cache.remove(target.tree)
        target.tree.mkdir()
        (target.tree / DNF_CACHE.lstrip("/")).symlink_to(f"..{DNF_CACHE}")

    words: tuple[str | Path, ...] = (
        *dnf.DNF,
        "--config",
        file,
        "--installroot",
        target.tree,
        "--releasever",
        step.rpm.release,
        "install",
    )
    env = {**dnf.ENVIRONMENT, **settings}
    return Turn(empty, lambda: target.installer(*words, *step.packages, env=env))


def against_mmdebstrap(made: Bench) -> None:
    """The tree beside mmdebstrap called as anybody would, with its packages in its cache, into a packed archive.

    It need not wait for the disk either, so that it is no slower.
    """
    assert isinstance(made.step, AptPackages)
    step, kiln = made.step, kilns_tree(made)
    kiln.seconds()
    work, kept = made.work, made.work.cache / "packages" / step.shelf
    hand_over = f'mkdir -p "$1/var/cache/apt/archives"; cp -l {kept}/*.deb "$1/var/cache/apt/archives/"'
    asked = [f'--essential-hook=echo "{line}" | chroot "$1" debconf-set-selections' for line in step.debconf]
    target = work.file("alone.tar.zst")
    words: tuple[str | Path, ...] = (
        *("--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(step.packages)}"),
        *('--aptopt=APT::Install-Recommends "false"', "--dpkgopt=force-unsafe-io", "--skip=essential/unlink"),
        *(f"--setup-hook={hand_over}", *asked),
        *(step.suite, target, *step.sources(work)),
    )
    env = {"TMPDIR": str(work.folder)}
    alone = Turn(lambda: target.unlink(missing_ok=True), lambda: mmdebstrap.run(*words, log=work.log, env=env))
    told("tree", made.recipe, "mmdebstrap", *in_turn(made.runs, kiln, alone))


def against_mke2fs(made: Bench) -> None:
    """The steps that make the disk beside mke2fs alone, of the same tree; dracut's initramfs is left out."""
    work = made.work
    start = next(number for number, one in enumerate(made.others) if isinstance(one, PartitionDisk))
    for step in made.others[:start]:
        if not isinstance(step, MakeInitramfs):
            step.run(work)
    stage = made.others[start:]
    size = next(one.layout.root.size for one in stage if isinstance(one, FillRoot))
    file = work.file("alone.img")
    bare: tuple[str | Path, ...] = (MKE2FS, "-q", "-F", "-t", "ext4", "-d", work.tree, file, f"{size // 1024}k")
    steps = [Turn(lambda: None, partial(step.run, work)) for step in stage]
    taken: list[list[float]] = []
    kiln = Turn(lambda: None, lambda: taken.append([step.seconds() for step in steps]))
    alone = Turn(lambda: file.unlink(missing_ok=True), lambda: work.tool(*bare))
    alone.seconds()  # has the tree in memory, for both
    told("disk", made.recipe, "mke2fs", *in_turn(made.runs, kiln, alone))
    for step, least in zip(stage, (min(column) for column in zip(*taken, strict=True)), strict=True):
        line(f"  {step.describe().splitlines()[0]}", least, "s")


def in_turn(runs: int, kiln: Turn, alone: Turn) -> tuple[float, float]:
    """The least seconds of each, measured in turn."""
    taken = [(kiln.seconds(), alone.seconds()) for _ in range(runs)]
    return min(pair[0] for pair in taken), min(pair[1] for pair in taken)


def told(what: str, recipe: Recipe, program: str, kiln: float, alone: float) -> None:
    """Print both figures and their ratio."""
    line(f"{recipe.name}: {what} by Kiln", kiln, "s")
    line(f"{recipe.name}: {what} by {program} alone", alone, "s")
    line(f"{recipe.name}: {what} by Kiln / {program} alone, at most {LIMITS[program]}", kiln / alone, "x")


def line(what: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(f"{what:80} {value:8.2f} {unit}", flush=True)


if __name__ == "__main__":
    sys.exit(front())
