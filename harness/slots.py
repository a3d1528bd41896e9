"""Several machines at once, never more than there are slots for them."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.confined import Call
from harness.sandbox import sealed

PROCESSORS = 2
"""Processors that one machine keeps busy: it has as many itself."""
BESIDE = 512
"""MiB that QEMU and Kiln's own process need beside a machine's memory."""
LOOK = 0.2
"""Seconds between two looks at what is under way."""


@dataclass(frozen=True)
class Sealed:
    """A call to make in a sealed namespace; `begin` is called right before it."""

    label: str
    module: str
    request: Mapping[str, Any]
    begin: Callable[[], None] = lambda: None


def slots(memory: int, processors: int | None = None, available: int | None = None) -> int:
    """How many machines with so many MiB of memory can run here at once; at least one."""
    by_processors = (processors or len(os.sched_getaffinity(0))) // PROCESSORS
    by_memory = (_available() if available is None else available) // (memory + BESIDE)
    return max(1, min(by_processors, by_memory))


def _available() -> int:
    """MiB of memory that could be had without swapping (proc(5))."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) >> 10


def in_slots(calls: Sequence[Sealed], most: int, tell: Callable[[str], None]) -> Iterator[tuple[int, int]]:
    """Make all calls, at most so many at once; yields the place of each in `calls` and its exit status as it ends.

    `tell` gets the lines that calls write on standard error where several run at once, with their label. Ctrl-C and an
    error in one of them ask the others to end in good order, and wait for that. Raises what they raise. Where one
    runs at a time, what Ctrl-C means is its own affair: a guest that is held is let go, and the next one begins.
    """
    if most == 1:
        yield from _one_by_one(calls)
        return
    waiting = deque(enumerate(calls))
    running: dict[int, tuple[Call, ExitStack]] = {}
    with ExitStack() as stack:
        try:
            while waiting or running:
                while waiting and len(running) < most:
                    place, one = waiting.popleft()
                    one.begin()
                    own = stack.enter_context(ExitStack())
                    running[place] = own.enter_context(_begun(one, tell)), own
                for place in [place for place, (call, _) in running.items() if call.ended]:
                    call, own = running.pop(place)
                    with own:
                        status = call.end()
                    yield place, status
                time.sleep(LOOK)
        except BaseException:
            for call, _ in running.values():
                call.stop()
            for call, _ in running.values():
                call.wait()
            raise


def _one_by_one(calls: Sequence[Sealed]) -> Iterator[tuple[int, int]]:
    for place, one in enumerate(calls):
        one.begin()
        with sealed(one.module, one.request) as call:
            status = call.attend()
        yield place, status


@contextmanager
def _begun(one: Sealed, tell: Callable[[str], None]) -> Iterator[Call]:
    with ExitStack() as stack:
        complaints = stack.enter_context(_lines(lambda line: tell(f"{one.label}: {line}")))
        yield stack.enter_context(sealed(one.module, one.request, complaints))


@contextmanager
def _lines(tell: Callable[[str], None]) -> Iterator[int]:
    """A descriptor to write to; its lines are told until nobody writes any more."""
    reading, writing = os.pipe()

    def relay() -> None:
        with os.fdopen(reading, errors="replace") as lines:
            for line in lines:
                tell(line.rstrip())

    reader = threading.Thread(target=relay, daemon=True)
    reader.start()
    try:
        yield writing
    finally:
        os.close(writing)
        reader.join()
