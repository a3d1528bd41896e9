"""What is judged: a disk file, with the manifest of the build that made it or without one."""

from dataclasses import dataclass
from pathlib import Path

from build.command import run
from build.digest import content_digest
from build.diskfile import DiskFile, open_image
from build.errors import CallerError
from build.manifest import DISK, Manifest
from harness.scratch import scratch_folder

IN_PLACE = ("raw", "fixed-vhd")
"""Formats whose file is the disk itself, byte for byte."""


@dataclass(frozen=True)
class Subject:
    """A disk to boot. `folder` is where its runs are kept; a foreign file has no manifest."""

    name: str
    disk: DiskFile
    folder: Path
    manifest: Manifest | None = None

    @property
    def runs(self) -> Path:
        """One folder a run."""
        return self.folder / "runs"


def open_subject(path: Path, output: Path) -> Subject:
    """The image in a folder that a build printed, or a foreign disk file, whose runs go below `output`.

    Raises CallerError where `path` is neither.
    """
    if path.is_dir():
        manifest = Manifest.load(path)
        return Subject(manifest.name, open_image(path / DISK), path.absolute(), manifest)
    if path.name == DISK and (path.parent / "manifest.json").is_file():
        return open_subject(path.parent, output)
    return Subject(path.stem, open_image(path), output.absolute() / path.stem)


def digest_of(disk: DiskFile, room: Path) -> str:
    """The digest of the disk's content, whatever file it lies in; one that must be unpacked is so in folder `room`."""
    if disk.format in IN_PLACE:
        return content_digest(disk.path, disk.virtual_size)
    room.mkdir(parents=True, exist_ok=True)
    with scratch_folder(room) as scratch:
        plain = scratch / "disk.raw"
        run("qemu-img", "convert", "-U", "-O", "raw", disk.source, plain)
        return content_digest(plain, disk.virtual_size)


def generations(subject: Subject, asked: int | None) -> tuple[int, ...]:
    """The generations to boot: the one that was asked for, or all that the manifest claims.

    Raises CallerError where nobody says it, or the image does not claim it.
    """
    if subject.manifest is None:
        if asked not in (1, 2):
            problem = f"{subject.disk.path} has no manifest" if asked is None else f"there is no generation {asked}"
            raise CallerError(problem, "say --gen 1 (BIOS) or --gen 2 (UEFI)")
        return (asked,)
    claimed = subject.manifest.generations
    if asked is not None and asked not in claimed:
        known = " and ".join(str(one) for one in claimed)
        raise CallerError(f"{subject.name} is not made for generation {asked}", f"it boots as generation {known}")
    return claimed if asked is None else (asked,)
