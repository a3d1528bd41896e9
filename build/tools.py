"""The tools tree: one cached Debian 13 tree from which come the programs that shape an image.

So the same recipe gives the same image whatever the host has: only mke2fs 1.47.2 and later clamp a tree's times.
It is keyed by the release file of its archive's main suite: within a stable release that changes with its point
releases alone, and a tool that shapes files has no use for a weekly security update.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from build import archive, cache, mmdebstrap
from build.archive import Release
from build.errors import MachineError
from distros.debian import TOOLS
from distros.recipe import Archive, Recipe

ARCHIVE = TOOLS
KEYRING = Path(TOOLS.keyring)
PACKAGES = (
    *("e2fsprogs", "mtools", "dosfstools", "fdisk", "zstd", "tar"),
    "debian-archive-keyring",
)


def archive_of(recipe: Recipe, mirror: str | None, note: Callable[[str], None], *, offline: bool) -> Archive:
    """The archive that the tools come from: the mirror where it is one of that very archive and has their release."""
    if mirror is None or all(one.url != ARCHIVE.url for one in recipe.archives):
        return ARCHIVE
    return archive.either(replace(ARCHIVE, url=mirror.rstrip("/")), ARCHIVE, note, offline=offline)


def key(state: Release, more: tuple[str, ...]) -> str:
    """What names the tree that this state of the archive gives, with `more` packages than every build needs."""
    return hashlib.sha256(repr((state.sha256, (*PACKAGES, *more))).encode()).hexdigest()[:16]


def folder(state: Release, more: tuple[str, ...]) -> Path:
    """Where that tree lies, made or not."""
    return cache.folder() / "tools" / key(state, more)


def make(state: Release, more: tuple[str, ...], log: IO[str], *, mirror: bool, offline: bool) -> Path:
    """Make the tree unless it is there; must run as root of its own view. Returns its folder."""
    tree = folder(state, more)
    with cache.locked(f"tools-{tree.name}"):
        if tree.is_dir():
            _require_tools(tree)
            return tree
        if offline:
            raise MachineError("the tools tree has never been made here", "build once without --offline")
        archive.verify(state, KEYRING, mirror=mirror)
        fresh = tree.with_suffix(".partial")
        cache.remove(fresh)
        fresh.parent.mkdir(parents=True, exist_ok=True)
        mmdebstrap.run(
            *("--mode=root", "--variant=minbase", "--format=directory"),
            "--skip=chroot/mount/sys,output/dev",
            f"--keyring={KEYRING}",
            f"--include={','.join((*PACKAGES, *more))}",
            state.suite,
            fresh,
            f"deb [signed-by={KEYRING}] {state.source}",
            log=log,
            env={"SOURCE_DATE_EPOCH": str(state.date)},
        )
        (fresh / "work").mkdir()
        fresh.rename(tree)
    _require_tools(tree)
    return tree


def _require_tools(tree: Path) -> None:
    missing = [name for name in ("usr/sbin/mke2fs", "usr/sbin/sfdisk", "usr/bin/mcopy") if not (tree / name).exists()]
    if missing:
        raise MachineError(f"the tools tree lacks {', '.join(missing)}", "`./kiln clean`, then build again")
