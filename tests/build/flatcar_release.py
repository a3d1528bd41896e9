"""A release server of Flatcar's with a tiny image, and what tests of its steps share."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

from build import keys
from build.families import Sources, flatcar
from build.published import Published
from build.request import find_recipe
from build.workspace import Workspace
from distros.recipe import Recipe
from tests.build.publisher import Publisher
from tests.harness.images import write_gpt
from tests.standin.key import SigningKey

MIB = 1 << 20
VERSION = "4593.2.1"
FILE = "flatcar_production_azure_image.vhd.bz2"
FIXED = "00000000-0000-0000-0000-000000000001"
RECIPE = find_recipe("flatcar", "stable", "x86_64")
CHANNEL = "amd64-usr"


def folder_of(publisher: Publisher) -> Path:
    """Where the newest version lies."""
    return publisher.folder / CHANNEL / VERSION


def publish(publisher: Publisher, content: bytes, by: SigningKey | None = None) -> None:
    """Publish an image as the newest version, its list of digests and itself signed by `by`."""
    publisher.write(f"{CHANNEL}/current/version.txt", f"FLATCAR_BUILD=4593\nFLATCAR_VERSION={VERSION}\n".encode())
    image = f"{CHANNEL}/{VERSION}/{FILE}"
    publisher.write(image, content)
    digests = {name: hashlib.new(name, content).hexdigest() for name in ("md5", "sha512")}
    text = "".join(f"# {name.upper()} HASH\n{value}  {FILE}\n" for name, value in digests.items())
    publisher.clear_sign(f"{image}.DIGESTS.asc", text, by)
    publisher.sign(image, by, armor=False)


def recipe_of(publisher: Publisher) -> Recipe:
    """The recipe, with the publisher's key as the pinned one."""
    assert RECIPE.image
    keyring = keys.take(publisher.key.public)
    return replace(RECIPE, image=replace(RECIPE.image, keyring=keyring, signed_by=(publisher.key.fingerprint,)))


def asked(publisher: Publisher, *, offline: bool = False) -> Published:
    """The state of its channel."""
    (state,) = flatcar.states(recipe_of(publisher), Sources(publisher.url, None, offline), lambda text: None)
    return state


def workspace(tmp_path: Path, *, offline: bool = False) -> Workspace:
    """Where steps work."""
    work = Workspace(tmp_path / "tools", "image", tmp_path / "cache", sys.stderr, 1_700_000_000, offline)
    work.folder.mkdir(parents=True, exist_ok=True)
    return work


def disk(folder: Path, size: int = 16 * MIB, identity: str = FIXED) -> Path:
    """A disk with a GPT of two partitions."""
    path = folder / "disk.raw"
    with path.open("wb") as file:
        file.truncate(size)
        kind = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
        write_gpt(file, size, [(1, kind, 2048, 2048), (9, kind, 8192, 4096)], identity)
    return path
