"""Images for aarch64 booted before the pretend host, emulated unless this machine is one of that processor.

Ubuntu's comes from its stand-in, which proves our code under Ubuntu's names and not its content.
"""

import shutil

import pytest

from tests.conftest import ImageMaker
from tests.harness.test_boots import boot, failures

pytestmark = [
    pytest.mark.real,
    pytest.mark.combination,
    pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="QEMU for aarch64 is not installed"),
]


@pytest.mark.parametrize("scenario", ["first-boot", "reboot"])
@pytest.mark.parametrize("release", ["debian-12", "debian-13", "ubuntu-24.04"])
def test_boots_by_uefi_and_is_provisioned(image: ImageMaker, release: str, scenario: str) -> None:
    report = boot(image(release, gen="2", arch="aarch64"), 2, scenario=scenario)
    assert failures(report) == {}
    assert (report.machine["processor"], report.machine["firmware"]) == ("aarch64", "UEFI (AAVMF)")
