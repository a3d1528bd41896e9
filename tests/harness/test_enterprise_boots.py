"""RHEL's family booted, from stand-ins: they prove our code with the family's names, not its content."""

from dataclasses import replace
from pathlib import Path

import pytest

from build import api
from build.progress import Progress
from build.request import BuildRequest, find_recipe
from distros import all_recipes
from harness.inspect import inspect
from tests.conftest import ImageMaker
from tests.harness.test_boots import boot, failures, passed
from tests.standin import standin, subscription
from tests.standin.serve import served

pytestmark = pytest.mark.real

CHOICES = [
    (one.name, kernel) for one in all_recipes() if (one.family, one.arch) == ("dnf", "x86_64") for kernel in one.kernels
]


def test_almalinux_is_provisioned_by_bios(image: ImageMaker) -> None:
    report = boot(image("almalinux-10"), 1)
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.report-ready", "run.custom-data", "hostname.dhcp"} <= passed(report)


def test_almalinux_is_provisioned_and_reboots_by_uefi(image: ImageMaker) -> None:
    report = boot(image("almalinux-10"), 2, scenario="reboot")
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.report-ready", "reboot.run.identity-stays"} <= passed(report)


def test_a_specialized_almalinux_is_the_machine_that_it_was_made_as(image: ImageMaker, admin_key: Path) -> None:
    report = boot(image("almalinux-10", kind="specialized"), 1, ssh_key=admin_key)
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.no-provisioner", "hostname.dhcp"} <= passed(report)


@pytest.mark.combination
def test_a_specialized_almalinux_makes_two_machines(image: ImageMaker, admin_key: Path) -> None:
    report = boot(image("almalinux-10", kind="specialized"), 2, scenario="specialized-twins", ssh_key=admin_key)
    assert failures(report) == {}
    assert "twin.run.identity-differs" in passed(report)


@pytest.mark.combination
@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize(("name", "kernel"), CHOICES)
def test_every_recipe_of_the_rhel_family_reboots(image: ImageMaker, name: str, kernel: str, generation: int) -> None:
    folder = image(name, kernel=kernel)
    assert inspect(folder).passed
    assert failures(boot(folder, generation, scenario="reboot")) == {}


@pytest.mark.combination
def test_rhel_from_an_archive_of_subscribers_boots(shelf: Path, tmp_path: Path) -> None:
    """The server speaks with nobody who does not show the certificate, of which nothing stays behind."""
    made, subscriber = standin(find_recipe("rhel", "10", "x86_64"), Progress()), subscription.make(tmp_path)
    request = BuildRequest("rhel", "10", output=shelf / "entitled", entitlement=subscriber.entitlement)
    with served(made.served, context=subscriber.context()) as here:
        folder = api.build(replace(request, mirror=here.url, mirror_key=made.key.public), Progress()).folder
    assert any(path.endswith("repomd.xml") for path in here.asked)
    told = [file.read_bytes() for file in folder.iterdir() if file.suffix in (".log", ".json")]
    assert told and not [word for text in told for word in subscriber.secrets if word in text]
    assert inspect(folder).passed
    assert failures(boot(folder, 2)) == {}
