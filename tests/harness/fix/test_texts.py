"""Lines of settings: the one that is meant changes, every other byte stays."""

from pathlib import Path

import pytest

from harness.fix.agent import spell_switches_as_the_agent_does
from harness.fix.repair import Unsafe
from harness.fix.texts import lines_of, text_of, with_value, without
from harness.tree import TEXT_LIMIT, FolderTree
from tests.harness.images import put


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["# Format=y", "Format=y  # why"], ["# Format=y", "Format=n"]),
        (["Format=y", "Other=1", "Format=y"], ["Format=n", "Other=1", "Format=n"]),
        ([" Format=y"], [" Format=y", "Format=n"]),
        ([], ["Format=n"]),
    ],
)
def test_sets_a_value_in_every_line_of_its_key(before: list[str], after: list[str]) -> None:
    assert with_value(before, "Format", "n") == after


def test_removes_lines_of_a_key() -> None:
    assert without(["a=1", "#a=1", "b=2", "a = 3"], "a") == ["#a=1", "b=2"]


def test_keeps_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\xff\r\n\x0bb\n")
    assert lines_of(FolderTree(tmp_path), "/file") == ["a\udcff\r", "\x0bb"]


def test_refuses_a_text_that_it_would_cut(tmp_path: Path) -> None:
    put(tmp_path, "file", "x" * (TEXT_LIMIT + 1))
    with pytest.raises(Unsafe, match="no text that people write"):
        text_of(FolderTree(tmp_path), "/file")


@pytest.mark.parametrize(
    ("line", "spelled"),
    [
        ("Logs.Verbose=no", "Logs.Verbose=n"),
        ("Logs.Verbose = True", "Logs.Verbose=y"),
        ("\tLogs.Verbose=n", "Logs.Verbose=n"),
        ("Logs.Verbose=0  # silent", "Logs.Verbose=n"),
    ],
)
def test_spells_a_switch_as_the_agent_does(tmp_path: Path, line: str, spelled: str) -> None:
    put(tmp_path, "etc/waagent.conf", f"# one\n{line}\nOther.Key=yes\n")
    (edit,) = spell_switches_as_the_agent_does(FolderTree(tmp_path))
    assert edit.content == f"# one\n{spelled}\nOther.Key=yes\n".encode()


def test_leaves_a_word_that_could_mean_anything(tmp_path: Path) -> None:
    put(tmp_path, "etc/waagent.conf", "Logs.Verbose=perhaps\n")
    with pytest.raises(Unsafe, match="could mean y or n"):
        list(spell_switches_as_the_agent_does(FolderTree(tmp_path)))
