"""Every generalized image on every machine that it claims, booted and rebooted. Hours: `./kiln test --all`."""

import pytest

from tests.conftest import ImageMaker
from tests.harness.test_boots import boot, failures

pytestmark = [pytest.mark.real, pytest.mark.combination]
RELEASES = ("debian-12", "debian-13")


@pytest.mark.parametrize("provisioner", ["cloud-init", "waagent", "none"])
@pytest.mark.parametrize("gen", ["1", "2", "both"])
@pytest.mark.parametrize("name", RELEASES)
def test_every_generalized_image_reboots(image: ImageMaker, name: str, gen: str, provisioner: str) -> None:
    for generation in (1, 2) if gen == "both" else (int(gen),):
        report = boot(image(name, gen, provisioner=provisioner), generation, scenario="reboot")
        assert failures(report) == {}
