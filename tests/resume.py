"""A test run of hours that can be cut off: what passed is kept in a file, and a later run leaves it out.

Hooks of pytest, by the options `--record FILE` (a line for each test that passes) and `--passed FILE` (such a file as
it was before this run: every worker must read the same).
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from build import cache
from build.errors import CallerError


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    group = parser.getgroup("kiln")
    group.addoption("--record", type=Path, help="append the name of each test that passes to this file")
    group.addoption("--passed", type=Path, help="leave out the tests that this file names, one in a line")


def pytest_configure(config: pytest.Config) -> None:
    """Keep a record where one is asked for; not in workers, whose results come here."""
    record: Path | None = config.getoption("--record")
    if record and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(record))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what passed before."""
    passed: Path | None = config.getoption("--passed")
    if passed is None or not passed.exists():
        return
    names = set(passed.read_text().splitlines())
    config.hook.pytest_deselected(items=[one for one in items if one.nodeid in names])
    items[:] = [one for one in items if one.nodeid not in names]


def recording(project: Path, resume: bool) -> list[str]:
    """pytest's options for a run of the project's commit, whose record is in the cache; none where files were changed.

    With `resume`, what the record has is left out. Raises CallerError where there can be no record.
    """
    commit = _commit(project)
    if commit is None and resume:
        raise CallerError(
            "a run can be resumed for a commit alone, and files were changed", "commit them, or stash them"
        )
    if commit is None:
        return []
    record = cache.folder() / "test-runs" / commit
    record.parent.mkdir(exist_ok=True)
    before = record.with_suffix(".before")
    if resume and record.exists():
        shutil.copyfile(record, before)
        return ["--record", str(record), "--passed", str(before)]
    record.unlink(missing_ok=True)
    return ["--record", str(record)]


def _commit(project: Path) -> str | None:
    """The commit that the project's files are of, None where they are of none."""
    words = ["git", "-C", str(project)]
    changed = subprocess.run([*words, "status", "--porcelain"], capture_output=True, text=True, check=False)
    if changed.returncode or changed.stdout:
        return None
    return subprocess.run([*words, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


class Recorder:
    """Writes down each test that passes, at once."""

    def __init__(self, record: Path) -> None:
        self.record = record

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for the setup, the call and the teardown of every test."""
        if report.when == "call" and report.passed:
            with self.record.open("a") as file:
                file.write(f"{report.nodeid}\n")
