"""Many pieces at once: how many, how it stands, and when it is over. No network, and a clock of our own."""

import io
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from build.errors import MachineError
from build.progress import Progress
from publish.blocks import Extent
from publish.meter import Meter
from publish.pace import MOST, PEACE, Pace
from publish.transfer import Life, carry

MIB = 1 << 20


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def pieces(count: int) -> list[Extent]:
    return [Extent(number * MIB, MIB) for number in range(count)]


def meter(total: int = 10, now: Callable[[], float] | None = None) -> tuple[Meter, io.StringIO]:
    out = io.StringIO()
    return Meter("Uploading x", total * MIB, Progress(out), now or Clock()), out


def test_goes_slower_when_the_service_complains_and_faster_in_peace() -> None:
    clock = Clock()
    pace = Pace(8, clock)
    pace.complain()
    pace.complain()
    assert pace.limit == 4
    for _ in range(100):
        clock.time += PEACE
        with pace.turn():
            pass
    assert pace.limit == MOST
    for _ in range(10):
        clock.time += 10
        pace.complain()
    assert pace.limit == 1


def test_says_how_it_stands_at_every_tenth() -> None:
    clock = Clock()
    one, out = meter(10, clock)
    for _ in range(10):
        clock.time += 1
        one.add(MIB)
        one.show()
        one.show()
    lines = out.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[3] == "Uploading x: 4 of 10 MiB, 1 MiB/s, 6 s left"
    assert lines[-1] == "Uploading x: 10 of 10 MiB, 1 MiB/s"


def test_tries_again_what_failed_for_a_while() -> None:
    failures = [ServiceRequestError("reset"), ServiceRequestError("reset")]

    def move(one: Extent) -> int:
        if one.offset == MIB and failures:
            raise failures.pop()
        return one.length

    one, _ = meter()
    carry("upload", pieces(10), move, one)
    assert one.done == 10 * MIB


def test_gives_up_when_nothing_moves_any_more() -> None:
    clock = Clock()
    life = Life(clock, give_up=60)

    def move(one: Extent) -> int:
        clock.time += 100
        raise ServiceRequestError("no route to host")

    with pytest.raises(MachineError, match="nothing has come through for 60 s: no route to host"):
        carry("upload", pieces(3), move, meter()[0], life=life)


def test_ends_at_once_at_what_no_patience_mends() -> None:
    asked: list[Extent] = []

    answered = SimpleNamespace(status_code=409, reason="Conflict", headers={})

    def move(one: Extent) -> int:
        asked.append(one)
        raise HttpResponseError("LeaseIdMissing", response=answered)

    with pytest.raises(Exception, match="refused: LeaseIdMissing"):
        carry("upload", pieces(200), move, meter()[0])
    assert len(asked) < 40
