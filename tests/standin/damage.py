"""Mirrors that must be refused, derived from a good rpm stand-in by hard links: only what is damaged is new."""

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from build import archive, cache, confined
from build.command import run
from build.privileges import entry
from distros.debian import TOOLS
from distros.recipe import Repository
from tests.standin import Standin, base, repositories, rpm
from tests.standin.key import SigningKey

REPOMD = "repodata/repomd.xml"
Damage = Callable[[Standin, Path, str], Path]
PAYLOAD_BYTE = 0x40
"""Distance from a package's end of the byte that is changed: in the payload, whose digest the signature covers."""


def unsigned_package(good: Standin, folder: Path, package: str) -> Path:
    """A mirror in which one package has no signature, and the signed lists say so; returns the folder to serve."""
    return _resigned(good, folder, package, "unsigned")


def foreign_package(good: Standin, folder: Path, package: str) -> Path:
    """A mirror in which one package is signed by another key, and the signed lists have it so."""
    return _resigned(good, folder, package, "foreign")


def altered_package(good: Standin, folder: Path, package: str) -> Path:
    """A mirror in which one package is not the one that the lists name."""
    served = linked(good, folder)
    _flip(_file(served, package))
    return served


def altered_and_listed_package(good: Standin, folder: Path, package: str) -> Path:
    """A mirror in which one package was altered, and the signed lists name the altered one: its signature tells."""
    return _resigned(good, folder, package, "altered")


def altered_metadata(good: Standin, folder: Path) -> Path:
    """A mirror whose first repository's list is not the one that was signed."""
    served = linked(good, folder)
    repomd = _first(good, served) / REPOMD
    text = repomd.read_text()
    repomd.unlink()
    repomd.write_text(text.replace("</repomd>", "<!-- altered --></repomd>"))
    return served


def linked(good: Standin, folder: Path) -> Path:
    """A mirror's files under second names."""
    run("cp", "--archive", "--link", good.served, folder / repositories.SERVED)
    return folder / repositories.SERVED


def _first(good: Standin, served: Path) -> Path:
    one = good.recipe.archives[0]
    assert isinstance(one, Repository)
    return served / repositories.place(good.recipe, one)


def _file(served: Path, package: str) -> Path:
    (found,) = (file for file in served.rglob("*.rpm") if file.name.rsplit("-", 2)[0] == package)
    return found


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-PAYLOAD_BYTE] ^= 0xFF
    file.unlink()
    file.write_bytes(content)


def _resigned(good: Standin, folder: Path, package: str, how: str) -> Path:
    served = linked(good, folder)
    file, place = _file(served, package), _first(good, served)
    letter = {"key": str(good.folder), "file": str(file), "place": str(place), "how": how}
    assert confined.call(entry(), __name__, letter) == 0
    return served


def main(letter: Mapping[str, Any]) -> int:
    """The part that needs rpm's tools, as root of its own view: another package, and the lists anew."""
    file, place = Path(letter["file"]), Path(letter["place"])
    (state,) = archive.releases((TOOLS,), offline=False)
    with Path(os.devnull).open("w") as log:
        work = base.make(state, log).workspace(f"damage-{secrets.token_hex(4)}", log)
        cache.remove(work.folder)
        work.folder.mkdir(parents=True)
        try:
            fresh = work.file(file.name)
            shutil.copyfile(file, fresh)
            if letter["how"] == "altered":
                _flip(fresh)
            else:
                work.tool("rpmsign", "--delsign", fresh)
            if letter["how"] == "foreign":
                with SigningKey.make(work.folder).opened(work.tool, work.folder) as another:
                    rpm.sign(work, (fresh,), another)
            _relist(work.file("place"), place, fresh, file)
            with SigningKey(Path(letter["key"])).opened(work.tool, work.folder) as key:
                signed = (place / f"{REPOMD}.asc").exists()
                rpm.describe(work, work.file("place"), key if signed else None)
            shutil.rmtree(place)
            shutil.move(work.file("place"), place)
        finally:
            cache.remove(work.folder)
    return 0


def _relist(target: Path, place: Path, fresh: Path, file: Path) -> None:
    """The repository without its lists, where the base's tools see it, one package replaced."""
    run("cp", "--archive", "--link", place, target)
    shutil.rmtree(target / "repodata")
    there = target / file.relative_to(place)
    there.unlink()
    shutil.copyfile(fresh, there)
