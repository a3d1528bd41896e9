"""Trees of installed packages, kept in the cache as compressed archives with owners, modes and attributes."""

import os
from collections.abc import Callable
from pathlib import Path

from build import cache
from build.command import run
from build.workspace import Workspace

MOUNTED = ("dev", "proc", "sys")
"""Folders that are another thing on each way to build: an archive leaves them out, and every tree gets them new."""
WHOLE = ("--xattrs", "--xattrs-include=*", "--numeric-owner")


def cached(work: Workspace, key: str, install: Callable[[Path], None]) -> None:
    """Put the tree of this name into the workspace; `install` makes its archive where the cache has none.

    `install` is given the path where the archive must lie when it returns.
    """
    tar = work.cache / "trees" / f"{key}.tar.zst"
    with cache.locked(f"trees-{key}"):
        if not tar.exists():
            fresh = tar.with_name(f"{key}.partial.tar.zst")
            fresh.unlink(missing_ok=True)
            fresh.parent.mkdir(exist_ok=True)
            install(fresh)
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            _told(tar).write_text("".join(f"{text}\n" for text in work.warnings()))
            fresh.rename(tar)
        os.utime(tar)
    for text in _told(tar).read_text().splitlines() if _told(tar).is_file() else ():
        work.warn(text)
    unpack(work, tar)


def _told(tar: Path) -> Path:
    """What there was to tell when the tree was made, for whoever takes it later."""
    return tar.with_name(f"{tar.name}.warnings")


def pack(work: Workspace, tar: Path) -> None:
    """Write the workspace's tree into an archive: names sorted, times no later than the source date."""
    clamped = ("--sort=name", "--clamp-mtime", f"--mtime=@{work.epoch}", "--format=pax")
    stable = "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"
    without = tuple(f"--exclude=./{name}" for name in MOUNTED)
    # On all processors: the bytes do not depend on how many there are (zstd(1), --threads).
    target = ("--use-compress-program=zstd --threads=0", f"--file={tar}", f"--directory={work.tree}")
    run("tar", "--create", *WHOLE, *clamped, stable, *without, *target, ".", log=work.log)


def unpack(work: Workspace, tar: Path) -> None:
    """Make the workspace's tree from an archive; the folders that a running system fills are there and empty."""
    cache.remove(work.tree)
    work.tree.mkdir()
    work.tree.chmod(0o755)
    words = ("tar", "--extract", *WHOLE, "--same-permissions", "--zstd", f"--file={tar}", f"--directory={work.tree}")
    run(*words, log=work.log)
    for name in (*MOUNTED, "run", "tmp"):
        (work.tree / name).mkdir(exist_ok=True)
    (work.tree / "tmp").chmod(0o1777)
