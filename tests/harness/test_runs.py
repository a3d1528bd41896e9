"""What a verification plays: which runs come of what was asked for, and how they are called."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.errors import CallerError
from harness.faultplan import FaultPlan
from harness.faults import FAULTS
from harness.runs import Run, VerifyRequest, planned, plans_of
from harness.scenario import SCENARIOS, find_scenario
from harness.subject import open_subject
from tests.harness.guests import CLOUD_INIT
from tests.harness.test_subject import disk


@pytest.mark.parametrize(
    ("machine", "scenario", "seed", "faults", "name"),
    [
        ("gen1", "first-boot", "azure", (), "gen1-first-boot"),
        ("gen2-nvme", "reboot", "azure", (), "gen2-nvme-reboot"),
        ("gen2", "first-boot", "nocloud", (), "gen2-first-boot-nocloud"),
        ("gen2", "no-imds", "azure", ("imds-refused", "dns-dead"), "gen2-no-imds-dns-dead"),
    ],
)
def test_names_a_run_by_what_was_done(
    machine: str, scenario: str, seed: str, faults: tuple[str, ...], name: str
) -> None:
    assert Run(find_scenario(scenario), {"machine": machine, "seed": seed}, FaultPlan.of(faults, "")).name == name


def test_plays_of_all_what_applies_and_names_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.runs.profile_of", lambda order: replace(CLOUD_INIT, provisioner="waagent"))
    request = VerifyRequest(image=disk(tmp_path / "image.raw", footer=False), generation=1, scenario="all")
    runs, refused = planned(open_subject(request.image, tmp_path), request)
    assert {one.scenario for one in refused} == {"nocloud", "specialized-twins", "pps", "pps-savable", "second-nic"}
    assert all(one.reason for one in refused)
    assert len(runs) + len(refused) == len(SCENARIOS)
    assert {one.machine["seed"] for one in runs} == {"azure"}


@pytest.mark.parametrize(
    "words", [{"faults": ("imds-429",)}, {"faults": ("all",)}, {"scenario": "neighbours+imds-429"}]
)
def test_plays_no_fault_with_two_machines_at_the_same_addresses(tmp_path: Path, words: Any) -> None:
    image = disk(tmp_path / "image.raw", footer=False)
    request = VerifyRequest(**{"image": image, "generation": 1, "scenario": "neighbours", **words})
    with pytest.raises(CallerError, match="neighbours has several machines behind one set of Azure's addresses"):
        planned(open_subject(image, tmp_path), request)


FAULTY = VerifyRequest(faults=("imds-429", "dhcp-late=30"))


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        (VerifyRequest(), [()]),
        (FAULTY, [("imds-429", "dhcp-late=30")]),
        (replace(FAULTY, apart=True), [("imds-429",), ("dhcp-late=30",)]),
        (VerifyRequest(apart=True), [()]),
    ],
)
def test_plays_faults_together_or_apart(request_: VerifyRequest, names: list[tuple[str, ...]]) -> None:
    assert [one.names for one in plans_of(request_, find_scenario("first-boot"))] == names


def test_plays_every_fault_that_a_scenario_can_have_apart() -> None:
    plans = plans_of(VerifyRequest(faults=("all",)), find_scenario("no-imds"))
    assert all(one.names[0] == "imds-refused" and len(one.names) == 2 for one in plans)
    assert len(plans) == len([one for one in FAULTS if not one.scenario]) - 1


def test_refuses_a_fault_that_needs_another_scenario() -> None:
    needy = next(one for one in FAULTS if one.scenario)
    with pytest.raises(CallerError, match=f"needs the scenario {needy.scenario}"):
        plans_of(VerifyRequest(faults=(needy.name,)), find_scenario("first-boot"))


def played(tmp_path: Path, request: VerifyRequest) -> list[str]:
    """The names of the runs that come of a request for a foreign disk's first generation."""
    image = disk(tmp_path / "image.raw", footer=False)
    return [one.name for one in planned(open_subject(image, tmp_path), replace(request, image=image, generation=1))[0]]


@pytest.mark.parametrize(
    ("scenario", "faults", "names"),
    [
        ("twins, first-boot,twins", (), ["gen1-twins", "gen1-first-boot"]),
        (
            "first-boot,first-boot+imds-500=5+dns-dead",
            (),
            ["gen1-first-boot", "gen1-first-boot-imds-500=5-dns-dead"],
        ),
        ("first-boot+dns-dead,reboot", ("imds-429",), ["gen1-first-boot-dns-dead-imds-429", "gen1-reboot-imds-429"]),
    ],
)
def test_plays_scenarios_with_faults_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: str, faults: tuple[str, ...], names: list[str]
) -> None:
    monkeypatch.setattr("harness.runs.profile_of", lambda order: CLOUD_INIT)
    assert played(tmp_path, VerifyRequest(scenario=scenario, faults=faults)) == names


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (VerifyRequest(scenario="first-boot+dvd-noeject"), "needs the scenario reboot"),
        (VerifyRequest(scenario="first-boot+nonsense"), "no fault 'nonsense'"),
        (VerifyRequest(scenario="first-boot+dns-dead,first-boot", faults=("dns-dead",)), "dns-dead is asked for twice"),
        (VerifyRequest(scenario="nocloud+dns-dead"), "nocloud without Azure has no host"),
        (VerifyRequest(jobs=0), "0 machines at once are none"),
    ],
)
def test_refuses_runs_that_cannot_be(tmp_path: Path, request_: VerifyRequest, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        played(tmp_path, request_)


def test_holds_one_machine_alone() -> None:
    assert VerifyRequest(hold=True, jobs=4).slots() == 1
    assert VerifyRequest(jobs=4).slots() == 4


def test_counts_machines_that_run_beside_each_other() -> None:
    assert [VerifyRequest(jobs=jobs).slots(find_scenario("neighbours").machines) for jobs in (1, 2, 5)] == [1, 1, 2]
    assert VerifyRequest(jobs=3).slots(find_scenario("twins").machines) == 3
