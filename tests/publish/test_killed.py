"""A publication that is killed anywhere and run again ends the same, with nothing twice."""

from pathlib import Path

import pytest

from build.progress import Progress
from publish import api
from tests.publish.conftest import Desk
from tests.publish.images import Image, image
from tests.publish.killing import kill_after
from tests.publish.test_publish import blob_of

pytestmark = pytest.mark.real
NIGHT = 60
"""More requests than the points below ask for, whatever the way there."""


@pytest.fixture
def proven(tmp_path: Path) -> Image:
    return image(tmp_path / "debian-12-genboth-x86_64", "gen1", "gen2", pieces=24)


def ended_well(desk: Desk, proven: Image) -> None:
    """One version of each definition, whole, with the very bytes."""
    rows = desk.versions()
    assert [(one["definition"], one["state"]) for one in rows] == [
        ("linux-gen1", "Succeeded"),
        ("linux-gen2", "Succeeded"),
    ]
    assert len({one["version"] for one in rows}) == 1
    assert {one["digest"] for one in rows} == {proven.digest}
    assert blob_of(desk, proven) == proven.disk.read_bytes()


def test_ends_the_same_when_it_is_killed_again_and_again(desk: Desk, proven: Image) -> None:
    """Each run comes a little further than the one before."""
    before, points = desk.playground.gate.sent(desk.name), 0
    while kill_after(desk.playground, 20 + 3 * points, lambda: desk.publish(proven.folder)) and points < NIGHT:
        points += 1
    assert points >= 5
    desk.publish(proven.folder)
    ended_well(desk, proven)
    # What was on its way when a run ended may come again: at most one piece for each worker and each end.
    assert desk.playground.gate.sent(desk.name) - before <= proven.held + 512 + points * 16 * (128 << 10)


@pytest.mark.combination
@pytest.mark.parametrize("point", range(2, 104, 2))
def test_ends_the_same_wherever_it_is_killed(point: int, desk: Desk, proven: Image) -> None:
    kill_after(desk.playground, point, lambda: desk.publish(proven.folder))
    desk.publish(proven.folder)
    ended_well(desk, proven)


def test_promotes_the_same_when_it_is_killed(desk: Desk, proven: Image) -> None:
    desk.publish(proven.folder)
    name = str(desk.versions()[0]["version"])
    for point in (8, 14, 20):
        kill_after(
            desk.playground,
            point,
            lambda: api.promote(desk.target, name, Progress(), desk.shown.append, apply=True),
        )
    api.promote(desk.target, name, Progress(), desk.shown.append, apply=True)
    assert {bool(one["latest"]) for one in desk.versions()} == {True}
