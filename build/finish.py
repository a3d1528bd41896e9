"""The end of a build: the footer, the digest, the manifest, and the folder under its final name."""

import os
import re
import shutil
import uuid
from dataclasses import asdict
from pathlib import Path

from build import cache
from build.archive import Release
from build.command import run
from build.digest import content_digest
from build.errors import MachineError
from build.families import apt
from build.layout import NAMESPACE
from build.manifest import DISK, Manifest, Package
from build.plan import GENERATIONS, BuildPlan, Choices
from build.vhd import LENGTH, append_footer
from build.workspace import Workspace
from distros.recipe import Recipe

TOOLS = {
    "mmdebstrap": ("mmdebstrap", "--version"),
    "tar": ("tar", "--version"),
}
TOOLS_TREE = {"mke2fs": ("/usr/sbin/mke2fs", "-V"), "mtools": ("/usr/bin/mtools", "--version")}


def deliver(
    recipe: Recipe,
    choices: Choices,
    todo: BuildPlan,
    releases: tuple[Release, ...],
    work: Workspace,
    durations: dict[str, float],
    folder: Path,
    log: Path,
) -> None:
    """Make the disk a VHD and put it with its manifest and log into `folder`, which appears whole or not at all.

    Reports of an earlier image under this name stay where the content is the same, and go where it is not.
    """
    digest = content_digest(work.disk, todo.layout.size)
    if work.disk.stat().st_size == todo.layout.size:
        append_footer(work.disk, uuid.uuid5(NAMESPACE, digest), todo.epoch)
    manifest = Manifest(
        name=todo.image,
        distro=recipe.distro,
        release=recipe.release,
        arch=recipe.arch,
        generations=GENERATIONS[choices.generation],
        kind=choices.kind,
        provisioner=choices.provisioner,
        hostname=choices.hostname,
        admin=choices.admin,
        digest=digest,
        plan_id=todo.id,
        source_date_epoch=todo.epoch,
        kernel=kernel_version(work),
        root_uuid=todo.layout.root_uuid,
        cmdline=" ".join(recipe.cmdline),
        sizes=_sizes(work.disk, todo.layout.size),
        archives=tuple({"url": one.url, "suite": one.suite, "sha256": one.sha256} for one in releases),
        packages=tuple(Package(*package) for package in apt.installed(work.tree)),
        recipe=asdict(recipe),
        durations=durations,
        tools=_versions(work),
    )
    fresh = folder.parent / f".{folder.name}.new"
    cache.remove(fresh)
    fresh.mkdir()
    manifest.save(fresh)
    shutil.copyfile(log, fresh / "build.log")
    _move_sparse(work.disk, fresh / DISK)
    _keep_reports(folder, fresh, digest)
    _put(fresh, folder)


def kernel_version(work: Workspace) -> str:
    """The version of the newest kernel in the tree, as its file's name has it."""
    versions = [path.rsplit("vmlinuz-", 1)[1] for path in work.glob("/boot/vmlinuz-*")]
    return max(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])


def _sizes(disk: Path, virtual: int) -> dict[str, int]:
    return {"virtual": virtual, "file": virtual + LENGTH, "allocated": disk.stat().st_blocks * 512}


def _versions(work: Workspace) -> dict[str, str]:
    """First lines of what the tools say of themselves."""
    found = {name: run(*argv).stdout.splitlines()[0] for name, argv in TOOLS.items()}
    return found | {name: work.tool(*argv).stdout.splitlines()[0] for name, argv in TOOLS_TREE.items()}


def _move_sparse(source: Path, target: Path) -> None:
    """Rename, or between file systems copy with holes kept."""
    try:
        source.rename(target)
    except OSError:
        try:
            run("cp", "--sparse=always", "--reflink=auto", source, target)
        except Exception:
            target.unlink(missing_ok=True)
            raise
        source.unlink()


def _keep_reports(old: Path, fresh: Path, digest: str) -> None:
    """Reports name the digest that they judged; about another content they would lie."""
    try:
        same = Manifest.load(old).digest == digest
    except Exception:  # whatever is wrong with what was there: it is replaced
        same = False
    if same and (old / "runs").is_dir():
        (old / "runs").rename(fresh / "runs")


def _put(fresh: Path, folder: Path) -> None:
    """Give the finished folder its name; an earlier one makes way at the last moment."""
    aside = folder.parent / f".{folder.name}.old"
    cache.remove(aside)
    try:
        if folder.exists():
            folder.rename(aside)
        fresh.rename(folder)
    except OSError as refusal:
        raise MachineError(f"{folder} cannot be put in place: {refusal.strerror}", "is something else in it?") from None
    os.sync()
    cache.remove(aside)
