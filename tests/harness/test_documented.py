"""docs/harness.md has what can be played, what can go wrong, and what Azure would answer: nothing less or else."""

import re
from pathlib import Path

import pytest

from harness.answer import table
from harness.faults import ELSEWHERE, FAULTS
from harness.faultscript import read_script
from harness.scenario import SCENARIOS
from tests.harness.broken import BROKEN

TEXT = (Path(__file__).parents[2] / "docs" / "harness.md").read_text()


def rows(section: str) -> list[str]:
    """The first cells of a section's table."""
    part = TEXT.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [line.split("|")[1].strip() for line in part.splitlines() if line.startswith("| ")][2:]


def test_every_scenario_is_explained() -> None:
    assert rows("Scenarios") == [f"`{one.name}`" for one in SCENARIOS]


def test_every_fault_is_explained() -> None:
    assert [re.findall(r"`([^`]+)`", cell)[0] for cell in rows("Faults")] == [one.name for one in FAULTS]
    assert all(f"- `{one.name}` ({one.title}): {one.reason}" in TEXT for one in ELSEWHERE)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.name)
def test_what_is_expected_under_a_fault_is_what_the_page_says(fault: object) -> None:
    one = next(known for known in FAULTS if known is fault)
    assert "; ".join(f"{case.text}: {case.expectation.text}" for case in one.cases) in TEXT


def test_every_answer_has_its_source() -> None:
    assert all(f"| {row['outcome']} | {row['when']} | {row['source']} |" in TEXT for row in table())


def test_every_broken_image_that_is_told_of_is_one_of_ours() -> None:
    known = [one.name for one in BROKEN]
    told = rows("Images broken on purpose")
    assert told == [name for name in known if name in told]
    for one in (one for one in BROKEN if one.name in told):
        offline, online = (", ".join(f"`{id}`" for id in ids) for ids in (one.offline, one.online))
        assert f"| {one.name} | {offline} | {online} | {one.azure} |" in TEXT


def test_the_script_that_is_shown_can_be_played() -> None:
    assert read_script(TEXT.partition("```toml\n")[2].partition("```")[0]).injection.moments
