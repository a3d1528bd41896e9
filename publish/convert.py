"""Any disk file as the fixed VHD that Azure takes: a raw one in place, by its footer; others into a new file.

A raw disk that is not a whole number of MiB is grown to the next one, and its footer holds the size that it had.
Source of the rules: image-requirements section 1.1. Equal disks give equal bytes: the footer's id comes from the disk's
size and first MiB, which holds its partition table, and its time is the source date.
"""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from build import sourcedate
from build.command import CommandFailed, run
from build.diskfile import DiskFile, open_disk
from build.errors import CallerError, MachineError
from build.manifest import DISK
from build.progress import Progress
from build.vhd import EPOCH, FIXED, LENGTH, MIB, Footer, read_footer

NAMESPACE = uuid.UUID("5f0a1d0e-6c1b-5f0e-9a53-6b696c6e0002")
RELIABLE = (b"qem2", b"win ")
"""Creators by whose word every reader takes the disk's size from the footer, not from its geometry."""


@dataclass(frozen=True)
class Converted:
    """A fixed VHD: its file, the disk's size in bytes, and what was done."""

    path: Path
    size: int
    done: str


def convert(source: Path, output: Path | None, progress: Progress) -> Converted:
    """Make the disk in `source` a fixed VHD: in place where it is raw and no `output` is named, else in a new file.

    A file that is one already stays as it is. Raises CallerError where it is no disk, the output exists already or
    would be the source, or SOURCE_DATE_EPOCH is no time, MachineError where the file may not be written or has no room.
    """
    disk = open_disk(_file(source))
    source = disk.path
    if output is None and is_sound(disk):
        return Converted(source, disk.virtual_size, "it is a fixed VHD as Azure takes it already")
    if output is None and disk.format == "raw":
        footer = _seal(source, disk.virtual_size)
        return Converted(source, footer.current_size, "its footer was appended")
    target = output or source.with_suffix(".vhd")
    if not target.parent.is_dir():
        raise CallerError(f"{target.parent} is no folder", "make it, or name another file with --output")
    if target.exists():
        raise CallerError(f"{target} exists already", "name another file with --output")
    with progress.step(f"Copying the content of {source.name}"):
        footer = _copied(disk, target)
    return Converted(target, footer.current_size, f"made from {source}, which is as it was")


def undo(path: Path) -> Converted:
    """Take the footer off again: the raw disk is what it was before.

    Raises CallerError where there is none, MachineError where the file may not be changed.
    """
    path = _file(path)
    if not path.is_file():
        raise CallerError(f"{path} is not a file", "name a fixed VHD")
    footer = read_footer(path)
    if footer is None or footer.disk_type != FIXED:
        raise CallerError(f"{path} is no fixed VHD", "there is no footer to take off")
    if path.stat().st_size != footer.current_size + LENGTH:
        raise CallerError(f"{path} is cut or padded: its footer lies about its length", "copy it again")
    before, now = footer.original_size, footer.current_size
    was_grown = 0 < now - before < MIB and _is_empty(path, before, now)
    with _writing(path):
        os.truncate(path, before if was_grown else now)
    return Converted(path, path.stat().st_size, "its footer was taken off: it is a raw disk")


def is_sound(disk: DiskFile) -> bool:
    """Whether the file is a fixed VHD of whole MiB whose size no reader mistakes."""
    if disk.format != "fixed-vhd" or disk.virtual_size % MIB:
        return False
    footer = read_footer(disk.path)
    return footer is not None and footer.creator in RELIABLE


def _copied(disk: DiskFile, target: Path) -> Footer:
    """Copy the disk into a new file, holes as holes, and seal it there."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        run("qemu-img", "convert", "-U", "-O", "raw", disk.source, partial)
        footer = _seal(partial, disk.virtual_size)
        partial.rename(target)
    except CommandFailed as failure:
        raise MachineError(
            f"{disk.path} could not be copied to {target}: {failure.output.strip()}",
            "is there room for it, and can the source be read to its end?",
        ) from None
    finally:
        partial.unlink(missing_ok=True)
    return footer


def _seal(path: Path, size: int) -> Footer:
    """Append the footer to a raw disk, behind the next whole MiB: one write, so that it is done or not."""
    with _writing(path), path.open("r+b") as file:
        start = file.read(MIB)
        whole = -(-size // MIB) * MIB
        date = sourcedate.told()
        footer = replace(
            Footer.build(whole, identity(size, start), EPOCH if date is None else date), original_size=size
        )
        os.pwrite(file.fileno(), bytes(footer), whole)
        os.fsync(file.fileno())
    return footer


def identity(size: int, start: bytes) -> uuid.UUID:
    """The footer's id for a disk of `size` bytes that begins with this MiB."""
    return uuid.uuid5(NAMESPACE, f"{size} {hashlib.sha256(start).hexdigest()}")


def _file(path: Path) -> Path:
    """The disk that is meant: a folder's is an image's."""
    return path / DISK if path.is_dir() else path


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Raises MachineError where the file cannot be written."""
    try:
        yield
    except OSError as refusal:
        raise MachineError(
            f"{path} cannot be written: {refusal.strerror}", "get the right to, or name another file with --output"
        ) from None


def _is_empty(path: Path, start: int, end: int) -> bool:
    """Whether there are only zeros between two offsets less than a MiB apart."""
    with path.open("rb") as file:
        file.seek(start)
        return not any(file.read(end - start))
