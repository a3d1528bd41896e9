"""Flatcar's stand-in, built and booted: Ignition takes its config, the first-boot flag goes, the machine reports Ready.

It proves how Kiln builds and judges such an image; what Flatcar itself does with it only Flatcar's own can prove.
"""

from pathlib import Path

import pytest

from harness.inspect import inspect
from tests.harness.test_boots import boot, failures, passed
from tests.standin.flatcar_image import build_image

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def image(shelf: Path) -> Path:
    """The image with a spec's file, unit and kernel argument in its OEM partition."""
    folder = shelf / "flatcar"
    folder.mkdir(exist_ok=True)
    return build_image(folder, spec=True)


def _is_provisioned(image: Path, generation: int) -> None:
    report = boot(image, generation)
    assert failures(report) == {}
    assert {"run.report-ready", "run.custom-data", "run.boot-ssh", "run.root-grew", "hostname.static"} <= passed(report)
    newest = max((image / "runs").glob("*/console.log"), key=lambda path: path.stat().st_mtime)
    console = newest.read_text(errors="replace")
    assert "kiln.argument=1" in console
    assert "from the base config" in console, "the OEM partition's config was not merged under the custom data"
    assert "flatcar.first_boot=detected" in console


@pytest.mark.combination
@pytest.mark.parametrize("channel", ["beta", "lts"])
def test_every_other_channel_gives_a_machine(shelf: Path, channel: str) -> None:
    folder = shelf / f"flatcar-{channel}"
    folder.mkdir(exist_ok=True)
    image = build_image(folder, channel=channel, spec=True)
    assert failures(inspect(image)) == {}
    _is_provisioned(image, 2)


def test_finds_nothing_on_its_disk(image: Path) -> None:
    report = inspect(image)
    assert failures(report) == {}
    assert {"ign.first-boot", "ign.disk-id", "ign.root-last", "part.table"} <= passed(report)


def test_ignition_provisions_a_machine_by_uefi(image: Path) -> None:
    _is_provisioned(image, 2)


@pytest.mark.combination
def test_ignition_provisions_a_machine_by_bios(image: Path) -> None:
    _is_provisioned(image, 1)


@pytest.mark.combination
def test_the_second_boot_is_no_first_one(image: Path) -> None:
    assert failures(boot(image, 2, scenario="reboot")) == {}
