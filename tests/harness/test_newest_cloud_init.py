"""The newest cloud-init, of Debian's unstable suite, before the host: what it asks today others ask tomorrow."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from build import api, cache
from build.progress import Progress
from build.request import BuildRequest
from distros.debian import TRIXIE
from tests.conftest import offline
from tests.harness.test_boots import boot, failures, passed

pytestmark = [pytest.mark.real, pytest.mark.combination]

SPEC = f'''\
distro = "debian"
release = "13"
[[files]]
path = "/etc/apt/sources.list.d/sid.sources"
content = """
Types: deb
URIs: {TRIXIE.archives[0].url}
Suites: sid
Components: main
Check-Valid-Until: no
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
[[files]]
path = "/etc/apt/preferences.d/sid"
content = """
Package: *
Pin: release n=sid
Pin-Priority: 100
"""
[[commands]]
run = """
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install --yes --target-release sid cloud-init
apt-get clean
rm -rf /var/lib/apt/lists/*
"""
network = true
'''
OF_DEBIAN_13 = (25, 1, 4)


@pytest.fixture(scope="module")
def newest() -> Iterator[Path]:
    """The image's folder."""
    with tempfile.TemporaryDirectory(prefix="newest-", dir=cache.folder()) as name:
        spec = Path(name, "newest.toml")
        spec.write_text(SPEC)
        request = BuildRequest(None, spec=spec, output=Path(name, "output"), offline=offline())
        yield api.build(request, Progress()).folder


@pytest.mark.parametrize(("generation", "scenario"), [(1, "pps"), (2, "reboot")])
def test_is_provisioned_as_the_released_one_is(newest: Path, generation: int, scenario: str) -> None:
    report = boot(newest, generation, scenario=scenario)
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.report-ready", "run.custom-data", "run.user-data"} <= passed(report)
    told = re.search(r"agent Cloud-Init/([\d.]+)", "\n".join(event.text for event in report.events))
    assert told and tuple(map(int, told[1].split("."))) > OF_DEBIAN_13
