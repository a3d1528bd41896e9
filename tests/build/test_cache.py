"""The cache: its folder, its locks, and what becomes of leftovers and of the operating system's refusals."""

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from build import cache
from build.command import CommandFailed
from build.errors import CallerError, KilnError, MachineError

PROJECT = Path(__file__).parents[2]
HOLD = (
    "from build import cache; import sys\nwith cache.locked(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    return cache.folder()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"KILN_CACHE": "{0}/own"}, "own"),
        ({"XDG_CACHE_HOME": "{0}/xdg"}, "xdg/kiln"),
        ({"HOME": "{0}/home"}, "home/.cache/kiln"),
        ({"KILN_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "{0}/home"}, "home/.cache/kiln"),
    ],
)
def test_lies_where_the_caller_or_the_desktop_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("KILN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    assert cache.folder() == tmp_path / expected
    assert cache.folder().is_dir()


def test_says_where_it_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "file/cache"))
    with pytest.raises(MachineError, match="cannot be made: Not a directory"):
        cache.folder()


def holder(key: str) -> "subprocess.Popen[str]":
    """Another process that holds a lock until its input ends."""
    words = [sys.executable, "-c", HOLD, key]
    other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert other.stdout
    assert other.stdout.readline() == "held\n"
    return other


def test_waits_for_whoever_holds_the_lock_and_says_so() -> None:
    said: list[str] = []
    other = holder("image-a")

    def waiting(text: str) -> None:
        said.append(text)
        other.communicate("")

    with cache.locked("image-a", waiting=waiting):
        assert other.returncode == 0
    assert said == ["another build holds image-a: waiting for its end"]


def test_frees_the_lock_of_one_that_was_killed() -> None:
    other = holder("image-a")
    other.kill()
    other.communicate()
    with cache.locked("image-a", waiting=pytest.fail):
        pass


def test_sweeps_what_nobody_works_on_any_more(folder: Path) -> None:
    for name in ("tools/0123.partial", "tools/4567.partial", "tools/89ab", "trees"):
        (folder / name).mkdir(parents=True)
    for name in ("trees/aaaa.partial.tar.zst", "trees/bbbb.partial.tar.zst", "trees/cccc.tar.zst"):
        (folder / name).touch()
    for name, days in (("trees/dddd.tar.zst", 40), ("trees/eeee.tar.zst", 20)):
        (folder / name).touch()
        os.utime(folder / name, (0, time.time() - days * 86400))
    others = [holder("tools-4567"), holder("trees-bbbb")]
    cache.sweep()
    for other in others:
        other.communicate("")
    assert sorted(path.name for path in [*folder.glob("tools/*"), *folder.glob("trees/*")]) == [
        "4567.partial",
        "89ab",
        "bbbb.partial.tar.zst",
        "cccc.tar.zst",
        "eeee.tar.zst",
    ]


def dated(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (0, time.time() - days * 86400))
    return path


def test_sweeps_packages_and_lists_that_no_build_has_used_for_long(folder: Path, tmp_path: Path) -> None:
    (folder / "packages/trixie").mkdir(parents=True)
    cache.sweep()
    used, unused = (dated(folder / f"packages/trixie/{days}.deb", days) for days in (20, 40))
    (tmp_path / "held.deb").hardlink_to(unused)
    dated(folder / "lists/old/Packages", 40)
    dated(folder / "lists/new/Packages", 40)
    os.utime(folder / "lists/old", (0, time.time() - 40 * 86400))
    cache.sweep()
    assert used.exists()
    assert not unused.exists()
    assert (tmp_path / "held.deb").exists()
    assert [path.name for path in (folder / "lists").iterdir()] == ["new"]


def test_dates_packages_from_before_their_use_was_noted(folder: Path) -> None:
    kept = dated(folder / "packages/trixie/less.deb", 4000)
    cache.sweep()
    assert kept.exists()
    dated(kept, 4000)
    cache.sweep()
    assert not kept.exists()


def test_removes_links_and_not_what_they_point_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone/link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("gone", "link", "absent"):
        cache.remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["kept"]
    assert (tmp_path / "kept/file").exists()


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/file"), MachineError, "No space left on device: /x/file"),
        (OSError(errno.EACCES, "Permission denied", "/x/file"), MachineError, "Permission denied: /x/file"),
        (shutil.Error([("/a", "/b", "[Errno 28] No space left on device: '/b'")]), MachineError, "No space left on"),
        (
            CommandFailed(("cp",), 1, "cp: /x: No space left on device\n"),
            MachineError,
            "cp: /x: No space left on device",
        ),
        (CommandFailed(("cp",), 1, "cp: something else"), CommandFailed, "something else"),
        (CallerError("a size", "another"), CallerError, "a size"),
    ],
)
def test_says_whose_matter_a_refusal_is(raised: Exception, kind: type[KilnError], message: str) -> None:
    with pytest.raises(kind) as refusal, cache.faults_explained():
        raise raised
    assert message in refusal.value.what
    assert refusal.value.hint
