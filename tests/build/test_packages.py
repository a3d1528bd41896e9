"""Packages by their digest: from the cache, the archive or its snapshot, and from nowhere else."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.errors import MachineError
from build.lock import LockedPackage
from build.packages import deb_name, file_name, folder, gather, lay, lay_copy, note_use, rpm_name
from tests.build.archives import FakeArchive, served

CONTENT = b"a package"


def package(name: str = "less", content: bytes = CONTENT) -> LockedPackage:
    digest = hashlib.sha256(content).hexdigest()
    return LockedPackage(name, "amd64", "1:2-3", digest, len(content), f"pool/{name}.deb", "stable")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def fake() -> Iterator[FakeArchive]:
    with served(FakeArchive()) as archive:
        yield archive


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def kept(home: Path) -> Path:
    return folder(home)


def places(fake: FakeArchive) -> dict[str, tuple[str, ...]]:
    return {"stable": (fake.url, fake.url.replace("/debian", "/snapshot"))}


@pytest.mark.parametrize("place", ["debian", "snapshot"])
def test_fetches_once_what_the_cache_lacks(fake: FakeArchive, home: Path, kept: Path, place: str) -> None:
    fake.files[f"/{place}/pool/less.deb"] = CONTENT
    (path,) = gather([package()], places(fake), home, offline=False)
    assert path.read_bytes() == CONTENT
    assert [one.name for one in kept.iterdir()] == ["less_1%3a2-3_amd64.deb"]
    asked = len(fake.asked)
    assert gather([package()], {}, home, offline=True) == (path,)
    assert len(fake.asked) == asked


def test_takes_nothing_with_another_digest(fake: FakeArchive, home: Path, kept: Path) -> None:
    kept.mkdir(parents=True)
    (kept / file_name(package())).write_bytes(b"altered!!")
    fake.files["/debian/pool/less.deb"] = b"replaced!"
    fake.files["/snapshot/pool/less.deb"] = CONTENT
    (path,) = gather([package()], places(fake), home, offline=False)
    assert path.read_bytes() == CONTENT
    assert fake.asked == ["/debian/pool/less.deb", "/snapshot/pool/less.deb"]


def test_names_what_is_gone_everywhere(fake: FakeArchive, home: Path, kept: Path) -> None:
    fake.files["/debian/pool/zstd.deb"] = b"another"
    fake.files["/debian/pool/there.deb"] = CONTENT
    with pytest.raises(MachineError, match="less 1:2-3") as refusal:
        gather(
            [package("there"), package(content=b"gone"), package("zstd", b"gone too")],
            places(fake),
            home,
            offline=False,
        )
    assert "zstd 1:2-3 (amd64)" in refusal.value.what
    assert "there" not in refusal.value.what
    assert "HTTP 404" in refusal.value.what
    assert "\n" not in refusal.value.what
    assert "--mirror" in refusal.value.hint
    assert [path.name for path in kept.iterdir()] == [file_name(package("there"))]


def test_says_how_many_more_are_gone(home: Path, kept: Path) -> None:
    wanted = [package(f"package{number}") for number in range(9)]
    with pytest.raises(MachineError, match=r"package4 1:2-3 \(amd64\) and 4 more: the cache lacks it"):
        gather(wanted, {}, home, offline=True)


def test_names_packages_as_apt_and_as_the_archive_does() -> None:
    assert deb_name("less", "1:2-3", "amd64") == "less_1%3a2-3_amd64.deb"
    rpm = LockedPackage("bash", "x86_64", "5.2-1", "a" * 64, 1, "Packages/b/bash-5.2-1.x86_64.rpm", "baseos")
    assert file_name(rpm) == rpm_name("bash", "1:5.2-1", "x86_64") == "bash-5.2-1.x86_64.rpm"


def test_notes_the_use_of_those_that_are_there(home: Path, kept: Path) -> None:
    kept.mkdir(parents=True)
    for name in ("used", "unused"):
        (kept / deb_name(name, "1", "all")).touch()
        os.utime(kept / deb_name(name, "1", "all"), (0, 0))
    note_use(kept, ["used_1_all.deb", "absent_1_all.deb"])
    assert (kept / "used_1_all.deb").stat().st_mtime > 0
    assert (kept / "unused_1_all.deb").stat().st_mtime == 0


def test_takes_what_any_build_has_kept_and_adds_nothing_to_what_others_trust(fake: FakeArchive, home: Path) -> None:
    for shelf in ("stable", "stable-0123"):
        (home / "packages" / shelf).mkdir(parents=True)
    (home / "packages/stable" / file_name(package())).write_bytes(b"altered!!")
    (home / "packages/stable-0123" / file_name(package())).write_bytes(CONTENT)
    fake.files["/debian/pool/zstd.deb"] = CONTENT
    less, zstd = gather([package(), package("zstd")], places(fake), home, offline=False)
    assert (less.parent.name, zstd.parent.name) == ("stable-0123", "locked")
    assert not (home / "packages/stable" / file_name(package("zstd"))).exists()


def test_lays_a_file_into_another_place_and_in_place_of_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("new")
    (tmp_path / "there").mkdir()
    (tmp_path / "there/two").write_text("old")
    old = (tmp_path / "there/two").open()
    lay(tmp_path / "one", tmp_path / "there/two")
    assert (tmp_path / "there/two").samefile(tmp_path / "one")
    assert old.read() == "old"
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["two"]


def test_lays_a_copy_that_may_be_written_over(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("kept")
    lay_copy(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two").write_text("over")
    assert (tmp_path / "one").read_text() == "kept"
    lay_copy(tmp_path / "absent", tmp_path / "three")
    assert not (tmp_path / "three").exists()
