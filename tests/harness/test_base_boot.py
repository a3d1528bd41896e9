"""An image that was built on another one, booted: it is a machine of its own, and finds its root."""

from pathlib import Path

import pytest

from build import api
from build.progress import Progress
from build.request import BuildRequest
from tests.conftest import ImageMaker, offline
from tests.harness.test_boots import boot, failures, passed

pytestmark = [pytest.mark.real, pytest.mark.combination]


@pytest.mark.parametrize("generation", [1, 2])
def test_boots_what_was_built_on_a_vendors_image(image: ImageMaker, tmp_path: Path, generation: int) -> None:
    vendor = image("debian-12", provisioner="waagent") / "disk.vhd"
    request = BuildRequest("debian", "12", base=str(vendor), name="booted", output=tmp_path, offline=offline())
    report = boot(api.build(request, Progress()).folder, generation)
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.report-ready"} <= passed(report)
