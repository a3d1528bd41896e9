"""Every scenario with every image that it is for, and every fault. Hours: `./kiln test --all`.

What can go on from one boot is played in parties that share it; what needs a machine of its own is a test by itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from build import cache
from build.progress import Progress
from harness.faultplan import FaultPlan
from harness.faults import FAULTS
from harness.fork import unlike
from harness.machines import GEN1, GEN2, MachineProfile
from harness.profile import Profile
from harness.report import Report
from harness.runs import VerifyRequest
from harness.scenario import SCENARIOS, Scenario, find_scenario, refusal
from harness.verify import verify
from tests.conftest import ImageMaker
from tests.harness.test_boots import failures, passed

pytestmark = [pytest.mark.real, pytest.mark.combination]
RELEASES = ("debian-12", "debian-13")
KINDS = (*(("generalized", one) for one in ("cloud-init", "waagent", "none")), ("specialized", "cloud-init"))
LARGEST_PARTY = 6
"""So many runs share a boot at most: a test that failed is played anew as a whole."""


def applies(scenario: Scenario, kind: str, provisioner: str) -> bool:
    return not refusal(scenario, Profile((1, 2), kind, provisioner, "debian"), None)


def can_share(word: str) -> bool:
    """Whether a run, as NAME or NAME+FAULT, can begin with a boot that others share."""
    name, *faults = word.split("+")
    scenario = find_scenario(name)
    injection = FaultPlan.of((*scenario.faults, *faults)).injection
    return not unlike(GEN2, scenario.seeds[0], scenario.stints[0], injection)


def parties(words: Sequence[str]) -> list[str]:
    """The words as `verify --scenario` takes them: parties of those that can share a boot, the others one by one."""
    sharing = [one for one in words if can_share(one)]
    together = [sharing[at : at + LARGEST_PARTY] for at in range(0, len(sharing), LARGEST_PARTY)]
    return [*map(",".join, together), *(one for one in words if one not in sharing)]


def play(image: Path, words: str, **more: Any) -> dict[str, Report]:
    """The report of each of the words, played one after the other: the tests have workers enough."""
    with cache.locked("test-runs" + str(image.absolute()).replace("/", "-")):
        reports = verify(VerifyRequest(image=image, scenario=words, jobs=1, **more), Progress()).reports
    return dict(zip(words.split(","), reports, strict=True))


PLAYED = [
    pytest.param(name, kind, provisioner, words, id=f"{name}-{kind}-{provisioner}-{words.partition(',')[0]}")
    for name in RELEASES
    for kind, provisioner in KINDS
    for words in parties([one.name for one in SCENARIOS if applies(one, kind, provisioner)])
]
TROUBLED = [f"{one.scenario or 'first-boot'}+{one.name}" for one in FAULTS]


@pytest.mark.parametrize("machine", [GEN1, GEN2], ids=lambda one: one.name)
@pytest.mark.parametrize(("name", "kind", "provisioner", "words"), PLAYED)
def test_every_scenario_passes(
    image: ImageMaker, admin_key: Path, name: str, kind: str, provisioner: str, words: str, machine: MachineProfile
) -> None:
    own = {"ssh_key": admin_key} if kind == "specialized" else {}
    folder = image(name, kind=kind, provisioner=provisioner)
    reports = play(folder, words, generation=machine.generation, **own)
    assert {word: failures(one) for word, one in reports.items() if failures(one)} == {}
    assert [one.azure is None for one in reports.values()] == [one.seed == "nocloud" for one in reports.values()]


@pytest.mark.parametrize("words", parties(TROUBLED), ids=lambda words: words.partition(",")[0])
@pytest.mark.parametrize("name", RELEASES)
def test_a_sound_guest_does_what_is_expected_under_every_fault(image: ImageMaker, name: str, words: str) -> None:
    reports = play(image(name), words, generation=2)
    assert {word: failures(one) for word, one in reports.items() if failures(one)} == {}
    assert [word for word, one in reports.items() if "fault.met" not in passed(one)] == []
