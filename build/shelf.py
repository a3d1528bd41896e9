"""Where finished images stand: an image's folder appears whole under its name, or not at all.

A folder is made ready beside its final name, then takes it; the earlier one steps aside at the last moment and is
dropped afterwards. What a killed build left in between is put right by the next one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build import cache
from build.command import run
from build.errors import CallerError, MachineError
from build.manifest import NAME, Manifest

RUNS = "runs"


def require_ours(folder: Path) -> None:
    """Raise CallerError where something stands under an image's name that no build of ours put there."""
    if not os.path.lexists(folder):
        if folder.parent.exists() and not folder.parent.is_dir():
            raise CallerError(f"the output folder {folder.parent} is a file", "name another --output")
        return
    if not folder.is_dir() or folder.is_symlink():
        raise CallerError(f"{folder} is not a folder", "move it away, or name another --output")
    if not (folder / NAME).is_file() and any(folder.iterdir()):
        raise CallerError(
            f"{folder} holds something else than an image of ours: it has no {NAME}",
            "move it away, or name another --output",
        )


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside the final one, on the same file system, in which the image is made ready.

    What is in it is dropped unless it was put in place.
    """
    recover(folder)
    fresh = folder.parent / f".{folder.name}.new"
    cache.remove(fresh)
    fresh.mkdir()
    try:
        yield fresh
    finally:
        cache.remove(fresh)


def place(source: Path, target: Path) -> None:
    """Let the disk stand at `target` too; it stays at `source`, so that a killed delivery can be repeated.

    A second name where both are on one file system, else a copy with its holes kept.
    """
    try:
        target.hardlink_to(source)
    except OSError:
        run("cp", "--sparse=always", "--reflink=auto", source, target)


def put(fresh: Path, folder: Path) -> None:
    """Give the finished folder its name; reports about equal content come along, others go."""
    require_ours(folder)
    _settle(fresh)
    aside = _aside(folder)
    try:
        if folder.exists():
            folder.rename(aside)
        fresh.rename(folder)
    except OSError as refusal:
        raise MachineError(f"{folder} cannot be put in place: {refusal.strerror}", "is something else in it?") from None
    recover(folder)


def recover(folder: Path) -> None:
    """Finish what a killed build had begun with an image that stood aside."""
    aside = _aside(folder)
    if not aside.is_dir():
        return
    if not folder.exists():
        aside.rename(folder)
        return
    if (aside / RUNS).is_dir() and not (folder / RUNS).exists() and _digest(aside) == _digest(folder):
        (aside / RUNS).rename(folder / RUNS)
    cache.remove(aside)


def _aside(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.old"


def _digest(folder: Path) -> str | None:
    """Reports name the digest that they judged; about another content they would lie."""
    try:
        return Manifest.load(folder).digest
    except CallerError:
        return None


def _settle(folder: Path) -> None:
    """Have the files on the disk before they get a name that promises so."""
    for path in [*folder.iterdir(), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
