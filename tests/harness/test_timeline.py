"""The timeline's geometry: nothing overlaps, trouble is named first, and everything stays inside the picture."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from harness.report import Event
from harness.timeline import LEFT, LETTER, WIDTH, Lane, timeline
from tests.harness.reports import failed_run

EVENTS = some.lists(
    some.builds(
        Event,
        some.floats(-5, 2000, allow_nan=False),
        some.sampled_from(("imds", "dhcp", "odd")),
        some.sampled_from(("Ready", "GET /a → 404", "GET /metadata/instance → 200: agent x", "w" * 90)),
    ),
    min_size=1,
    max_size=40,
)


def spans(lane: Lane, above: bool) -> list[tuple[float, float]]:
    labels = [mark.label for mark in lane.marks if mark.label and mark.label.above is above]
    lengths = [len(label.text) * LETTER for label in labels]
    starts = [label.x - (length if label.anchor == "end" else 0) for label, length in zip(labels, lengths, strict=True)]
    return sorted(zip(starts, (start + length for start, length in zip(starts, lengths, strict=True)), strict=True))


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_keeps_labels_apart_and_inside(events: list[Event]) -> None:
    drawn = timeline(events)
    assert drawn
    assert sum(mark.count for lane in drawn.lanes for mark in lane.marks) == len(events)
    for lane in drawn.lanes:
        assert all(LEFT <= mark.x <= WIDTH for mark in lane.marks)
        assert all(mark.label for mark in lane.marks[:1])
        for above in (True, False):
            row = spans(lane, above)
            assert all(left[1] < right[0] for left, right in pairwise(row))
            assert all(begin >= LEFT - 5 and end <= WIDTH + 1 for begin, end in row)


@pytest.mark.parametrize(
    ("end", "first", "last"), [(0.3, "0 s", "1 s"), (51.9, "0 s", "50 s"), (1200.0, "0 s", "1200 s")]
)
def test_counts_in_round_seconds(end: float, first: str, last: str) -> None:
    drawn = timeline([Event(end, "health", "Ready")])
    assert drawn
    assert (drawn.ticks[0][1], drawn.ticks[-1][1]) == (first, last)
    assert len(drawn.ticks) <= 11


def test_orders_lanes_from_the_machine_to_what_it_reported() -> None:
    events = [Event(1.0, source, "x") for source in ("status", "health", "other", "imds", "dhcp", "machine")]
    drawn = timeline(events)
    assert drawn
    assert [lane.source for lane in drawn.lanes] == ["machine", "dhcp", "imds", "health", "other", "status"]


def test_draws_as_one_what_cannot_be_told_apart() -> None:
    drawn = timeline(
        [
            *(Event(10 + number / 100, "imds", f"GET /{number} → 200") for number in range(20)),
            Event(10.5, "imds", "GET /bad → 500: why"),
            Event(100.0, "imds", "GET /later → 200"),
        ]
    )
    assert drawn
    together, later = drawn.lanes[0].marks
    assert (together.count, together.trouble, together.words) == (21, True, "GET /bad → 500 +20")
    assert "10.00 s  GET /0 → 200" in together.title
    assert "and 9 more" in together.title
    assert (later.words, later.trouble) == ("GET /later", False)


def test_draws_nothing_of_nothing() -> None:
    assert timeline([]) is None
    assert timeline([Event(math.nan, "imds", "x")]) is None


def test_names_the_troubles_of_a_run() -> None:
    drawn = timeline(failed_run().events)
    assert drawn
    labels = {mark.label.text for lane in drawn.lanes for mark in lane.marks if mark.label and mark.trouble}
    assert {"GET /metadata/instance → 400", "PUT /status → 503 +1", "NotReady"} <= labels


def test_takes_an_agents_failure_for_trouble() -> None:
    drawn = timeline([Event(10, "agent", "Enable failed: of Kiln.Test.Probe"), Event(90, "agent", "all is well")])
    assert drawn
    assert [(mark.words, mark.trouble) for mark in drawn.lanes[0].marks] == [
        ("Enable failed", True),
        ("all is well", False),
    ]
