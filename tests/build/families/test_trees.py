"""Trees kept in the cache: one that was just made and one that comes from there are the same."""

import io
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from build.families import trees
from build.workspace import Workspace

EPOCH = 1_700_000_000
KEY = "key"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Workspace]:
    """Gives the workspace of a build of this name; all have one cache."""
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))

    def make(name: str) -> Workspace:
        made = Workspace(tmp_path / "tools", name, tmp_path / "cache", io.StringIO(), EPOCH)
        made.folder.mkdir(parents=True)
        return made

    return make


def install(work: Workspace) -> None:
    """A tree with everything that an archive could lose, and what must not be in one."""
    trees.fresh(work)
    for folder in ("etc", "usr/bin", "dev/pts", "proc", "tmp", "run/lock"):
        (work.tree / folder).mkdir(parents=True)
    (work.tree / "proc").chmod(0o555)
    old, new, program = work.tree / "etc/old", work.tree / "etc/new", work.tree / "usr/bin/program"
    for path in (old, new, program, work.tree / "dev/node"):
        path.write_text(path.name)
    program.chmod(0o4755)
    (work.tree / "usr/bin/same").hardlink_to(program)
    (work.tree / "etc/link").symlink_to("nowhere")
    (work.tree / "etc/empty").touch()
    for path in (old, work.tree / "etc/empty"):  # which nothing that packs the tree need read
        os.utime(path, (EPOCH - 100, EPOCH - 100))
    with suppress(OSError):  # a file system without attributes
        os.setxattr(new, "user.told", b"kept")
    with (work.tree / "etc/holes").open("wb") as sparse:
        sparse.truncate(1 << 20)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(work.tree / "run/socket"))


def described(tree: Path) -> dict[str, tuple[object, ...]]:
    """Everything of a tree that gets into an image, by path; its topmost folder's time is not told."""
    first: dict[int, str] = {}
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(tree.rglob("*")):
        told, name = path.lstat(), str(path.relative_to(tree))
        content: object = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        attributes = {
            one: os.getxattr(path, one, follow_symlinks=False) for one in os.listxattr(path, follow_symlinks=False)
        }
        time = None if name in trees.MOUNTED else told.st_mtime
        read = told.st_atime >= EPOCH
        owners = (told.st_uid, told.st_gid, told.st_nlink if stat.S_ISREG(told.st_mode) else 0)
        found[name] = (told.st_mode, *owners, time, read, first.setdefault(told.st_ino, name), content, attributes)
    return found


def test_a_tree_is_the_same_just_made_and_from_the_cache(workspace: Callable[[str], Workspace]) -> None:
    one, two = workspace("one"), workspace("two")
    trees.cached(one, KEY, lambda: install(one))
    trees.cached(two, KEY, lambda: pytest.fail("it is in the cache"))
    assert described(one.tree) == described(two.tree)


def test_a_tree_has_no_times_after_its_date_and_nothing_of_the_build_machines(
    workspace: Callable[[str], Workspace],
) -> None:
    work = workspace("one")
    trees.cached(work, KEY, lambda: install(work))
    assert (work.tree / "etc/new").stat().st_mtime == EPOCH
    assert (work.tree / "etc/link").lstat().st_mtime == EPOCH
    assert (work.tree / "etc/old").stat().st_mtime == EPOCH - 100
    assert [list((work.tree / name).iterdir()) for name in trees.MOUNTED] == [[], [], []]
    assert not (work.tree / "run/socket").exists()
    assert stat.S_IMODE((work.tree / "tmp").stat().st_mode) == 0o1777


def test_tells_of_a_tree_from_the_cache_what_was_told_when_it_was_made(
    workspace: Callable[[str], Workspace],
) -> None:
    one, two = workspace("one"), workspace("two")

    def warned() -> None:
        install(one)
        one.warn("a script failed")

    trees.cached(one, KEY, warned)
    trees.cached(two, KEY, lambda: pytest.fail("it is in the cache"))
    assert one.warnings() == two.warnings() == ("a script failed",)


def test_keeps_nothing_of_a_tree_whose_making_was_cut_off(workspace: Callable[[str], Workspace]) -> None:
    work = workspace("one")

    def cut_off() -> None:
        install(work)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        trees.cached(work, KEY, cut_off)
    assert not list((work.cache / "trees").glob("*.zst"))
    trees.cached(work, KEY, lambda: install(work))
    assert (work.tree / "etc/new").is_file()
