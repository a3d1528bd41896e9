"""Every scenario with every image that it is for, and every fault. Hours: `./kiln test --all`."""

from pathlib import Path

import pytest

from harness.faults import FAULTS
from harness.faults.fault import Fault
from harness.machines import GEN1, GEN2, MachineProfile
from harness.profile import Profile
from harness.scenario import SCENARIOS, Scenario, refusal
from tests.conftest import ImageMaker
from tests.harness.test_boots import boot, failures, passed

pytestmark = [pytest.mark.real, pytest.mark.combination]
RELEASES = ("debian-12", "debian-13")
KINDS = (*(("generalized", one) for one in ("cloud-init", "waagent", "none")), ("specialized", "cloud-init"))


def applies(scenario: Scenario, kind: str, provisioner: str) -> bool:
    return not refusal(scenario, Profile((1, 2), kind, provisioner, "debian"), None)


PLAYED = [
    pytest.param(name, kind, provisioner, scenario.name, id=f"{name}-{kind}-{provisioner}-{scenario.name}")
    for name in RELEASES
    for kind, provisioner in KINDS
    for scenario in SCENARIOS
    if applies(scenario, kind, provisioner)
]


@pytest.mark.parametrize("machine", [GEN1, GEN2], ids=lambda one: one.name)
@pytest.mark.parametrize(("name", "kind", "provisioner", "scenario"), PLAYED)
def test_every_scenario_passes(
    image: ImageMaker, admin_key: Path, name: str, kind: str, provisioner: str, scenario: str, machine: MachineProfile
) -> None:
    own = {"ssh_key": admin_key} if kind == "specialized" else {}
    folder = image(name, kind=kind, provisioner=provisioner)
    report = boot(folder, machine.generation, scenario=scenario, **own)
    assert failures(report) == {}
    assert (report.azure is None) == (report.seed == "nocloud")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.name)
@pytest.mark.parametrize("name", RELEASES)
def test_a_sound_guest_does_what_is_expected_under_every_fault(image: ImageMaker, name: str, fault: Fault) -> None:
    report = boot(image(name), 2, scenario=fault.scenario or "first-boot", faults=(fault.name,))
    assert failures(report) == {}
    assert "fault.met" in passed(report)
