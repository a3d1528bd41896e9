"""A whole image of rpm packages and its lock, by which it is made again when its archive is gone."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from build import cache
from build.lock import Lock
from build.manifest import DISK
from build.progress import Progress
from build.request import find_recipe
from tests.build.test_bad_builds import attempt
from tests.conftest import offline
from tests.standin.trial import mirrored

pytestmark = [pytest.mark.combination, pytest.mark.real]
IMAGE: dict[str, Any] = {"distro": "almalinux", "release": "10", "gen": "2", "size": 6 << 30}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rpm-lock-", dir=cache.folder()) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def first(folder: Path) -> str:
    """The sha256 of an image of a stand-in's packages, whose lock lies in the folder; the stand-in is gone then."""
    recipe = find_recipe("almalinux", "10", "x86_64")
    with mirrored(recipe, Progress(), offline=offline()) as mirror:
        place = {**IMAGE, "mirror": mirror["mirror"], "mirror_key": str(mirror["mirror_key"])}
        told = attempt(**place, output=str(folder / "first"), write_lock=str(folder / "lock"))
    assert told["exit"] == 0, told
    return sha256(Path(told["folder"]))


def sha256(image: Path) -> str:
    with (image / DISK).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_makes_the_same_image_again_when_the_archive_is_gone(folder: Path, first: str) -> None:
    told = attempt(**IMAGE, lock=str(folder / "lock"), output=str(folder / "second"))
    assert told["exit"] == 0, told
    assert not told["reused"]
    assert sha256(Path(told["folder"])) == first
    bill = json.loads((Path(told["folder"]) / "sbom.cdx.json").read_text())
    digests = {one["name"]: one["hashes"][0]["content"] for one in bill["components"]}
    assert digests == {one.name: one.sha256 for one in Lock.load(folder / "lock").packages}


def test_names_what_neither_cache_nor_archive_has(folder: Path, first: str) -> None:
    lock = json.loads((folder / "lock").read_text())
    lock["packages"][0]["sha256"] = "0" * 64
    (folder / "other.lock").write_text(json.dumps(lock))
    told = attempt(**IMAGE, lock=str(folder / "other.lock"), output=str(folder / "third"))
    assert told["exit"] == 3
    assert lock["packages"][0]["name"] in told["error"]
    assert not list((folder / "third").glob("*"))
