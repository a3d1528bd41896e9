"""A recipe's packages installed in full from its stand-in, and set up, without what makes an image take long.

Neither initramfs nor labels nor a disk are made: that all names resolve, and that what the later steps take from the
tree is in it, shows without them. What is looked at is what one distribution of a family has otherwise than the next.
"""

import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from build import archive, cache, confined, keys, tools
from build.configure import EnableServices, SetAgentOptions, WriteFiles
from build.families import family, trees
from build.families.rpm.step import RpmPackages
from build.families.source import Sources
from build.initramfs import chosen_kernel
from build.plan import Choices, package_names, plan
from build.privileges import entry
from build.request import BuildRequest, choose, find_recipe
from build.workspace import Workspace
from distros import Recipe
from distros.debian import TOOLS

SET_UP = (WriteFiles, SetAgentOptions, EnableServices)
"""The steps that need nothing but the packages: files over theirs, the agent's settings, units that must exist."""

MOUNTS_ELSEWHERE = "warning: private mounts in chroot"
"""What rpm says of itself below another root, not of a package."""


@dataclass(frozen=True)
class Tree:
    """What there is to say of a tree: `kernel` is the version that was chosen, `packages` are names, `database` the
    files of the package database, `absent` the paths that later steps would miss, `differing` what rpm itself finds
    changed since it installed it, `os_release` that file's text."""

    kernel: str
    packages: tuple[str, ...]
    database: tuple[str, ...]
    absent: tuple[str, ...]
    differing: tuple[str, ...]
    os_release: str


def installed(request: BuildRequest, folder: Path) -> Tree:
    """Install what the image of this request has, from the mirror that it names; `folder` gets the log.

    Raises what the family raises.
    """
    recipe = find_recipe(request.distro, request.release, request.arch)
    choices = choose(recipe, request)
    assert request.mirror and request.mirror_key
    result = Path(tempfile.mkdtemp(dir=folder)) / "result"
    letter = {
        "recipe": [recipe.distro, recipe.release, recipe.arch],
        "choices": {name: value for name, value in asdict(choices).items() if name != "spec"},
        "mirror": request.mirror,
        "key": str(request.mirror_key),
        "credentials": str(request.entitlement or ""),
        "offline": request.offline,
        "log": str(result.with_name("log")),
        "result": str(result),
    }
    status = confined.call(entry(), __name__, letter)
    assert status == 0, result.with_name("log").read_text()[-4000:]
    told: dict[str, Any] = json.loads(result.read_text())
    return Tree(**{name: tuple(value) if isinstance(value, list) else value for name, value in told.items()})


def main(letter: Mapping[str, Any]) -> int:
    """The part that runs as root of its own view."""
    os.umask(0o022)
    recipe, choices = find_recipe(*letter["recipe"]), Choices(**letter["choices"])
    with cache.faults_explained(), Path(letter["log"]).open("w") as log:
        tree = _tree(recipe, choices, letter, log)
        Path(letter["result"]).write_text(json.dumps(asdict(tree)))
    return 0


def _tree(recipe: Recipe, choices: Choices, letter: Mapping[str, Any], log: IO[str]) -> Tree:
    made_of, offline, credentials = family(recipe), bool(letter["offline"]), str(letter["credentials"])
    (release,) = archive.releases((TOOLS,), offline=offline)
    programs = tools.make(release, made_of.TOOLS, log, mirror=False, offline=offline)
    sources = Sources(letter["mirror"], keys.take(Path(letter["key"])), offline, credentials)
    states = made_of.states(recipe, sources, lambda text: None)
    for state in states:
        made_of.verify(state, programs, mirror=True)
    epoch = max(state.date for state in states)
    name = f"installed-{recipe.name}-{secrets.token_hex(4)}"
    work = Workspace(programs, name, cache.folder(), log, epoch, offline, credentials)
    try:
        step = made_of.packages(recipe, package_names(recipe, choices), states)
        assert isinstance(step, RpmPackages)
        trees.fresh(work)
        step.add(work)  # without the cache, which would keep a tree for each
        database = tuple(sorted(path.name for path in work.path(step.rpm.database_path).iterdir()))
        differing = _differing(recipe, work)
        for one in plan(recipe, choices, states, epoch).steps:
            if isinstance(one, SET_UP):
                one.run(work)
        return _described(recipe, choices, work, database, differing)
    finally:
        cache.remove(work.folder)


def _differing(recipe: Recipe, work: Workspace) -> tuple[str, ...]:
    """What rpm --verify finds: files that are missing, or other than their package has them."""
    assert recipe.rpm
    settings = ("--define", f"_db_backend {recipe.rpm.database}", "--dbpath", recipe.rpm.database_path)
    told = work.tool("/usr/bin/rpm", "--root", work.tree, *settings, "--verify", "--all", expect=(0, 1)).stdout
    return tuple(line for line in told.splitlines() if line.strip() and not line.startswith(MOUNTS_ELSEWHERE))


def _described(
    recipe: Recipe, choices: Choices, work: Workspace, database: tuple[str, ...], differing: tuple[str, ...]
) -> Tree:
    return Tree(
        chosen_kernel(work, recipe.kernels[choices.kernel].marks),
        tuple(name for name, _, _ in family(recipe).installed(recipe, work)),
        database,
        tuple(path for path in _needed(recipe, choices) if not work.path(path).exists()),
        differing,
        (work.tree / "usr/lib/os-release").read_text(),
    )


def _needed(recipe: Recipe, choices: Choices) -> Iterator[str]:
    """What the steps of the disk take from the tree."""
    grub = recipe.grub
    assert grub
    yield from (grub.mkimage, grub.mkconfig, grub.mkconfig_library)
    if choices.generation in ("1", "both"):
        yield grub.bios_modules
    if choices.generation in ("2", "both"):
        yield from (source for source, _ in grub.loaders)
    if recipe.selinux:
        yield f"/etc/selinux/{recipe.selinux}/contexts/files/file_contexts"
