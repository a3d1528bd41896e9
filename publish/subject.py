"""The image that is to be published: its file, what its manifest says, and where the reports of its boots lie."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from build.errors import CallerError
from build.manifest import DISK, NAME, Manifest
from publish.target import Definition

ARCHITECTURES = {"x86_64": "x64", "aarch64": "Arm64"}
"""A processor by Azure's word for it."""


@dataclass(frozen=True)
class Subject:
    """An image: its name, its file, its folder of runs; `manifest` None where Kiln did not build it."""

    name: str
    disk: Path
    runs: Path
    manifest: Manifest | None

    def differences(self, definition: Definition) -> list[str]:
        """What the image is and the definition is not; of an image that Kiln did not build nothing is known."""
        if not self.manifest:
            return []
        mine, architecture = self.manifest, ARCHITECTURES[self.manifest.arch]
        found = []
        if definition.generation not in mine.generations:
            claimed = " and ".join(map(str, mine.generations))
            found.append(f"the image boots on generation {claimed}, the definition is for {definition.generation}")
        if mine.kind != definition.state:
            found.append(f"the image is {mine.kind}, the definition is for {definition.state} ones")
        if architecture != definition.architecture:
            found.append(f"the image is for {architecture}, the definition for {definition.architecture}")
        return found


def subject(image: Path, output: Path) -> Subject:
    """The image that a folder or a file is; `output` is where the runs of one without a manifest lie.

    Raises CallerError where there is none.
    """
    folder = image if image.is_dir() else image.parent
    if (folder / NAME).is_file() and image in (folder, folder / DISK):
        manifest = Manifest.load(folder)
        if not (folder / DISK).is_file():
            raise CallerError(f"there is no {folder / DISK}", "build the image again")
        return Subject(manifest.name, folder / DISK, folder / "runs", manifest)
    if image.is_dir():
        raise CallerError(
            f"there is no {image / NAME}", "name an image's folder, as `./kiln build` prints it, or a file"
        )
    if not image.is_file():
        raise CallerError(f"there is no {image}", "name an image's folder, as `./kiln build` prints it, or a file")
    return Subject(image.stem, image, output / image.stem / "runs", None)


def meant(definitions: tuple[Definition, ...], name: str) -> tuple[Definition, ...]:
    """The definitions whose pattern takes an image of this name."""
    return tuple(one for one in definitions if fnmatchcase(name, one.image))
