"""The catalogue of faults: complete, and found by name."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from build.errors import CallerError
from harness.faults import ELSEWHERE, FAULTS, catalogue, choose, choose_all, listed
from harness.faults.fault import Fault
from harness.injection import NOTHING
from harness.scenario import SCENARIOS

PROJECT = Path(__file__).parents[3]
CATALOGUE = Path(__file__).with_name("catalogue.toml")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return list(tomllib.loads(CATALOGUE.read_text())["fault"])


def test_every_row_of_the_catalogue_is_a_fault_or_has_a_reason(rows: list[dict[str, str]]) -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "tasks.py", "faults", "--json"], check=True, capture_output=True, text=True
    )
    told: dict[str, Any] = {one["name"]: one for one in json.loads(done.stdout)["faults"]}
    assert sorted({row["id"] for row in rows} - set(told)) == []
    assert all(told[row["id"]].get("expects") or told[row["id"]].get("not_here") for row in rows)


def test_what_is_not_injected_is_in_the_catalogue_or_told_of_there(rows: list[dict[str, str]]) -> None:
    assert {one.name for one in ELSEWHERE} - {row["id"] for row in rows} == {"disk-full"}


def test_names_are_taken_once() -> None:
    names = [str(one["name"]) for one in catalogue()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.name)
def test_each_changes_something_and_knows_what_every_sound_guest_does(fault: Fault) -> None:
    assert fault.inject(fault.default) != NOTHING
    for provisioner in ("cloud-init", "waagent", "none"):
        known = [case for case in fault.cases if case.provisioner in ("", provisioner)]
        assert known
        bounded = [case for case in known if case.since or case.before]
        if bounded and not any(not (case.since or case.before) for case in known):
            assert min(case.since for case in bounded) == (), "old versions are forgotten"
            assert any(not case.before for case in bounded), "new versions are forgotten"
    assert fault.scenario in ("", *(one.name for one in SCENARIOS))


def test_takes_an_argument_where_it_has_a_unit() -> None:
    assert choose("imds-500").argument == 60
    chosen = choose("imds-500=12.5")
    assert (chosen.word, chosen.injection.http[0].window.seconds) == ("imds-500=12.5", 12.5)
    assert choose("clock=3650").injection.clock == 3650 * 86400
    assert [one.word for one in choose_all("imds-403, dhcp-nak=3")] == ["imds-403", "dhcp-nak=3"]
    assert choose_all("") == ()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("imds-999", "there is no fault 'imds-999'"),
        ("imds-403=5", "the fault imds-403 takes no argument"),
        ("imds-500=soon", "'soon' is no number of seconds"),
        ("ws-gzip", "the fault ws-gzip is not injected here: what a sound guest does"),
    ],
)
def test_refuses_what_is_not_there(word: str, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        choose(word)


def test_is_listed_for_people() -> None:
    text = "\n".join(listed())
    assert "imds-500=NUMBER (60 seconds): every answer is 500 for a while" in text
    assert "    cloud-init from 25.1 on: it reports nothing, and its administrator does not get in" in text
    assert "with --scenario reboot" in text
