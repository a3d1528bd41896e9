"""Scratch folders: gone when left, and gone later where their owner was killed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.scratch import PREFIX, is_used, remove_leftovers, scratch_folder

PROJECT = Path(__file__).parents[2]
HOLDS = """
import sys, time
from pathlib import Path
from harness.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "overlay").write_text("much")
    print(folder, flush=True)
    time.sleep(1000)
"""


def test_is_gone_when_it_is_left(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        (folder / "file").write_text("text")
    assert list(tmp_path.iterdir()) == []


def test_lies_where_temporary_files_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.parent == tmp_path


def test_what_a_killed_owner_left_is_removed_by_the_next(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    assert owner.stdout is not None
    left = Path(owner.stdout.readline().strip())
    with scratch_folder(tmp_path):
        assert (left / "overlay").exists(), "its owner lives"
        assert is_used(tmp_path)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert not is_used(tmp_path)
    with scratch_folder(tmp_path) as ours:
        assert list(tmp_path.iterdir()) == [ours]


def test_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path)
    remove_leftovers(tmp_path.glob("*"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", f"{PREFIX}link"]
