"""Scenarios by their names, and which images they are for."""

from dataclasses import replace

import pytest

from build.errors import CallerError
from harness.profile import Profile
from harness.scenario import SCENARIOS, Scenario, find_scenario, refusal
from tests.harness.guests import CLOUD_INIT, SPECIALIZED_PROFILE

WAAGENT = replace(CLOUD_INIT, provisioner="waagent")


def test_finds_each_by_its_name() -> None:
    assert [find_scenario(one.name) for one in SCENARIOS] == list(SCENARIOS)


def test_names_those_there_are() -> None:
    with pytest.raises(CallerError, match="no scenario 'second-boot'") as refused:
        find_scenario("second-boot")
    assert refused.value.hint.startswith("there is: first-boot, reboot, ")


@pytest.mark.parametrize(
    ("name", "profile", "seed", "reason"),
    [
        ("first-boot", SPECIALIZED_PROFILE, None, ""),
        ("first-boot", CLOUD_INIT, "nocloud", ""),
        ("nocloud", CLOUD_INIT, None, ""),
        ("nocloud", WAAGENT, None, "is for generalized images and images that cloud-init provisions"),
        ("nocloud", CLOUD_INIT, "azure", "is played with the seed nocloud, not with azure"),
        ("twins", SPECIALIZED_PROFILE, None, "twins is for generalized images, and this is generation 2, specialized"),
        ("specialized-twins", CLOUD_INIT, None, "is for specialized images"),
        ("rename", CLOUD_INIT, "nocloud", "is played with the seed azure, not with nocloud"),
        ("reboot", SPECIALIZED_PROFILE, "nocloud", "nothing provisions a specialized image"),
    ],
)
def test_says_why_one_does_not_apply(name: str, profile: Profile, seed: str | None, reason: str) -> None:
    found = refusal(find_scenario(name), profile, seed)
    assert reason in found
    assert bool(found) == bool(reason)


@pytest.mark.parametrize(
    ("name", "seed", "starts"),
    [("reboot", "azure", False), ("reboot", "nocloud", True), ("pps-savable", "azure", True)],
)
def test_knows_where_no_boot_loader_is_needed(name: str, seed: str, starts: bool) -> None:
    assert find_scenario(name).starts_kernel(seed) is starts


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_each_begins_with_a_machine_that_is_new(scenario: Scenario) -> None:
    first, *others = scenario.stints
    assert first.fresh and not first.label and not first.attached
    assert all(one.label and one.words for one in others), "the verdicts on a later machine tell which it is"
    assert len({one.label for one in others}) == len(others)


def test_is_listed_with_what_it_is_for() -> None:
    told = find_scenario("twins").as_dict()
    assert (told["machines"], told["boots"], told["for"], told["seeds"]) == (
        2,
        2,
        "generalized images",
        ["azure", "nocloud"],
    )
