"""Scenarios by their names."""

import pytest

from build.errors import CallerError
from harness.scenario import SCENARIOS, find_scenario


def test_finds_each_by_its_name() -> None:
    assert [find_scenario(one.name) for one in SCENARIOS] == list(SCENARIOS)


def test_names_those_there_are() -> None:
    with pytest.raises(CallerError, match="no scenario 'second-boot'") as refusal:
        find_scenario("second-boot")
    assert refusal.value.hint == "there is: first-boot, reboot"
