"""Every seed, every kind of foreign file, and guests that break later, booted: `./kiln test --all`."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from harness.machines import GEN2
from harness.sandbox import run_sealed
from harness.subject import open_subject
from harness.wishes import MachineWishes, machine_order
from tests.conftest import ImageMaker
from tests.harness import damage
from tests.harness.test_boots import boot, failures, room

__all__ = ["room"]
pytestmark = [pytest.mark.real, pytest.mark.combination]
NOBODY_GETS_IN = "waited in vain for an SSH login as azureuser: .*; last sign of life: "
RELEASES = ("debian-12", "debian-13")


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("name", RELEASES)
def test_every_nocloud_seed_is_taken(image: ImageMaker, name: str, generation: int) -> None:
    assert failures(boot(image(name), generation, seed="nocloud")) == {}


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("foreign.raw", ["-O", "raw"]),
        ("foreign.qcow2", ["-O", "qcow2"]),
        ("foreign.vhd", ["-O", "vpc", "-o", "subformat=dynamic,force_size=on"]),
    ],
)
def test_foreign_files_of_every_format_boot(
    image: ImageMaker, room: Path, generation: int, name: str, words: list[str]
) -> None:
    folder = image("debian-12")
    source = open_subject(folder, room).disk.source
    subprocess.run(["qemu-img", "convert", *words, source, room / name], check=True)
    report = boot(room / name, generation, output=room)
    assert failures(report) == {}
    assert report.digest == json.loads((folder / "manifest.json").read_text())["digest"]


@pytest.mark.parametrize(
    ("paths", "reason", "limit"),
    [
        (("/usr/bin/python3",), "waited in vain for the guest to report ready; last sign of life: ", 240),
        (("/usr/lib/systemd/system/systemd-networkd.service",), NOBODY_GETS_IN, None),
        (("/usr/sbin/sshd",), NOBODY_GETS_IN, None),
        (("/usr/lib/systemd/systemd",), "there is no init but a bare shell", None),
    ],
)
def test_guests_that_never_answer_end_in_a_verdict(
    image: ImageMaker, room: Path, paths: tuple[str, ...], reason: str, limit: int | None
) -> None:
    disk = damage.copy(image("debian-12"), room / "broken.vhd")
    damage.without(disk, *paths)
    report = boot(disk, 1, output=room, limit=limit)
    assert not report.passed
    assert re.search(reason, failures(report)["run.boot-ssh"]), failures(report)["run.boot-ssh"]


@pytest.mark.parametrize("name", RELEASES)
def test_the_images_own_tools_renew_what_both_firmwares_boot(image: ImageMaker, room: Path, name: str) -> None:
    order = machine_order(open_subject(image(name), room), GEN2, "azure", MachineWishes())
    assert run_sealed("tests.harness.sealed_updates", {**order, "folder": str(room)}) == 0
    told = json.loads((room / "facts.json").read_text())
    assert told["update"][0] == 0, told["update"][1]
    assert "Generating grub configuration file" in told["update"][1]
    assert "update-initramfs: Generating" in told["update"][1]
    assert told["boots"] == [["", "UEFI"], ["", "BIOS"], ["", "UEFI"]]
