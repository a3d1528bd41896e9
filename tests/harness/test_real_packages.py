"""What a real image's package database says, beside what its build wrote into the manifest."""

from pathlib import Path

import pytest

from build.manifest import Manifest
from harness.inspect import gather
from tests.conftest import ImageMaker

KEPT_ONCE = "kernel"
"""Of packages of one name the last one counts: several kernels may be installed."""


@pytest.mark.real
@pytest.mark.parametrize("distro_release", ["debian-13", "almalinux-9"])
def test_reads_the_packages_that_the_build_installed(image: ImageMaker, tmp_path: Path, distro_release: str) -> None:
    folder = image(distro_release)
    told = {one.name: one.version for one in Manifest.load(folder).packages if not one.name.startswith(KEPT_ONCE)}
    found = gather(folder, tmp_path, {}).known["packages"]
    assert told
    assert told == {name: version for name, version in found.items() if not name.startswith(KEPT_ONCE)}
