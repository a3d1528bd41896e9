"""The playground as `az` sees it, which shares no code with Kiln: what one makes, the other reads."""

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from build import cache

pytestmark = [pytest.mark.real, pytest.mark.combination]
LOCK = Path(__file__).parent / "az" / "requirements.lock"
PROJECT = Path(__file__).resolve().parents[2]
LOOPBACK = 'ip link set lo up && exec "$@"'


@pytest.fixture(scope="session")
def az() -> Path:
    """The program, in an environment of its own in the cache: 730 MB, made once."""
    folder = cache.folder() / "tools" / f"az-{sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    with cache.locked(folder.name):
        if not (folder / "finished").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            words = ("install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:")
            subprocess.run([folder / "bin/python", "-m", "pip", *words, "-r", LOCK], check=True)
            (folder / "finished").touch()
    return folder / "bin" / "az"


@pytest.fixture(scope="module")
def seen(az: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the lane saw in a network that is loopback alone: it can have asked nobody else."""
    words = [sys.executable, PROJECT / "tests/publish/az/lane.py", az, tmp_path_factory.mktemp("az")]
    done = subprocess.run(
        ["unshare", "--net", "--map-root-user", "sh", "-c", LOOPBACK, "sh", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


def test_shows_az_what_kiln_published(seen: dict[str, Any]) -> None:
    shown, published = seen["by_kiln"]["seen"], seen["by_kiln"]["published"]
    assert (shown["gallery"]["name"], shown["gallery"]["provisioningState"]) == ("playground", "Succeeded")
    generations = {one["name"]: one["hyperVGeneration"] for one in shown["definitions"]}
    assert generations == {"linux-gen1": "V1", "linux-gen2": "V2"}
    (version,) = shown["versions"]
    assert version["tags"]["kiln-digest"] == seen["digest"]
    assert version["name"] in {one["version"] for one in published}
    assert version["publishingProfile"]["excludeFromLatest"] is True
    assert version["storageProfile"]["osDiskImage"]["source"]["uri"] == seen["blob"]


def test_reads_what_az_published(seen: dict[str, Any]) -> None:
    (version,) = seen["by_az"]["published"]
    assert (version["version"], version["state"], version["excluded"]) == ("12.20261122.1", "Succeeded", True)


def test_keeps_what_a_version_was_made_of_when_az_changes_it(seen: dict[str, Any]) -> None:
    """`az` sends the whole version back, with a disk that has no source."""
    made, changed = seen["by_az"]["made"], seen["by_az"]["changed"]
    assert made["storageProfile"]["osDiskImage"]["source"]["uri"] == seen["blob"]
    assert changed["storageProfile"] == made["storageProfile"]
    assert changed["replicationStatus"]["aggregatedState"] == "Completed"


def test_forgets_what_az_has_deleted(seen: dict[str, Any]) -> None:
    assert seen["left"] == {"listed": [], "published": []}


def test_uploads_a_disk_at_the_address_that_az_was_given(seen: dict[str, Any]) -> None:
    assert seen["disk"]["states"] == ["ReadyToUpload", "ActiveUpload", "Unattached"]


def test_lets_az_make_a_managed_image(seen: dict[str, Any]) -> None:
    disk = seen["image"]["storageProfile"]["osDisk"]
    assert (seen["image"]["provisioningState"], disk["osState"], disk["blobUri"]) == (
        "Succeeded",
        "Generalized",
        seen["blob"],
    )


def test_is_asked_by_az_as_the_contract_says(seen: dict[str, Any]) -> None:
    assert seen["violations"] == []
