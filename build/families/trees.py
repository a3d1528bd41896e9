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


def cached(work: Workspace, key: str, install: Callable[[], None]) -> None:
    """Have the tree of this name in the workspace: from the cache, or made there by `install`, and kept then.

    Either way it is the same. One that was just made is not unpacked again, which takes half as long as making it.
    """
    tar = work.cache / "trees" / f"{key}.tar.zst"
    with cache.locked(f"trees-{key}"):
        kept = tar.exists()
        if not kept:
            _make(work, tar, install)
        os.utime(tar)
    if kept:
        for text in _told(tar).read_text().splitlines() if _told(tar).is_file() else ():
            work.warn(text)
        unpack(work, tar)


def _make(work: Workspace, tar: Path, install: Callable[[], None]) -> None:
    """Make the tree, and its archive, which gets its name once it is whole."""
    partial = tar.with_name(f"{tar.name.partition('.')[0]}.partial.tar.zst")
    partial.unlink(missing_ok=True)
    partial.parent.mkdir(exist_ok=True)
    install()
    settle(work)
    pack(work, partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    _told(tar).write_text("".join(f"{text}\n" for text in work.warnings()))
    partial.rename(tar)


def _told(tar: Path) -> Path:
    """What there was to tell when the tree was made, for whoever takes it later."""
    return tar.with_name(f"{tar.name}.warnings")


def settle(work: Workspace) -> None:
    """Make an installed tree what its archive will give: times no later than the source date, no sockets.

    When a file was last read is no matter of the archive's: that is the time of unpacking, so the source date as well
    once mke2fs has clamped it. What installs packages may have set it to an earlier time.
    """
    for name in MOUNTED:
        cache.remove(work.tree / name)
    add_folders(work.tree)
    date = ("--no-dereference", f"--date=@{work.epoch}", "{}", "+")
    late = ("-newermt", f"@{work.epoch}", "-exec", "touch", *date)
    run("find", work.tree, "-type", "s", "-delete", "-o", *late, "-o", "-exec", "touch", "-a", *date, log=work.log)


def pack(work: Workspace, tar: Path) -> None:
    """Write the workspace's tree into an archive: names sorted, times no later than the source date."""
    clamped = ("--sort=name", "--clamp-mtime", f"--mtime=@{work.epoch}", "--format=pax")
    stable = "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"
    without = tuple(f"--exclude=./{name}" for name in MOUNTED)
    # On all processors: the bytes do not depend on how many there are (zstd(1), --threads). The first level takes half
    # the time of the third, for an archive that is larger by a seventh.
    target = ("--use-compress-program=zstd -1 --threads=0", f"--file={tar}", f"--directory={work.tree}")
    run("tar", "--create", *WHOLE, *clamped, stable, *without, *target, ".", log=work.log)


def unpack(work: Workspace, tar: Path) -> None:
    """Make the workspace's tree from an archive."""
    fresh(work)
    words = ("tar", "--extract", *WHOLE, "--same-permissions", "--zstd", f"--file={tar}", f"--directory={work.tree}")
    run(*words, log=work.log)
    add_folders(work.tree)


def fresh(work: Workspace) -> None:
    """An empty tree; what an attempt that was cut off left goes."""
    cache.remove(work.tree)
    work.tree.mkdir(parents=True)
    work.tree.chmod(0o755)


def add_folders(tree: Path) -> None:
    """The folders that a running system fills: there, and empty where an archive leaves them out."""
    for name in (*MOUNTED, "run", "tmp"):
        (tree / name).mkdir(exist_ok=True)
    (tree / "tmp").chmod(0o1777)
