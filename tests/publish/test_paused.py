"""Two who publish at once, one of which stands still (SIGSTOP, a lid that is closed) for longer than its lock lasts.

Real processes, real leases: each test waits until one has ended.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from build.errors import KilnError
from build.progress import Progress
from publish import api, lease, release
from publish.arm import Arm
from publish.plan import Plan
from publish.playground.strict import Answer, Exchange
from publish.target import Target
from tests.publish.conftest import Desk
from tests.publish.images import Image, image

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Sleeper:
    """A process that stops itself or is stopped, and says in the end how it went."""

    child: int
    reading: int

    def wait_until_stopped(self) -> None:
        _, status = os.waitpid(self.child, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def go_on(self) -> str:
        """What it says once it has gone on to its end."""
        os.kill(self.child, signal.SIGCONT)
        os.waitpid(self.child, 0)
        with os.fdopen(self.reading) as told:
            return told.read()


def begun(work: Callable[[], object]) -> Sleeper:
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return Sleeper(child, reading)
    told = "it did not end"
    try:
        work()
        told = "all was done"
    except KilnError as failure:
        told = f"{failure.status}: {failure.what}"
    finally:
        os.write(writing, told.encode())
        os._exit(0)


def changes(desk: Desk) -> list[tuple[str, str]]:
    """What was asked of the resource manager that changes anything."""
    return [(one.method, one.path) for one in desk.playground.world.exchanges if one.method not in ("GET", "HEAD")]


@pytest.fixture
def proven(tmp_path: Path) -> Image:
    return image(tmp_path / "debian-12-genboth-x86_64", "gen1", "gen2")


def test_makes_no_version_after_another_has(desk: Desk, proven: Image, tmp_path: Path) -> None:
    """Its file is staged and its plan is made: the version's name in it is another image's by now."""
    other = image(tmp_path / "later" / proven.folder.name, "gen1", "gen2", seed=2)
    sleepers: list[Sleeper] = []

    def stop(one: Exchange, before: int) -> Answer | None:
        if one.operation == "Put Blob" and f"{proven.digest[:16]}.vhd.blocks" in one.path:
            os.kill(sleepers[0].child, signal.SIGSTOP)
        return None

    desk.playground.gate.faults.append(stop)
    sleepers.append(begun(lambda: desk.publish(proven.folder)))
    sleepers[0].wait_until_stopped()
    desk.publish(other.folder)
    before = changes(desk)
    assert f"3: {desk.name}-linux-gen1 is no longer held" in sleepers[0].go_on()
    assert changes(desk) == before
    assert {one["digest"] for one in desk.versions()} == {other.digest}


def promoting(desk: Desk, name: str) -> Sleeper:
    """One that stops itself at the last moment before it promotes."""

    def plan(arm: Arm, target: Target) -> Plan:
        return release.promote(arm, target, name, datetime.now(UTC).date())

    def stop(target: Target, plan: Plan) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    one = begun(lambda: api.change(desk.target, plan, Progress(), desk.shown.append, apply=True, before=stop))
    one.wait_until_stopped()
    return one


def test_promotes_nothing_after_another_worked_on_it(desk: Desk, proven: Image) -> None:
    desk.publish(proven.folder)
    name = str(desk.versions()[0]["version"])
    sleeper = promoting(desk, name)
    api.rollback(desk.target, name, Progress(), desk.shown.append, apply=True)
    assert "is no longer held" in sleeper.go_on()
    assert {bool(one["latest"]) for one in desk.versions()} == {False}


def test_goes_on_where_nobody_came_meanwhile(desk: Desk, proven: Image) -> None:
    """Its lock has ended, and it is still the one who had it last."""
    desk.publish(proven.folder)
    sleeper = promoting(desk, str(desk.versions()[0]["version"]))
    time.sleep(lease.SECONDS + 1)
    assert sleeper.go_on() == "all was done"
    assert {bool(one["latest"]) for one in desk.versions()} == {True}
