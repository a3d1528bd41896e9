"""Builds that cannot be: one line and a hint each, the right status, and nothing half done."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from build import archive, cache, tools
from build.families import FAMILIES
from distros.debian import TOOLS
from tests.build.archives import FakeArchive, Signer, served
from tests.conftest import ImageMaker

pytestmark = pytest.mark.real

PROJECT = Path(__file__).parents[2]
BUILDER = PROJECT / "tests/build/builder.py"
ON_TMPFS = 'mount -t tmpfs -o "size=$1" tmpfs "$2"; shift 2; eval "$1"; shift; exec "$@"'
"""A small file system in a mount namespace that ends with the build."""


def attempt(before: tuple[str | Path, ...] = (), env: dict[str, str] | None = None, **request: Any) -> dict[str, Any]:
    """The outcome of a build in a process of its own; whatever it says beside it is no traceback."""
    words = [*before, sys.executable, str(BUILDER), json.dumps({"distro": "debian", **request})]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})
    assert "Traceback" not in done.stderr, done.stderr
    *_, last = done.stdout.splitlines()
    told = {"exit": done.returncode, **json.loads(last)}
    if done.returncode:
        assert told["status"] == done.returncode
        assert told["hint"]
        assert "\n" not in told["error"]
    return told


@pytest.fixture
def output() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="output-", dir=cache.folder()))
    yield folder
    cache.remove(folder)


@pytest.fixture
def fake() -> Iterator[FakeArchive]:
    with served(FakeArchive()) as archive:
        yield archive


def offer(fake: FakeArchive, signer: Signer | None = None) -> None:
    for suite in ("bookworm", "bookworm-updates", "bookworm-security"):
        below = "/debian-security" if suite.endswith("security") else "/debian"
        fake.suite(suite, below=below)
        path = f"{below}/dists/{suite}/InRelease"
        fake.files[path] = signer.sign(fake.files[path]) if signer else fake.files[path]


def test_builds_from_no_unsigned_archive(image: ImageMaker, fake: FakeArchive, output: Path) -> None:
    image("debian-13")
    offer(fake)
    told = attempt(release="12", mirror=fake.url, output=str(output))
    assert told["exit"] == 2
    assert "bookworm is not signed" in told["error"]
    assert not any(output.iterdir())


def test_believes_no_key_but_the_distributions(
    image: ImageMaker, fake: FakeArchive, output: Path, tmp_path: Path
) -> None:
    image("debian-13")
    signer = Signer(tmp_path / "gnupg")
    offer(fake, signer)
    signer.end()
    told = attempt(release="12", mirror=fake.url, output=str(output))
    assert told["exit"] == 2
    assert "the signature of" in told["error"]
    assert not any(output.iterdir())


def test_names_a_mirror_that_does_not_answer(output: Path) -> None:
    told = attempt(release="12", mirror="http://127.0.0.1:9/debian", output=str(output))
    assert told["exit"] == 3
    assert "127.0.0.1:9" in told["error"]
    assert "out of reach" in told["error"]


def test_says_offline_that_the_cache_is_empty(output: Path) -> None:
    told = attempt(env={"KILN_CACHE": str(output / "empty")}, output=str(output), offline=True)
    assert told["exit"] == 3
    assert "has never been asked for here" in told["error"]


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ({"distro": "beos"}, 2, "there is no recipe for 'beos'"),
        ({"release": "4"}, 2, "there is no recipe for debian '4'"),
        ({"size": 3 * (1 << 30) + 512}, 2, "not whole MiB"),
        ({"size": 600 << 20}, 2, "a disk of 600 MiB is too small"),
        ({"kind": "specialized", "hostname": "a", "admin": "b", "ssh_key": "/nowhere"}, 2, "cannot be read"),
    ],
)
def test_refuses_what_cannot_be(request_: dict[str, Any], status: int, message: str, output: Path) -> None:
    told = attempt(**{"output": str(output), "offline": True, **request_})
    assert (told["exit"], message in told["error"]) == (status, True)
    assert not any(output.iterdir())


def test_takes_no_name_of_the_system_for_the_administrator(output: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA me\n")
    identity = {"hostname": "web", "admin": "backup", "ssh_key": str(tmp_path / "key.pub")}
    told = attempt(kind="specialized", output=str(output), offline=True, **identity)
    assert told["exit"] == 2
    assert "the image has an account backup already" in told["error"]
    assert not any(output.iterdir())


@pytest.mark.parametrize("kind", ["a file", "somebody's folder", "below a file"])
def test_leaves_alone_what_is_not_its_own(image: ImageMaker, output: Path, kind: str) -> None:
    image("debian-13")
    target = output / "debian-13-genboth-x86_64"
    if kind == "somebody's folder":
        target.mkdir()
        (target / "thesis.txt").write_text("ten years")
    elif kind == "a file":
        target.write_text("ten years")
    else:
        (output / "file").touch()
    told = attempt(output=str(output / "file" if kind == "below a file" else output), offline=True)
    assert told["exit"] == 2
    assert len([path for path in output.rglob("*") if path.is_file()]) == 1


def test_names_a_tool_that_is_missing(image: ImageMaker, output: Path, tmp_path: Path) -> None:
    image("debian-13")
    for program in ("sh", "env", "unshare", "gpgv", "tar", "zstd", "cp", "find", "mount"):
        (tmp_path / program).symlink_to(shutil.which(program) or program)
    told = attempt(env={"PATH": str(tmp_path)}, output=str(output), rebuild=True, offline=True)
    assert told["exit"] == 3
    assert "mmdebstrap is not installed" in told["error"]


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's file systems need namespaces of their own")
def test_says_when_the_output_folder_is_full(image: ImageMaker, output: Path) -> None:
    image("debian-13")
    before = ("unshare", "--mount", "sh", "-ec", ON_TMPFS, "sh", "100M", output, "true")
    told = attempt(before, output=str(output), offline=True)
    assert told["exit"] == 3
    assert "No space left on device" in told["error"]


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's file systems need namespaces of their own")
def test_says_when_the_cache_is_full(image: ImageMaker, output: Path) -> None:
    """With everything in place that a build needs but the room to unpack the tree."""
    image("debian-13")
    small, kept = output / "cache", cache.folder()
    small.mkdir()
    (state,) = archive.releases((TOOLS,), offline=True)
    used = f"tools/{tools.folder(state, FAMILIES['apt'].TOOLS).name}"
    copied = (
        f"tar -c -C {kept} --exclude={used}/work/* {used} releases | tar -x -C {small}; ln -s {kept}/trees {small}/"
    )
    left = f"$(($(df --output=avail -B1 {small} | tail -n 1) - 200000000))"
    fill = f"{copied}; head -c {left} /dev/zero >{small}/ballast"
    before = ("unshare", "--mount", "sh", "-ec", ON_TMPFS, "sh", "2G", small, fill)
    told = attempt(before, {"KILN_CACHE": str(small)}, output=str(output / "images"), offline=True)
    assert told["exit"] == 3
    assert "No space left on device" in told["error"]
    assert "KILN_CACHE" in told["hint"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_says_that_somebody_has_no_subordinate_ids() -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        base.chmod(0o755)
        for part in ("build", "distros", "tests"):
            shutil.copytree(PROJECT / part, base / part, ignore=shutil.ignore_patterns("__pycache__"))
        (base / "home").mkdir()
        os.chown(base / "home", 65534, 65534)
        shutil.copytree(cache.folder() / "releases", base / "home/.cache/kiln/releases")
        subprocess.run(["chown", "-R", "65534:65534", base / "home"], check=True)
        subprocess.run(["chmod", "-R", "a+rX", base / "build", base / "distros", base / "tests"], check=True)
        request = json.dumps({"distro": "debian", "output": str(base / "home/output"), "offline": True})
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-i", f"HOME={base}/home"]
        words += ["PATH=/usr/bin:/bin", "/usr/bin/python3", str(base / "tests/build/builder.py"), request]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        told = json.loads(done.stdout.splitlines()[-1])
        assert done.returncode == 3, done.stderr
        assert "cannot have a user namespace with subordinate ids" in told["error"]
        assert "--add-subuids" in told["hint"]
        assert not (base / "home/output").exists() or not any((base / "home/output").iterdir())
