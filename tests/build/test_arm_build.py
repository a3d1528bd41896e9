"""Images for aarch64 built on whatever machine this is: every program that packages run is emulated. Minutes each."""

import pytest

from build import foreign
from build.manifest import Manifest
from harness.inspect import inspect
from harness.report import Status
from tests.conftest import ImageMaker

pytestmark = [pytest.mark.real, pytest.mark.combination]


@pytest.mark.parametrize("release", ["debian-12", "debian-13"])
def test_builds_an_image_of_another_processor(image: ImageMaker, release: str) -> None:
    folder = image(release, gen="2", arch="aarch64")
    manifest = Manifest.load(folder)
    assert (manifest.arch, manifest.generations) == ("aarch64", (2,))
    assert manifest.kernel.endswith("-arm64")
    assert {package.arch for package in manifest.packages} == {"arm64", "all"}


@pytest.mark.parametrize("release", ["debian-12", "debian-13"])
def test_builds_one_that_inspection_likes(image: ImageMaker, release: str) -> None:
    report = inspect(image(release, gen="2", arch="aarch64"))
    failed = {one.id: one.reason for one in report.verdicts if one.status is Status.FAILED}
    # Debian 12 switches its agent's own updates off, which is advised against, not refused.
    assert failed.keys() <= ({"agent.autoupdate"} if release == "debian-12" else set()), failed
    assert report.machine["profile"] == "generation 2, generalized, provisioner cloud-init, aarch64"


def test_leaves_this_machines_own_register_alone(image: ImageMaker) -> None:
    before = foreign.runs("aarch64")
    image("debian-13", gen="2", arch="aarch64")
    assert foreign.runs("aarch64") is before
