"""The playground as `az` sees it, which shares no code with Kiln: what one makes, the other reads."""

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from build import cache

pytestmark = [pytest.mark.real, pytest.mark.combination]
LOCK = Path(__file__).parent / "az" / "requirements.lock"
PROJECT = Path(__file__).resolve().parents[2]
LOOPBACK = 'ip link set lo up && exec "$@"'


@pytest.fixture(scope="session")
def az() -> Path:
    """The program, in an environment of its own in the cache: 400 MB, made once."""
    folder = cache.folder() / "tools" / f"az-{sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    with cache.locked(folder.name):
        if not (folder / "finished").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            words = ("install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:")
            subprocess.run([folder / "bin/python", "-m", "pip", *words, "-r", LOCK], check=True)
            (folder / "finished").touch()
    return folder / "bin" / "az"


def test_az_and_kiln_read_what_the_other_made(az: Path, tmp_path: Path) -> None:
    """In a network that is loopback alone: neither can have asked anybody else."""
    words = [sys.executable, PROJECT / "tests/publish/az/lane.py", az, tmp_path]
    done = subprocess.run(
        ["unshare", "--net", "--map-root-user", "sh", "-c", LOOPBACK, "sh", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert seen["definitions"] == ["linux-gen1", "linux-gen2"]
    assert len(seen["versions"]) == 1
    (version,) = seen["published"]
    assert (version["version"], version["state"], version["excluded"]) == ("12.20261122.1", "Succeeded", True)
    assert seen["violations"] == []
