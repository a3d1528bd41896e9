"""Whether builds and boots become slower: each night against the median of those before it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from factory.history import Timing

LAST = 14
"""So many nights before one it is compared with, at most."""
FEWEST = 3
"""With fewer before it nothing is said: a machine's noise is no trend."""


@dataclass(frozen=True)
class Trend:
    """What one build or run took, night after night, in seconds, oldest first; `usual` is the median of the nights
    before the last one (0 where they are too few), and `limit` what it may take by the budget."""

    image: str
    what: str
    nights: tuple[str, ...]
    seconds: tuple[float, ...]
    usual: float
    limit: float

    @property
    def is_slow(self) -> bool:
        """Whether the last night took more than it may."""
        return bool(self.limit) and self.seconds[-1] > self.limit

    @property
    def text(self) -> str:
        """The last night in a line."""
        return (
            f"{self.image} {self.what}: {self.seconds[-1]:.0f} s in {self.nights[-1]}, usually {self.usual:.0f} s"
            f" (at most {self.limit:.0f} s)"
        )


def trends(timings: Iterable[Timing], budget: float) -> tuple[Trend, ...]:
    """One for each image and what was done with it, by name; `budget` is how many times the median it may take."""
    rows: dict[tuple[str, str], list[Timing]] = {}
    for one in timings:
        rows.setdefault((one.image, one.what), []).append(one)
    return tuple(_trend(image, what, row, budget) for (image, what), row in sorted(rows.items()))


def _trend(image: str, what: str, row: Sequence[Timing], budget: float) -> Trend:
    before = [one.seconds for one in row[-LAST - 1 : -1]]
    usual = median(before) if len(before) >= FEWEST else 0.0
    seconds = tuple(one.seconds for one in row)
    return Trend(image, what, tuple(one.night for one in row), seconds, usual, usual * budget)
