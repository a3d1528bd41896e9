"""Keeping secrets out of what is written down: a log that knows them, and errors that repeat a program's output."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO

from build.errors import KilnError

MARK = "[secret]"
LONG_ENOUGH = 8
"""Characters from which one line of a longer secret is a secret too; shorter ones would blot ordinary text."""


class Redactor:
    """Replaces secrets in text, longest first: whole ones, and the long lines of those that have several."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        whole = [one.decode("utf-8", "replace") for one in secrets]
        lines = [line.strip() for one in whole for line in one.splitlines() if len(line.strip()) >= LONG_ENOUGH]
        self.words = sorted({*(one.strip() for one in whole), *lines} - {""}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without them."""
        for word in self.words:
            text = text.replace(word, MARK)
        return text

    def error(self, error: KilnError) -> KilnError:
        """The same error, its words without them."""
        error.what, error.hint = self.text(error.what), self.text(error.hint)
        return error

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Keep secrets out of errors that leave the block."""
        try:
            yield
        except KilnError as error:
            raise self.error(error) from None


class RedactedLog(io.TextIOBase):
    """A log file whose writer need not know what is secret. What one call writes is looked at as a whole."""

    def __init__(self, log: IO[str], redactor: Redactor) -> None:
        self._log, self._redactor = log, redactor

    def write(self, text: str) -> int:
        """Write the text without its secrets."""
        self._log.write(self._redactor.text(text))
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        self._log.flush()
