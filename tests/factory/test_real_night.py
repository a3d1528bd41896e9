"""A real night: one image built, judged and booted; killed while its guest runs, gone on with, then found unchanged."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.processes import descendants, eventually, runs, started

PROJECT = Path(__file__).resolve().parents[2]
MATRIX = """
name = "one"
store = "store"
[[images]]
distros = ["debian"]
releases = ["13"]
generations = ["2"]
"""
BEGINS = 900
"""Seconds within which the guest must run: its image may have to be built with empty caches."""


def nightly(matrix: Path) -> list[str]:
    return [sys.executable, str(PROJECT / "tasks.py"), "nightly", "--matrix", str(matrix), "--json"]


def night(matrix: Path) -> Mapping[str, Any]:
    done = subprocess.run(nightly(matrix), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def guests(process: int) -> list[int]:
    """The QEMUs among what a process started."""
    found = []
    for one in descendants(process):
        with suppress(OSError):
            if b"qemu-system" in Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")[0]:
                found.append(one)
    return found


@pytest.mark.real
def test_goes_on_after_a_kill_with_its_guest_running_and_does_nothing_the_night_after(tmp_path: Path) -> None:
    matrix = tmp_path / "matrix.toml"
    matrix.write_text(MATRIX)
    with started(nightly(matrix), tmp_path / "log") as killed:
        assert eventually(lambda: bool(guests(killed.pid)) or killed.poll() is not None, BEGINS)
        below = descendants(killed.pid)
        assert guests(killed.pid), (tmp_path / "log").read_text()[-2000:]
        os.kill(killed.pid, signal.SIGKILL)
    assert eventually(lambda: not any(map(runs, below)), 60)

    first = night(matrix)
    outcomes = {name.rpartition("/")[2]: (one["outcome"], one["found"]) for name, one in first["jobs"].items()}
    assert outcomes == {"image": ("passed", True), "inspect": ("passed", True), "gen2": ("passed", False)}
    (entry,) = (one for one in first["jobs"].values() if one["kind"] == "boot")
    assert [(one["played"], one["azure"]) for one in entry["facts"]["runs"]] == [("first-boot on gen2", "Succeeded")]

    second = night(matrix)
    assert second["night"] != first["night"]
    assert {(one["outcome"], one["found"]) for one in second["jobs"].values()} == {("passed", True)}
    assert not [one for one in (tmp_path / "store" / "leases").iterdir() if not one.name.startswith("night-")]
