"""One recipe of each family booted, from the stand-ins; the other releases in `./kiln test --all`."""

from pathlib import Path

import pytest

from distros import all_recipes
from tests.conftest import ImageMaker
from tests.harness.test_boots import boot, failures, passed

pytestmark = pytest.mark.real

UBUNTU = [one.release for one in all_recipes() if (one.distro, one.arch, one.default) == ("ubuntu", "x86_64", False)]


def test_ubuntu_for_generation_1_is_provisioned(image: ImageMaker) -> None:
    report = boot(image("ubuntu-24.04", gen="1"), 1)
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.report-ready", "run.custom-data", "hostname.dhcp"} <= passed(report)


def test_ubuntu_for_generation_2_is_provisioned(image: ImageMaker) -> None:
    report = boot(image("ubuntu-24.04", gen="2"), 2)
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.report-ready"} <= passed(report)


@pytest.mark.combination
def test_ubuntu_reboots_by_uefi(image: ImageMaker) -> None:
    report = boot(image("ubuntu-24.04"), 2, scenario="reboot")
    assert failures(report) == {}
    assert {"run.boot-ssh", "reboot.run.identity-stays"} <= passed(report)


@pytest.mark.combination
@pytest.mark.parametrize("provisioner", ["cloud-init", "waagent", "none"])
@pytest.mark.parametrize("release", ["24.04", *UBUNTU])
def test_every_ubuntu_reboots(image: ImageMaker, release: str, provisioner: str) -> None:
    for generation in (1, 2):
        report = boot(image(f"ubuntu-{release}", provisioner=provisioner), generation, scenario="reboot")
        assert failures(report) == {}


@pytest.mark.combination
@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("release", ["24.04", *UBUNTU])
def test_every_specialized_ubuntu_makes_two_machines(
    image: ImageMaker, admin_key: Path, release: str, generation: int
) -> None:
    report = boot(
        image(f"ubuntu-{release}", kind="specialized"), generation, scenario="specialized-twins", ssh_key=admin_key
    )
    assert failures(report) == {}
    assert "twin.run.identity-differs" in passed(report)
