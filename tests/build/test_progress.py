"""Progress as a script sees it, and as a terminal does."""

import io
import os
import pty
import re

import pytest

from build.progress import Progress


def test_prints_one_line_a_step_with_its_duration() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    with progress.step("Installing [packages]"):
        progress.waiting("for the archive")
    progress.note("reused")
    assert re.fullmatch(r"Installing \[packages\]: 0\.\d s\nreused\n", stream.getvalue())


def test_says_which_step_failed() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    with pytest.raises(ZeroDivisionError), progress.step("outer"), progress.step("inner"):
        raise ZeroDivisionError
    assert re.fullmatch(r"inner: failed after 0\.\d s\nouter: failed after 0\.\d s\n", stream.getvalue())


def test_keeps_standard_output_for_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress().step("Formatting"):
        pass
    assert capsys.readouterr().out == ""


def test_shows_on_a_terminal_what_is_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as terminal:
        progress = Progress(terminal)
        with progress.step("Installing [packages]"):
            progress.waiting("for [this]")
            with progress.step("inner"):
                pass
        progress.note("the end")
        shown = ""
        while "the end" not in shown:
            shown += os.read(reader, 65536).decode()
    os.close(reader)
    assert "for [this]" in shown
    assert re.search(r"inner: 0\.\d s.*Installing \[packages\]: 0\.\d s", shown, re.DOTALL)
