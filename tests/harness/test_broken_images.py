"""Images broken on purpose: each is found by its files alone, or by its boot, under the right name."""

import re
from functools import cache
from pathlib import Path

import pytest

from harness.console import plain
from harness.inspect import inspect
from tests.conftest import ImageMaker
from tests.harness.broken import BROKEN, Broken
from tests.harness.planted import failed
from tests.harness.test_boots import boot, room

__all__ = ["room"]
pytestmark = pytest.mark.real


@cache
def sound(image: Path) -> set[str]:
    """What `inspect` says of the image as it was built."""
    return failed(inspect(image))


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.name)
def test_is_found_by_its_files(image: ImageMaker, room: Path, broken: Broken) -> None:
    folder = image("debian-12", provisioner=broken.provisioner)
    disk = broken.make(folder, room / "broken.vhd")
    assert failed(inspect(disk)) - sound(folder) >= set(broken.offline) > set()


@pytest.mark.combination
@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.name)
def test_comes_to_the_verdict_that_azure_gives(image: ImageMaker, room: Path, broken: Broken) -> None:
    disk = broken.make(image("debian-12", provisioner=broken.provisioner), room / "broken.vhd")
    report = boot(disk, 2, output=room, **broken.wishes)
    if broken.shown:
        console = plain((room / "broken" / "runs" / "gen2-first-boot" / "console.log").read_bytes())
        assert re.search(broken.shown, console, re.MULTILINE), console[-2000:]
    found = failed(report)
    assert found >= set(broken.online)
    assert bool(found) == bool(broken.online)
    assert (report.azure and report.azure.outcome) == broken.azure
