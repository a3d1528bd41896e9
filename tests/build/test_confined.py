"""Calling a function in a process of its own: what comes back, and that nothing of it outlives its parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from build import confined
from build.errors import CallerError, KilnError
from tests.processes import called, eventually

PROJECT = Path(__file__).parents[2]
SECONDS = f"8{os.getpid()}.25"
"""The length of a sleep that no other test sleeps, to know our own by."""
WORK = """
import pathlib, subprocess, time
from build.command import CommandFailed
from build.errors import CallerError
def main(request):
    if "error" in request:
        raise CallerError("what was asked", "ask otherwise")
    if "failure" in request:
        raise CommandFailed(("false",), 1, "no")
    if "crash" in request:
        raise RuntimeError("unforeseen")
    if "status" in request:
        return request["status"]
    subprocess.Popen(["sh", "-c", "sleep SECONDS & exec sleep SECONDS"])
    pathlib.Path(request["file"]).write_text("ready")
    time.sleep(1000)
""".replace("SECONDS", SECONDS)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "work_of_a_test.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "work_of_a_test"


def sleepers() -> list[int]:
    return called("sleep", SECONDS)


@pytest.fixture
def lingering(module: str, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A parent whose worker has begun programs of its own, with no namespace to end them."""
    file = tmp_path / "ready"
    code = f"from build import confined; import sys; sys.exit(confined.call((), {module!r}, {{'file': {str(file)!r}}}))"
    path = f"{PROJECT}:{os.environ['PYTHONPATH']}"
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    assert eventually(lambda: file.exists() and len(sleepers()) == 2)
    yield parent
    parent.kill()
    parent.wait()


def worker_of(parent: int) -> int:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(children[0])


@pytest.mark.parametrize("status", [0, 1, 7])
def test_returns_the_status_that_the_function_returns(module: str, status: int) -> None:
    assert confined.call((), module, {"status": status}) == status


def test_raises_the_functions_errors_again(module: str) -> None:
    with pytest.raises(CallerError, match="what was asked") as refusal:
        confined.call((), module, {"error": True})
    assert refusal.value.hint == "ask otherwise"
    with pytest.raises(KilnError, match="false ended with status 1"):
        confined.call((), module, {"failure": True})


def test_tells_a_defect_by_its_status_and_traceback(module: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert confined.call((), module, {"crash": True}) == 5
    assert "RuntimeError: unforeseen" in capfd.readouterr().err


@pytest.mark.parametrize("how", ["parent killed", "worker killed", "parent interrupted"])
def test_leaves_no_process_behind_where_no_namespace_ends_them(lingering: "subprocess.Popen[bytes]", how: str) -> None:
    if how == "parent killed":
        lingering.kill()
    elif how == "worker killed":
        os.kill(worker_of(lingering.pid), signal.SIGKILL)
    else:
        lingering.send_signal(signal.SIGINT)
    assert lingering.wait(20) != 0
    assert eventually(lambda: not sleepers())
