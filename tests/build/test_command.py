"""What the log of a build gets of a program that was called."""

import io

import pytest

from build.command import CommandFailed, run

TOLD = "echo repeated; echo; echo news"


def test_logs_a_call_and_all_that_it_printed() -> None:
    log = io.StringIO()
    assert run("sh", "-c", TOLD, log=log).stdout == "repeated\n\nnews\n"
    assert log.getvalue() == f"$ sh -c '{TOLD}'\nrepeated\n\nnews\n"


def test_logs_the_lines_that_are_worth_it_and_returns_all() -> None:
    log = io.StringIO()
    assert run("sh", "-c", TOLD, log=log, worth=lambda line: line.startswith("n")).stdout == "repeated\n\nnews\n"
    assert log.getvalue().splitlines()[1:] == ["news"]


def test_logs_all_of_a_call_that_failed() -> None:
    log = io.StringIO()
    with pytest.raises(CommandFailed, match="status 3"):
        run("sh", "-c", f"{TOLD}; exit 3", log=log, worth=lambda line: False)
    assert log.getvalue().splitlines()[1:] == ["repeated", "", "news"]
