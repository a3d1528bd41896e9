"""Several sealed calls at once: never more than there are slots, all of them ended, whatever happens."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.errors import CallerError
from harness.slots import Sealed, in_slots, slots
from tests.processes import called, eventually

PROJECT = Path(__file__).parents[2]
MODULE = "work_in_slots"
SECONDS = f"7{os.getpid()}.5"
"""The length of a sleep that no other test sleeps, to know our own by."""
WORK = """
import pathlib, subprocess, sys, time
from build.errors import CallerError
def main(request):
    folder, name = pathlib.Path(request["folder"]), request["name"]
    (folder / f"{name}.begun").touch()
    print(f"{name} has begun", file=sys.stderr, flush=True)
    if name.startswith("bad"):
        raise CallerError("what was asked", "ask otherwise")
    if name.startswith("long"):
        subprocess.Popen(["sleep", "SECONDS"])
        time.sleep(1000)
    if name == "held":
        try:
            time.sleep(1000)
        except KeyboardInterrupt:
            return 0
    while any(not (folder / f"{other}.begun").exists() for other in request["waits_for"]):
        time.sleep(0.02)
    return len(name)
""".replace("SECONDS", SECONDS)

pytestmark = pytest.mark.real


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / f"{MODULE}.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def call(folder: Path, name: str, *waits_for: str) -> Sealed:
    return Sealed(name, MODULE, {"folder": str(folder), "name": name, "waits_for": waits_for})


@pytest.mark.parametrize(
    ("memory", "processors", "available", "most"),
    [(1536, 8, 65536, 4), (1536, 8, 5000, 2), (1536, 1, 65536, 1), (4096, 8, 1024, 1), (1536, 3, 65536, 1)],
)
def test_has_as_many_slots_as_processors_and_memory_allow(
    memory: int, processors: int, available: int, most: int
) -> None:
    assert slots(memory, processors, available) == most


def test_has_a_slot_on_every_machine() -> None:
    assert slots(1 << 30) == 1


def test_runs_at_once_what_there_are_slots_for(folder: Path) -> None:
    told: list[str] = []
    calls = [call(folder, "a", "bb"), call(folder, "bb", "a"), call(folder, "ccc")]
    assert sorted(in_slots(calls, 2, told.append)) == [(0, 1), (1, 2), (2, 3)]
    assert sorted(told) == ["a: a has begun", "bb: bb has begun", "ccc: ccc has begun"]


def test_begins_none_while_all_slots_are_taken(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    begun: list[str] = []

    def noted(name: str) -> Sealed:
        def begin() -> None:
            begun.append(f"{name} after {len(list(folder.glob('*.begun')))}")

        return Sealed(name, MODULE, {"folder": str(folder), "name": name, "waits_for": ()}, begin)

    assert list(in_slots([noted("a"), noted("bb")], 1, lambda line: None)) == [(0, 1), (1, 2)]
    assert begun == ["a after 0", "bb after 1"]
    assert capfd.readouterr().err.splitlines() == ["a has begun", "bb has begun"]


def test_an_error_in_one_ends_the_others(folder: Path) -> None:
    with pytest.raises(CallerError, match="what was asked"):
        list(in_slots([call(folder, "long"), call(folder, "bad")], 2, lambda line: None))
    assert eventually(lambda: not called("sleep", SECONDS))


@pytest.fixture
def parent(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process with two sealed calls under way that would go on for long."""
    code = (
        "from harness.slots import Sealed, in_slots\n"
        f"calls = [Sealed(name, {MODULE!r}, dict(folder={str(folder)!r}, name=name)) for name in ('long1', 'long2')]\n"
        "list(in_slots(calls, 2, print))"
    )
    path = f"{PROJECT}:{folder}"
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    assert eventually(lambda: len(called("sleep", SECONDS)) == 2)
    yield process
    process.kill()
    process.wait()


def test_one_at_a_time_decides_itself_what_ctrl_c_means(folder: Path) -> None:
    """Whoever watches a guest that is held has seen enough; the next run is not what was given up."""
    code = (
        "from harness.slots import Sealed, in_slots\n"
        f"request = dict(folder={str(folder)!r}, waits_for=())\n"
        f"calls = [Sealed(name, {MODULE!r}, dict(request, name=name)) for name in ('held', 'a')]\n"
        "print(list(in_slots(calls, 1, print)))"
    )
    path = f"{PROJECT}:{folder}"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    )
    assert eventually((folder / "held.begun").exists)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0].strip() == "[(0, 0), (1, 1)]"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_leaves_nothing_behind_however_its_parent_ends(parent: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    parent.send_signal(how)
    assert parent.wait(20) != 0
    assert eventually(lambda: not called("sleep", SECONDS))
