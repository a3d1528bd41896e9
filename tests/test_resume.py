"""A run of the tests that was cut off goes on where it was."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from build.errors import CallerError
from tests.resume import recording

TESTS = """
import pytest

@pytest.mark.parametrize("number", [1, 2, 3])
def test_number(number):
    assert number != 2
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one commit, and a cache of its own."""
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "one.txt").write_text("1")
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    return folder


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_leaves_out_what_passed_before(tmp_path: Path, workers: list[str]) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    record = tmp_path / "record"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "tests.resume", "--rootdir", tmp_path, *workers, tmp_path]
    subprocess.run([*words, "--record", record], check=False, capture_output=True)
    assert sorted(record.read_text().splitlines()) == ["test_it.py::test_number[1]", "test_it.py::test_number[3]"]
    again = subprocess.run([*words, "--passed", record], check=False, capture_output=True, text=True)
    assert re.match(r"1 failed(, 2 deselected)? in ", again.stdout.splitlines()[-1])


def test_keeps_a_record_by_commit(project: Path) -> None:
    (_, record) = recording(project, resume=False)
    Path(record).write_text("test_it.py::test_one\n")
    _, same, _, before = recording(project, resume=True)
    assert (same, Path(before).read_text()) == (record, "test_it.py::test_one\n")
    recording(project, resume=False)
    assert not Path(record).exists()


def test_keeps_none_of_files_that_are_of_no_commit(project: Path) -> None:
    (project / "one.txt").write_text("2")
    assert recording(project, resume=False) == []
    with pytest.raises(CallerError, match="files were changed"):
        recording(project, resume=True)
