"""Ending a publication by SIGKILL at a point that is counted, not timed."""

import os
import signal
import time
from collections.abc import Callable

from publish.playground.azure import Playground

LOOK = 0.001
QUIET = 0.3
"""Seconds without a request after which none is on its way any more."""


def kill_after(playground: Playground, requests: int, work: Callable[[], object]) -> bool:
    """Do the work in a child, and end it once so many requests of its have come; False where it was done before."""
    begun = seen(playground)
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(0)
    while seen(playground) - begun < requests:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return False
        time.sleep(LOOK)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    _settle(playground)
    return True


def seen(playground: Playground) -> int:
    """How many requests have come so far."""
    return len(playground.gate.exchanges) + len(playground.world.exchanges)


def _settle(playground: Playground) -> None:
    """Wait until what was on its way has arrived."""
    before = -1
    while before != (before := seen(playground)):
        time.sleep(QUIET)
