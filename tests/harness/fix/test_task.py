"""The task as its caller sees it: what it prints, and its exit status."""

import json
import subprocess
import sys
from pathlib import Path

from tests.harness.fix.conftest import DiskMaker
from tests.harness.images import put

PROJECT = Path(__file__).resolve().parents[3]


def kiln(*words: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(PROJECT / "tasks.py"), *map(str, words)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_says_what_it_repaired_and_ends_with_0(root: Path, made: DiskMaker) -> None:
    put(root, "etc/hostname", "builder\n")
    disk = made(root)
    done = kiln("fix", disk)
    assert done.returncode == 0, done.stderr
    first, second, last = done.stdout.splitlines()
    assert first == f"repaired, in {disk.with_name('disk-fixed.vhd')}:"
    assert second == "  net.hostname: /etc/hostname: localhost"
    assert last.startswith("passed: 0 required and 0 recommended findings")
    again = kiln("fix", disk)
    assert (again.returncode, "exists already" in again.stderr) == (2, True)


def test_ends_with_1_where_something_required_is_left(root: Path, made: DiskMaker) -> None:
    put(root, "home/bob/notes")
    done = kiln("fix", made(root), "--in-place", "--json")
    assert done.returncode == 1, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["repaired"], [one["id"] for one in answer["left"]]) == ([], ["acct.no-users"])
