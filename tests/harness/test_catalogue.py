"""Every rule of the catalogue is a check or is explained in docs/checks.md, which tells the truth about both."""

import re
from collections.abc import Iterator
from pathlib import Path

from harness.checks import all_checks

DOCS = Path(__file__).parents[2] / "docs"
CATALOGUE = (DOCS / "azure" / "image-requirements.md").read_text()
PAGE = (DOCS / "checks.md").read_text()
ID = re.compile(r"`([a-z0-9]+\.[a-z0-9-]+|growpart)`")
CELLS = re.compile(r"(?<!\\)\|")
SEVERITIES = {"req": "required", "rec": "recommended"}
CHECKS = {one.id: one for one in all_checks()}
SHORTEST_REASON = 40
"""Characters: a reason is a sentence, not a word."""


def rows(section: str) -> Iterator[list[str]]:
    """The cells of each row of a text's tables, heads and rules left out."""
    for line in section.splitlines():
        cells = [cell.strip() for cell in CELLS.split(line)[1:-1]]
        if cells and not set(cells[0]) <= set("-: ") and not line.startswith(("| id |", "| ids |", "| case |")):
            yield cells


def of_the_page(heading: str) -> list[list[str]]:
    """The rows of a section of docs/checks.md, without the head of its table."""
    found = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert found, heading
    return [cells for cells in rows(found) if not cells[0].startswith(("LISA's", "image"))]


def rules() -> Iterator[tuple[str, str]]:
    """Each id of sections 1 and 2 with its severity as the catalogue words it; one row may have several ids."""
    column = 0
    text = CATALOGUE[CATALOGUE.index("\n## 1. ") : CATALOGUE.index("\n### 2.15 ")]
    for line in text.splitlines():
        cells = [cell.strip() for cell in CELLS.split(line)[1:-1]]
        column = cells.index("Sev") if "Sev" in cells else column
        for id in ID.findall(cells[0]) if cells else ():
            yield id, cells[column]


RULES = dict(rules())
EXCEPTIONS = {ID.findall(cells[0])[0]: cells[1] for cells in of_the_page("Rules without a check")}


def test_the_whole_catalogue_is_read() -> None:
    assert len(RULES) == len(list(rules())) == len(set(ID.findall(_first_cells()))) > 190
    assert {"vhd.fixed", "growpart", "pkg.minimal", "run.swap", "run.root-id", "run.vdso"} <= set(RULES)
    assert all(re.search(r"\b(req|rec)\b|^-$", severity) for severity in RULES.values())


def _first_cells() -> str:
    text = CATALOGUE[CATALOGUE.index("\n## 1. ") : CATALOGUE.index("\n### 2.15 ")]
    return "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))


def test_every_rule_is_a_check_or_has_a_reason_why_not() -> None:
    assert [id for id in RULES if id not in CHECKS and id not in EXCEPTIONS] == []
    assert [id for id, reason in EXCEPTIONS.items() if len(reason) < SHORTEST_REASON] == []


def test_no_exception_is_a_check_or_unknown_to_the_catalogue() -> None:
    assert sorted(set(EXCEPTIONS) & set(CHECKS)) == []
    assert sorted(set(EXCEPTIONS) - set(RULES)) == []


def test_every_check_beyond_the_catalogue_is_explained() -> None:
    told = [id for cells in of_the_page("Beyond the catalogue") for id in ID.findall(cells[0])]
    assert sorted(told) == sorted(set(CHECKS) - set(RULES))


def test_severities_are_the_catalogues_unless_it_is_said_why_not() -> None:
    told = {
        ID.findall(one)[0]: severity for one, severity, _ in of_the_page("Severities that differ from the catalogue's")
    }
    differs = {
        id: CHECKS[id].severity
        for id, words in RULES.items()
        if id in CHECKS and (allowed := {SEVERITIES[one] for one in re.findall(r"\b(req|rec)\b", words)})
        if CHECKS[id].severity not in allowed
    }
    assert told == differs


def test_every_case_of_lisa_is_answered_for() -> None:
    cases = re.findall(r"^\| (verify_\w+) \|", CATALOGUE, re.MULTILINE)
    told = {cells[0]: ID.findall(cells[1]) for cells in of_the_page("LISA's image standard")}
    assert len(cases) == 26
    assert list(told) == cases
    assert [case for case, ids in told.items() if not ids] == []
    assert [id for ids in told.values() for id in ids if id not in CHECKS and id not in EXCEPTIONS] == []


def test_every_id_that_the_page_names_exists() -> None:
    named = {id for id in ID.findall(PAGE) if not re.search(r"\.(md|py|html|json|toml)$", id)}
    inspected = {"inspect.root", "inspect.esp", "topic.id"}
    assert sorted(named - set(CHECKS) - set(RULES) - inspected) == []
