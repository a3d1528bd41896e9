"""Packages by their digest: from the cache, the archive or its snapshot, and from nowhere else."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.errors import MachineError
from build.lock import LockedPackage
from build.packages import deb_name, file_name, gather, note_use
from tests.build.archives import FakeArchive, served

CONTENT = b"a package"


def package(name: str = "less", content: bytes = CONTENT) -> LockedPackage:
    digest = hashlib.sha256(content).hexdigest()
    return LockedPackage(name, "amd64", "1:2-3", digest, len(content), f"pool/{name}.deb", "stable")


@pytest.fixture
def fake() -> Iterator[FakeArchive]:
    with served(FakeArchive()) as archive:
        yield archive


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "packages"


def places(fake: FakeArchive) -> dict[str, tuple[str, ...]]:
    return {"stable": (fake.url, fake.url.replace("/debian", "/snapshot"))}


@pytest.mark.parametrize("place", ["debian", "snapshot"])
def test_fetches_once_what_the_cache_lacks(fake: FakeArchive, kept: Path, place: str) -> None:
    fake.files[f"/{place}/pool/less.deb"] = CONTENT
    (path,) = gather([package()], places(fake), kept, offline=False)
    assert path.read_bytes() == CONTENT
    assert [one.name for one in kept.iterdir()] == ["less_1%3a2-3_amd64.deb"]
    asked = len(fake.asked)
    assert gather([package()], {}, kept, offline=True) == (path,)
    assert len(fake.asked) == asked


def test_takes_nothing_with_another_digest(fake: FakeArchive, kept: Path) -> None:
    kept.mkdir()
    (kept / file_name(package())).write_bytes(b"altered!!")
    fake.files["/debian/pool/less.deb"] = b"replaced!"
    fake.files["/snapshot/pool/less.deb"] = CONTENT
    (path,) = gather([package()], places(fake), kept, offline=False)
    assert path.read_bytes() == CONTENT
    assert fake.asked == ["/debian/pool/less.deb", "/snapshot/pool/less.deb"]


def test_names_what_is_gone_everywhere(fake: FakeArchive, kept: Path) -> None:
    fake.files["/debian/pool/zstd.deb"] = b"another"
    fake.files["/debian/pool/there.deb"] = CONTENT
    with pytest.raises(MachineError, match="less 1:2-3") as refusal:
        gather([package("there"), package(), package("zstd")], places(fake), kept, offline=False)
    assert "zstd 1:2-3 (amd64)" in refusal.value.what
    assert "there" not in refusal.value.what
    assert "HTTP 404" in refusal.value.what
    assert "\n" not in refusal.value.what
    assert "--mirror" in refusal.value.hint
    assert [path.name for path in kept.iterdir()] == [file_name(package("there"))]


def test_says_how_many_more_are_gone(kept: Path) -> None:
    wanted = [package(f"package{number}") for number in range(9)]
    with pytest.raises(MachineError, match=r"package4 1:2-3 \(amd64\) and 4 more: the cache lacks it"):
        gather(wanted, {}, kept, offline=True)


def test_names_packages_as_apt_and_as_the_archive_does() -> None:
    assert deb_name("less", "1:2-3", "amd64") == "less_1%3a2-3_amd64.deb"
    rpm = LockedPackage("bash", "x86_64", "5.2-1", "a" * 64, 1, "Packages/b/bash-5.2-1.x86_64.rpm", "baseos")
    assert file_name(rpm) == "bash-5.2-1.x86_64.rpm"


def test_notes_the_use_of_those_that_are_there(kept: Path) -> None:
    kept.mkdir()
    for name in ("used", "unused"):
        (kept / deb_name(name, "1", "all")).touch()
        os.utime(kept / deb_name(name, "1", "all"), (0, 0))
    note_use(kept, [("used", "1", "all"), ("absent", "1", "all")])
    assert (kept / "used_1_all.deb").stat().st_mtime > 0
    assert (kept / "unused_1_all.deb").stat().st_mtime == 0
