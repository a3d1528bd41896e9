"""Two machines of every specialized image on each generation. Hours: `./kiln test --all`."""

from pathlib import Path

import pytest

from tests.conftest import ImageMaker
from tests.harness.test_boots import boot, failures, passed

pytestmark = [pytest.mark.real, pytest.mark.combination]
RELEASES = ("debian-12", "debian-13")


@pytest.mark.parametrize("provisioner", ["cloud-init", "waagent", "none"])
@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("name", RELEASES)
def test_every_specialized_image_makes_two_machines(
    image: ImageMaker, admin_key: Path, name: str, generation: int, provisioner: str
) -> None:
    report = boot(
        image(name, kind="specialized", provisioner=provisioner),
        generation,
        scenario="specialized-twins",
        ssh_key=admin_key,
    )
    assert failures(report) == {}
    assert "twin.run.identity-differs" in passed(report)
