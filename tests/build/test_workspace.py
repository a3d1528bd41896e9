"""Paths of an image, which must never lead out of its tree."""

import io
from pathlib import Path

import pytest

from build.errors import RecipeError
from build.workspace import Workspace


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "tools", "image", tmp_path / "cache", io.StringIO(), 0)
    made.tree.mkdir(parents=True)
    return made


def link(work: Workspace, path: str, target: str) -> None:
    place = work.tree / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


@pytest.mark.parametrize(
    ("links", "asked", "found"),
    [
        ({}, "/etc/fstab", "etc/fstab"),
        ({}, "/", ""),
        ({"/bin": "usr/bin"}, "/bin/sh", "usr/bin/sh"),
        ({"/var/run": "/run"}, "/var/run/lock", "run/lock"),
        ({"/a": "/b/c", "/b": "/d"}, "/a/file", "d/c/file"),
        ({"/etc/one": "../srv"}, "/etc/one/file", "srv/file"),
        ({"/up": "../../../../../.."}, "/up/etc/passwd", "etc/passwd"),
        ({"/up": "/../../outside"}, "/up/file", "outside/file"),
        ({"/last": "/somewhere"}, "/last", "last"),
        ({}, "/../../etc/passwd", "etc/passwd"),
        ({"/self": "."}, "/self/self/self/file", "file"),
    ],
)
def test_follows_links_as_a_chroot_would(work: Workspace, links: dict[str, str], asked: str, found: str) -> None:
    for path, target in links.items():
        link(work, path, target)
    assert work.path(asked) == work.tree / found


def test_ends_where_links_go_round(work: Workspace) -> None:
    link(work, "/a", "b")
    link(work, "/b", "a")
    with pytest.raises(RecipeError, match="round in circles"):
        work.path("/a/file")


def test_writes_into_the_image_and_not_where_its_links_would_lead(work: Workspace, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("theirs")
    link(work, "/etc/absolute", str(victim))
    link(work, "/etc/file", str(victim / "file"))
    work.write("/etc/absolute/file", "ours")
    work.write("/etc/file", "ours", 0o600)
    assert (victim / "file").read_text() == "theirs"
    assert (work.tree / "etc/file").read_text() == "ours"
    assert (work.tree / "etc/file").stat().st_mode & 0o777 == 0o600


def test_empties_folders_but_keeps_them_and_what_links_point_to(work: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    work.write("/tmp/deep/er/file", "x")
    link(work, "/tmp/out", str(outside))
    work.empty("/tmp")
    work.empty("/absent")
    assert list((work.tree / "tmp").iterdir()) == []
    assert (outside / "kept").exists()


@pytest.mark.parametrize("times", [1, 2])
def test_removes_what_is_there_and_minds_not_what_is_not(work: Workspace, times: int) -> None:
    work.write("/etc/a/file", "x")
    link(work, "/etc/dangling", "/nowhere")
    for _ in range(times):
        work.remove("/etc/a")
        work.remove("/etc/dangling")
    assert list((work.tree / "etc").iterdir()) == []


def test_finds_paths_in_the_images_terms(work: Workspace) -> None:
    for name in ("b", "a"):
        work.write(f"/etc/ssh/ssh_host_{name}_key", "x")
    assert work.glob("/etc/ssh/ssh_host_*") == ["/etc/ssh/ssh_host_a_key", "/etc/ssh/ssh_host_b_key"]
