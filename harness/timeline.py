"""The timeline of a run as a picture's geometry: a lane for each source, marks at their seconds, labels that fit.

Pure arithmetic in pixels of the picture; `harness.render_html` draws it. The words of an event up to its first ": "
are its label, all of them its hover text.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from harness.report import Event

ORDER = ("machine", "qmp", "console", "guest", "dhcp", "dns", "dvd", "imds", "wireserver", "hostplugin", "health")
"""The lanes from top to bottom; other sources follow by name."""
WIDTH, LEFT, RIGHT = 1080.0, 96.0, 24.0
LANE, TOP, BOTTOM = 54.0, 10.0, 30.0
TOGETHER = 9.0
"""Marks that would touch each other are drawn as one."""
LETTER = 6.6
"""How wide a letter of a label is at most, on average: sans-serif of 11 pixels."""
LONGEST = 38
MOST_TITLES = 12
TROUBLE = re.compile(r"→ [45]\d\d\b|^(?:crash|malformed|NAK|NotReady|GUEST_PANICKED|WATCHDOG|\w+ failed)\b")
"""What a reader looks for first: refusals, and what no sound guest or host does."""


@dataclass(frozen=True)
class Label:
    """A mark's words: they start or end at `x`, above the lane's line or below it."""

    text: str
    x: float
    anchor: str
    above: bool


@dataclass(frozen=True)
class Mark:
    """One event, or several that lie too close to be told apart; `title` has all their words, a line for each."""

    x: float
    count: int
    title: str
    words: str
    trouble: bool
    label: Label | None = None


@dataclass(frozen=True)
class Lane:
    """One source's marks from left to right; `y` is where its line is drawn."""

    source: str
    y: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Timeline:
    """The whole picture; `ticks` are the axis's places with the seconds that they stand for."""

    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    height: float
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT


def timeline(events: Iterable[Event]) -> Timeline | None:
    """The picture of these events, in whatever order they come; None where there are none."""
    known = sorted((event for event in events if math.isfinite(event.at)), key=lambda event: event.at)
    if not known:
        return None
    begin, end = min(0.0, known[0].at), max(known[-1].at, 1.0)
    scale = (WIDTH - LEFT - RIGHT) / (end - begin)
    sources = sorted({event.source for event in known}, key=_place)
    lanes = []
    for number, source in enumerate(sources):
        marks = _marks([event for event in known if event.source == source], begin, scale)
        lanes.append(Lane(source, TOP + LANE * (number + 0.5), tuple(_labelled(marks))))
    ticks = tuple((LEFT + (at - begin) * scale, f"{at:g} s") for at in _ticks(begin, end))
    return Timeline(tuple(lanes), ticks, TOP + LANE * len(lanes) + BOTTOM)


def _place(source: str) -> tuple[int, str]:
    return (ORDER.index(source) if source in ORDER else len(ORDER), source)


def _ticks(begin: float, end: float) -> Iterator[float]:
    """Round seconds, at most ten of them."""
    rough = (end - begin) / 10
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    for number in range(math.ceil(begin / step), math.floor(end / step) + 1):
        yield round(number * step, 6)


def _marks(events: list[Event], begin: float, scale: float) -> list[Mark]:
    """One lane's marks; events are together while each is close to the first of them."""
    marks: list[list[Event]] = []
    for event in events:
        if marks and (event.at - marks[-1][0].at) * scale < TOGETHER:
            marks[-1].append(event)
        else:
            marks.append([event])
    return [_mark(together, LEFT + (together[0].at - begin) * scale) for together in marks]


def _mark(events: list[Event], x: float) -> Mark:
    heads = [event.text.partition(": ")[0] for event in events]
    words = next((head for head in heads if TROUBLE.search(head)), heads[0]).removesuffix(" → 200")
    shown = words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
    others = f" +{len(events) - 1}" if len(events) > 1 else ""
    return Mark(x, len(events), _title(events), shown + others, any(TROUBLE.search(head) for head in heads))


def _title(events: list[Event]) -> str:
    lines = [f"{event.at:.2f} s  {event.text}" for event in events[:MOST_TITLES]]
    if len(events) > MOST_TITLES:
        lines.append(f"and {len(events) - MOST_TITLES} more")
    return "\n".join(lines)


def _labelled(marks: list[Mark]) -> Iterator[Mark]:
    """The marks, labelled where there is room: trouble first, then the lane's ends, then what else fits.

    A label that says the same as one before it comes last.
    """
    taken: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    labels: dict[int, Label] = {}
    words = [mark.words for mark in marks]
    repeats = {number for number, said in enumerate(words) if said in words[:number]}
    ends = {0, len(marks) - 1}
    for number in sorted(range(len(marks)), key=lambda one: (one in repeats, not marks[one].trouble, one not in ends)):
        if label := _label(marks[number], taken):
            labels[number] = label
    return (replace(mark, label=labels.get(number)) for number, mark in enumerate(marks))


def _label(mark: Mark, taken: dict[bool, list[tuple[float, float]]]) -> Label | None:
    length = len(mark.words) * LETTER
    for anchor, left in (("start", mark.x - 4), ("end", mark.x + 4 - length)):
        for above in (True, False):
            right = left + length
            free = all(right + LETTER < begin or left - LETTER > end for begin, end in taken[above])
            if free and left >= LEFT - 4 and right <= WIDTH:
                taken[above].append((left, right))
                return Label(mark.words, mark.x - 4 if anchor == "start" else mark.x + 4, anchor, above)
    return None
