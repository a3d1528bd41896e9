"""Many small pieces at once, each tried until it is through: for pages that are sent and pages that are read."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from build.errors import MachineError
from publish import refusals
from publish.blocks import Extent
from publish.meter import Meter
from publish.pace import MOST, Pace

GIVE_UP = 300.0
"""Seconds in which not one piece came through, after which it is over."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
MOST_REFUSALS = 3
"""How often one piece may be refused by addresses that were all new."""
LOOK = 0.5
"""Seconds between two looks at how it stands."""


@dataclass
class Life:
    """When a piece last came through, and whether the others should stop."""

    now: Callable[[], float] = time.monotonic
    give_up: float = GIVE_UP
    moved: float = field(init=False)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.moved = self.now()

    @property
    def is_spent(self) -> bool:
        """Whether nothing has moved for too long."""
        return self.now() - self.moved > self.give_up


def carry(
    what: str,
    pieces: Sequence[Extent],
    move: Callable[[Extent], int],
    meter: Meter,
    *,
    renew: Callable[[], bool] = lambda: False,
    life: Life | None = None,
) -> None:
    """Have `move` carry every piece; it gives the bytes that counted.

    What the service cannot do just now is tried again, more slowly; `renew` is asked once a credential has expired, and
    says whether there is a new one. Raises MachineError where nothing moves for five minutes, else as
    `refusals.told` says. Ctrl-C leaves the rest where it is.
    """
    pace, life = Pace(), life or Life()
    with ThreadPoolExecutor(MOST, thread_name_prefix="kiln-transfer") as pool:
        waiting = [pool.submit(_one, what, one, move, meter, pace, life, renew) for one in pieces]
        try:
            _watch(waiting, meter)
        finally:
            life.over.set()
            for each in waiting:
                each.cancel()
    meter.show()


def _watch(waiting: Iterable["Future[None]"], meter: Meter) -> None:
    left = set(waiting)
    while left:
        done, left = wait(left, LOOK, FIRST_EXCEPTION)
        meter.show()
        for one in done:
            one.result()


def _one(
    what: str,
    piece: Extent,
    move: Callable[[Extent], int],
    meter: Meter,
    pace: Pace,
    life: Life,
    renew: Callable[[], bool],
) -> None:
    """Carry one piece, however often it takes."""
    pause, refused = FIRST_PAUSE, 0
    while not life.over.is_set():
        try:
            with pace.turn():
                if life.over.is_set():
                    return
                meter.add(move(piece))
            life.moved = life.now()
            return
        except Exception as failure:  # what the service and the network say comes in many classes
            refused += _is_refused(failure)
            again = refusals.is_temporary(failure) or (_is_refused(failure) and refused <= MOST_REFUSALS and renew())
            if not again:
                life.over.set()
                with refusals.told(what):
                    raise
            if life.is_spent:
                raise MachineError(
                    f"{what}: nothing has come through for {life.give_up:.0f} s: {refusals.plain(failure)}",
                    "is the network up? Run the same again: what is there already is not sent twice",
                ) from None
            pace.complain()
        life.over.wait(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, LONGEST_PAUSE)


def _is_refused(failure: Exception) -> bool:
    """Whether the address itself is refused: one whose time is over looks so."""
    return getattr(failure, "status_code", None) in (401, 403)
