"""Where a repaired image goes: beside the old one, to a place that was named, or into the old one's place."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from build import wholefile
from build.digest import bill_id
from build.errors import CallerError, MachineError
from build.manifest import DISK, NAME, Manifest

RUNS = "runs"
BILLS = ("sbom.cdx.json", "sbom.spdx.json")
CARRIED = ("build.log",)
"""What stays true of a repaired image."""
SUFFIX = "-fixed"


@dataclass(frozen=True)
class Target:
    """`image` as the caller named it, its `disk`, and the `result`; `folder` tells whether both are folders."""

    image: Path
    disk: Path
    result: Path
    folder: bool

    @property
    def in_place(self) -> bool:
        """Whether the result takes the image's place."""
        return self.result == self.image


def target(image: Path, output: Path | None, in_place: bool) -> Target:
    """Where the result goes. Raises CallerError where that exists already, or the image is nothing to be repaired."""
    image = image.resolve() if in_place else image
    folder = (image / DISK).is_file()
    if not folder and not image.is_file():
        raise CallerError(f"{image} is not an image", "give a disk file, or the folder that a build printed")
    if in_place and output:
        raise CallerError("--in-place names no other place", "leave --output out")
    beside = image.absolute()
    beside = beside.with_name(f"{beside.name}{SUFFIX}") if folder else beside.with_name(f"{beside.stem}{SUFFIX}.vhd")
    result = image if in_place else output or beside
    if not in_place and result.exists():
        raise CallerError(f"{result} exists already", "remove it, or name another place with --output")
    if not result.parent.is_dir():
        raise CallerError(f"{result.parent} is no folder", "make it, or name another place with --output")
    return Target(image, image / DISK if folder else image, result, folder)


@contextmanager
def workshop(target: Target) -> Iterator[Path]:
    """A folder on the result's own file system, which is gone afterwards unless it became the result.

    Raises MachineError where it cannot be made.
    """
    above = target.result if target.folder and target.in_place else target.result.absolute().parent
    try:
        room = Path(tempfile.mkdtemp(dir=above, prefix=f".{target.result.name}."))
    except OSError as refusal:
        raise MachineError(f"nothing can be written to {above}: {refusal.strerror}", "name another --output") from None
    try:
        room.chmod(0o755)
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def describe(target: Target, room: Path, digest: str, ids: tuple[str, ...]) -> None:
    """Put beside the new disk what stays true of the image: the manifest and bills of materials, of the new content.

    The manifest says what was repaired, and names no build that would make the image again.
    """
    if not (target.image / NAME).is_file():
        return
    old = Manifest.load(target.image)
    said = f"repaired after its build: {', '.join(ids)}"
    warnings = tuple(dict.fromkeys((*old.warnings, said)))
    sizes = {**old.sizes, "allocated": (room / DISK).stat().st_blocks * 512}
    replace(old, digest=digest, plan_id="", sizes=sizes, warnings=warnings).save(room)
    for name in (*BILLS, *CARRIED):
        if (target.image / name).is_file():
            text = (target.image / name).read_text(errors="surrogateescape")
            content = _renumbered(text, old, digest) if name in BILLS else text
            wholefile.write(room / name, content.encode(errors="surrogateescape"), wholefile.PUBLIC)


def _renumbered(bill: str, old: Manifest, digest: str) -> str:
    """A bill of materials of the same packages in an image of other content."""
    for before, now in (
        (old.digest, digest),
        (f'"{old.digest[:12]}"', f'"{digest[:12]}"'),
        (str(bill_id(old.name, old.digest)), str(bill_id(old.name, digest))),
    ):
        bill = bill.replace(before, now)
    return bill


def deliver(target: Target, room: Path) -> None:
    """Give the result its name. In place, old reports go first: they prove other bytes; the disk comes last.

    Raises MachineError where that is refused; run again, a repair ends what it began.
    """
    try:
        _deliver(target, room)
    except OSError as refusal:
        raise MachineError(f"{target.result} cannot be written: {refusal.strerror}", "get the right to") from None


def _deliver(target: Target, room: Path) -> None:
    _sync(room / target.disk.name)
    if not target.folder:
        shutil.copymode(target.disk, room / target.disk.name)
        (room / target.disk.name).replace(target.result)
    elif not target.in_place:
        room.rename(target.result)
    else:
        shutil.rmtree(target.result / RUNS, ignore_errors=True)
        for file in sorted(room.iterdir(), key=lambda one: one.name == DISK):
            file.replace(target.result / file.name)
    _sync(target.result.absolute().parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
