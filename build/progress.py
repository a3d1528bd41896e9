"""What a person sees while something takes long: one line a step with its duration, on standard error only."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status


class Progress:
    """Steps as they end; on a terminal a line that moves says meanwhile what is being done.

    Not for several threads at once.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._console: Console | None = None
        self._status: Status | None = None
        if self._stream.isatty():
            from rich import console  # a tenth of a second, which scripts do not pay

            self._console = console.Console(file=self._stream, highlight=False)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Do one step: its line is printed when it ends, well or not. Steps may hold steps."""
        outer, begun, outcome = self._start(text), time.monotonic(), "failed after "
        try:
            yield
            outcome = ""
        finally:
            self._stop(outer)
            self.note(f"{text}: {outcome}{time.monotonic() - begun:.1f} s")

    def note(self, text: str) -> None:
        """Print a line."""
        if self._console:
            self._console.print(text, markup=False, soft_wrap=True)
        else:
            print(text, file=self._stream, flush=True)

    def waiting(self, text: str) -> None:
        """Say what is being waited for now; only a terminal shows it, in place of what it said before."""
        if self._status:
            self._status.update(_plain(text))

    def _start(self, text: str) -> "Status | None":
        outer = self._status
        if outer:
            outer.stop()
        if self._console:
            self._status = self._console.status(_plain(text))
            self._status.start()
        return outer

    def _stop(self, outer: "Status | None") -> None:
        if self._status:
            self._status.stop()
        self._status = outer
        if outer:
            outer.start()


def answers() -> "Console":
    """The console for what a task was asked for: standard output, lines unbroken where it is no terminal."""
    from rich import console

    return console.Console(highlight=False, soft_wrap=True)


def _plain(text: str) -> str:
    """The text with brackets that rich does not take for its markup."""
    from rich.markup import escape

    return escape(text)
