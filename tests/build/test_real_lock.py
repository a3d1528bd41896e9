"""Locks and freshness with a real archive that moves on: a signed one of our own, which a test renews as it likes."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path

import pytest

from build import api, archive, cache, packages, tools
from build.families import apt
from build.lock import Lock, LockedPackage
from build.manifest import DISK
from build.progress import Progress
from build.request import BuildRequest
from tests.build.archives import Signer
from tests.build.test_bad_builds import attempt
from tests.conftest import ImageMaker, offline
from tests.standin.serve import served

pytestmark = [
    pytest.mark.combination,
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's tools tree cannot be linked into another cache"),
]

FIRST = 1_795_000_000
"""Seconds: when the archive's first state is signed."""
DAY = 24 * 3600
SMALL = 3 << 30
MOVED = "less"
"""The package of which the archive has a newer version later on, and no more the one in the lock."""
RELEASE = """\
Origin: Test
Suite: {0}
Codename: {0}
Date: {1}
{2}Architectures: amd64
Components: main
SHA256:
 {3} {4} {5}
"""
INDEX = "main/binary-amd64/Packages"


@dataclass
class Moving:
    """An archive of Debian 13's packages below `root`, and its address."""

    root: Path
    signer: Signer
    entries: dict[str, str]
    url: str = ""

    def publish(self, date: int, *, without: str = "", limit: str = "") -> None:
        """Sign a state of this date (seconds), perhaps without a package, or with a last day."""
        text = "\n".join(entry for name, entry in sorted(self.entries.items()) if name != without)
        self._suite("debian", "trixie", text, date, limit)
        self._suite("debian", "trixie-updates", "", date, limit)
        self._suite("debian-security", "trixie-security", "", date, limit)

    def _suite(self, below: str, suite: str, text: str, date: int, limit: str) -> None:
        folder = self.root / below / "dists" / suite
        (folder / INDEX).parent.mkdir(parents=True, exist_ok=True)
        (folder / INDEX).write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        content = RELEASE.format(suite, formatdate(date, usegmt=True), limit, digest, len(text.encode()), INDEX)
        (folder / "InRelease").write_bytes(self.signer.sign(content.encode()))

    def add(self, package: LockedPackage, deb: Path) -> None:
        """Have a package in the pool and in the next state's list."""
        target = self.root / "debian" / package.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(deb, target)
        control = subprocess.run(["dpkg-deb", "--field", deb], capture_output=True, text=True, check=True).stdout
        lines = [line for line in control.splitlines() if not line.startswith("Priority:")]
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        lines += [f"Priority: {package.priority}", f"Filename: {package.path}", f"Size: {deb.stat().st_size}"]
        self.entries[package.name] = "\n".join((*lines, f"SHA256: {digest}", ""))

    def move_on(self, package: LockedPackage, folder: Path) -> None:
        """A newer version takes a package's place; a snapshot alone keeps the old one."""
        old = self.root / "debian" / package.path
        kept = self.root / "snapshot/debian" / package.path
        kept.parent.mkdir(parents=True)
        tree, deb = folder / "tree", folder / "newer.deb"
        subprocess.run(["dpkg-deb", "-R", old, tree], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(control.read_text().replace(f"Version: {package.version}", f"Version: {package.version}.1"))
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, deb], check=True, capture_output=True)
        old.rename(kept)
        newer = replace(package, version=f"{package.version}.1", path=package.path.replace("_amd64", ".1_amd64"))
        self.add(newer, deb)
        self.publish(FIRST + DAY)


@dataclass(frozen=True)
class Locked:
    """An image built from the archive's first state, its lock, its cache, and the archive, which has moved on."""

    archive: Moving
    lock: Path
    disk: str
    cache: Path
    folder: Path

    def cached(self, name: str) -> Path:
        """A cache with the same tools and nothing else."""
        path = self.folder / name
        with_tools(path)
        return path

    def package(self) -> LockedPackage:
        return next(one for one in Lock.load(self.lock).packages if one.name == MOVED)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def with_tools(target: Path, more: tuple[str, ...] = apt.TOOLS) -> None:
    """Make a cache that has the tools tree of the shared one, by links."""
    (state,) = archive.releases((tools.ARCHIVE,), offline=offline())
    tree = tools.folder(state, more)
    into = target / "tools" / tree.name
    (into / "work").mkdir(parents=True)
    parts = [path for path in tree.iterdir() if path.name != "work"]
    subprocess.run(["cp", "-al", *parts, into], check=True)
    shutil.copytree(cache.folder() / "releases", target / "releases")


@pytest.fixture(scope="module")
def locked(image: ImageMaker) -> Iterator[Locked]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lock-", dir=cache.folder())))
        signer = Signer(folder / "gnupg")
        stack.callback(signer.end)
        moving = Moving(folder / "root", signer, {})
        real = folder / "real.lock"
        request = BuildRequest("debian", "13", output=image("debian-13").parent, offline=offline(), write_lock=real)
        api.build(request, Progress())
        lock = Lock.load(real)
        places = {source.suite: source.places for source in lock.sources}
        debs = packages.gather(lock.packages, places, cache.folder(), offline=offline())
        for package, deb in zip(lock.packages, debs, strict=True):
            moving.add(package, deb)
        moving.publish(FIRST)
        moving.url = f"{stack.enter_context(served(moving.root)).url}/debian"
        own, written = folder / "cache", folder / "image.lock"
        with_tools(own)
        told = attempt(
            env={"KILN_CACHE": str(own)},
            release="13",
            size=SMALL,
            mirror=moving.url,
            mirror_key=str(signer.keyring()),
            output=str(folder / "first"),
            write_lock=str(written),
        )
        assert told["exit"] == 0, told
        made = Locked(moving, written, sha256(Path(told["folder"]) / DISK), own, folder)
        moving.move_on(made.package(), folder)
        yield made
        cache.remove(folder / "cache")


def test_makes_the_same_image_of_what_the_cache_has_when_the_archive_moved_on(locked: Locked) -> None:
    output = locked.folder / "second"
    told = attempt(
        env={"KILN_CACHE": str(locked.cache)}, release="13", size=SMALL, lock=str(locked.lock), output=str(output)
    )
    assert told["exit"] == 0, told
    assert not told["reused"]
    assert sha256(Path(told["folder"]) / DISK) == locked.disk


def test_makes_the_same_image_of_archive_and_snapshot_with_an_empty_cache(locked: Locked) -> None:
    lock = json.loads(locked.lock.read_text())
    for source in lock["sources"]:
        source["snapshot"] = locked.archive.url.replace("/debian", "/snapshot/debian")
    (locked.folder / "snapshot.lock").write_text(json.dumps(lock))
    told = attempt(
        env={"KILN_CACHE": str(locked.cached("empty"))},
        release="13",
        size=SMALL,
        lock=str(locked.folder / "snapshot.lock"),
        output=str(locked.folder / "third"),
    )
    assert told["exit"] == 0, told
    assert sha256(Path(told["folder"]) / DISK) == locked.disk


def test_names_a_locked_package_that_is_gone_everywhere(locked: Locked) -> None:
    lock = json.loads(locked.lock.read_text())
    for source in lock["sources"]:
        source["snapshot"] = f"{locked.archive.url}/none"
    (locked.folder / "none.lock").write_text(json.dumps(lock))
    told = attempt(
        env={"KILN_CACHE": str(locked.cached("none"))},
        release="13",
        size=SMALL,
        lock=str(locked.folder / "none.lock"),
        output=str(locked.folder / "fourth"),
    )
    assert told["exit"] == 3
    assert f"{MOVED} {locked.package().version} (amd64)" in told["error"]
    assert not list((locked.folder / "fourth").glob("*"))


def test_refuses_a_lock_of_another_image(locked: Locked) -> None:
    told = attempt(release="13", provisioner="none", lock=str(locked.lock), output=str(locked.folder / "fifth"))
    assert told["exit"] == 2
    assert "its provisioner is cloud-init, not none" in told["error"]


def test_refuses_an_older_state_and_one_that_has_expired(locked: Locked) -> None:
    asked = {
        "release": "13",
        "size": SMALL,
        "mirror": locked.archive.url,
        "mirror_key": str(locked.folder / "gnupg/keyring.gpg"),
        "output": str(locked.folder / "sixth"),
    }
    own = {"KILN_CACHE": str(locked.cached("seen"))}
    locked.archive.publish(FIRST + 3 * DAY, without="systemd-resolved")
    newer = attempt(env=own, **asked)
    assert (newer["exit"], "systemd-resolved" in newer["error"]) == (4, True)
    locked.archive.publish(FIRST + 2 * DAY)
    older = attempt(env=own, **asked)
    assert older["exit"] == 3
    assert "older than what it was before" in older["error"]
    locked.archive.publish(FIRST + 4 * DAY, limit=f"Valid-Until: {formatdate(FIRST, usegmt=True)}\n")
    expired = attempt(env=own, **asked)
    assert expired["exit"] == 3
    assert "has expired" in expired["error"]
