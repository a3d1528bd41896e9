"""Machines of every profile, scenarios and runs that share a boot, with real images."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from build import cache
from build.progress import Progress
from harness.qemu import CONSOLE
from harness.report import Report
from harness.runs import VerifyRequest
from harness.stage import JOURNAL
from harness.verify import verify
from tests.conftest import ImageMaker
from tests.harness.test_boots import failures, passed
from tests.harness.test_tpm import DEFINE_SPACE, READ_PUBLIC

pytestmark = pytest.mark.real


def escaped(command: bytes) -> str:
    """Bytes as bash's printf takes them."""
    return "".join(f"\\{byte:03o}" for byte in command)


MARKS = f"""#cloud-boothook
#!/bin/bash
variable=/sys/firmware/efi/efivars/KilnMark-5f0a1d0e-6c1b-5f0e-9a53-6b696c6e0002
exec 3<>/dev/tpmrm0
tpm() {{ printf "$1" >&3; dd bs=4096 count=1 status=none <&3 | od -An -tx1 -j6 -N4; }}
known=$(tpm '{escaped(READ_PUBLIC)}')
{{
    echo "mark of the firmware: $([ -e $variable ] && echo there || echo new)"
    echo "mark of the TPM: $([ "$known" = " 00 00 00 00" ] && echo there || echo new)"
}} >/dev/console
[ -e $variable ] || printf '\\007\\000\\000\\000kiln' >$variable
tpm '{escaped(DEFINE_SPACE)}'
"""


def played(image: Path, **more: Any) -> Mapping[str, Report]:
    """The reports of one call, by the names of their scenarios."""
    with cache.locked("test-runs" + str(image.absolute()).replace("/", "-")):
        reports = verify(VerifyRequest(image=image, **more), Progress()).reports
    return {one.scenario: one for one in reports}


def journal(image: Path, run: str) -> str:
    return (image / "runs" / run / JOURNAL).read_text()


def test_runs_that_begin_alike_share_a_boot(image: ImageMaker) -> None:
    """Debian 13, UEFI: its agent gets an extension in one of them."""
    folder = image("debian-13")
    reports = played(folder, generation=2, scenario="first-boot,extension")
    assert {name: failures(one) for name, one in reports.items()} == {"first-boot": {}, "extension": {}}
    assert "extended.run.extension" in passed(reports["extension"])
    for name in reports:
        assert "goes on from a shared boot" in journal(folder, f"gen2-{name}")


@pytest.mark.parametrize("machine", ["gen2-nvme", "gen2-trusted"])
def test_boots_on_the_machine(image: ImageMaker, machine: str) -> None:
    (report,) = played(image("debian-12"), machine=machine).values()
    assert failures(report) == {}
    assert {"run.secure-boot", "run.disk-controller"} <= passed(report)
    assert report.machine["machine"] == machine


@pytest.mark.combination
def test_firmware_and_tpm_of_a_redeployed_machine_remember(image: ImageMaker, tmp_path: Path) -> None:
    """Debian 13: at each boot a script tells whether a UEFI variable and an index of the TPM are there, and makes
    them."""
    (tmp_path / "marks").write_text(MARKS)
    folder = image("debian-13")
    (report,) = played(folder, machine="gen2-trusted", scenario="redeploy", custom_data=tmp_path / "marks").values()
    assert failures(report) == {}
    for label, told in (("", "new"), ("redeployed", "there")):
        console = (folder / "runs" / "gen2-trusted-redeploy" / label / CONSOLE).read_text(errors="replace")
        assert re.findall(r"\bmark of the (\w+): (\w+)", console) == [("firmware", told), ("TPM", told)]


@pytest.mark.combination
@pytest.mark.parametrize("machine", ["gen2-nvme", "gen2-trusted"])
@pytest.mark.parametrize("name", ["debian-12", "debian-13"])
def test_every_release_reboots_on_the_machine(image: ImageMaker, name: str, machine: str) -> None:
    (report,) = played(image(name), machine=machine, scenario="reboot").values()
    assert failures(report) == {}
