"""Machines of every profile, scenarios and runs that share a boot, with real images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from build import cache
from build.progress import Progress
from harness.report import Report
from harness.runs import VerifyRequest
from harness.stage import JOURNAL
from harness.verify import verify
from tests.conftest import ImageMaker
from tests.harness.test_boots import failures, passed

pytestmark = pytest.mark.real


def played(image: Path, **more: Any) -> Mapping[str, Report]:
    """The reports of one call, by the names of their scenarios."""
    with cache.locked("test-runs" + str(image.absolute()).replace("/", "-")):
        reports = verify(VerifyRequest(image=image, **more), Progress()).reports
    return {one.scenario: one for one in reports}


def journal(image: Path, run: str) -> str:
    return (image / "runs" / run / JOURNAL).read_text()


def test_runs_that_begin_alike_share_a_boot(image: ImageMaker) -> None:
    """Debian 13, UEFI: its agent gets an extension in one of them."""
    folder = image("debian-13")
    reports = played(folder, generation=2, scenario="first-boot,extension")
    assert {name: failures(one) for name, one in reports.items()} == {"first-boot": {}, "extension": {}}
    assert "extended.run.extension" in passed(reports["extension"])
    for name in reports:
        assert "goes on from a shared boot" in journal(folder, f"gen2-{name}")


@pytest.mark.parametrize("machine", ["gen2-nvme", "gen2-trusted"])
def test_boots_on_the_machine(image: ImageMaker, machine: str) -> None:
    (report,) = played(image("debian-12"), machine=machine).values()
    assert failures(report) == {}
    assert {"run.secure-boot", "run.disk-controller"} <= passed(report)
    assert report.machine["machine"] == machine


@pytest.mark.combination
@pytest.mark.parametrize("machine", ["gen2-nvme", "gen2-trusted"])
@pytest.mark.parametrize("name", ["debian-12", "debian-13"])
def test_every_release_reboots_on_the_machine(image: ImageMaker, name: str, machine: str) -> None:
    (report,) = played(image(name), machine=machine, scenario="reboot").values()
    assert failures(report) == {}


@pytest.mark.combination
@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("provisioner", ["cloud-init", "waagent", "none"])
@pytest.mark.parametrize("name", ["debian-12", "debian-13"])
def test_every_scenario_that_applies_passes(image: ImageMaker, name: str, provisioner: str, generation: int) -> None:
    reports = played(image(name, provisioner=provisioner), generation=generation, scenario="all")
    assert len(reports) > 5
    assert {name: failures(one) for name, one in reports.items() if failures(one)} == {}
