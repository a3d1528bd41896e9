"""SUSE's recipes booted from their stand-ins, which prove our code under SUSE's names and paths, not its content."""

from pathlib import Path

import pytest

from distros import all_recipes
from harness.inspect import inspect
from tests.conftest import ImageMaker
from tests.harness.test_boots import boot, failures, passed

pytestmark = pytest.mark.real

SUSE = [one.name for one in all_recipes() if (one.family, one.arch) == ("zypper", "x86_64")]


def test_opensuse_is_provisioned_by_bios_while_selinux_enforces(image: ImageMaker) -> None:
    folder = image("opensuse-16.0")
    report = boot(folder, 1)
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.report-ready", "run.custom-data", "hostname.dhcp"} <= passed(report)
    assert "enforcing=1 old_enforcing=0" in (folder / "runs/gen1-first-boot/console.log").read_text(errors="replace")


def test_opensuse_is_provisioned_by_uefi(image: ImageMaker) -> None:
    report = boot(image("opensuse-16.0"), 2)
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.report-ready"} <= passed(report)


@pytest.mark.combination
def test_opensuse_reboots_by_uefi(image: ImageMaker) -> None:
    report = boot(image("opensuse-16.0"), 2, scenario="reboot")
    assert failures(report) == {}
    assert {"run.boot-ssh", "reboot.run.identity-stays"} <= passed(report)


@pytest.mark.combination
@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("name", SUSE)
def test_every_suse_recipe_reboots(image: ImageMaker, name: str, generation: int) -> None:
    folder = image(name)
    assert inspect(folder).passed
    assert failures(boot(folder, generation, scenario="reboot")) == {}


@pytest.mark.combination
@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("name", SUSE)
def test_every_specialized_suse_makes_two_machines(
    image: ImageMaker, admin_key: Path, name: str, generation: int
) -> None:
    report = boot(image(name, kind="specialized"), generation, scenario="specialized-twins", ssh_key=admin_key)
    assert failures(report) == {}
    assert "twin.run.identity-differs" in passed(report)
