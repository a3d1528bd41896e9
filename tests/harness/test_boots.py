"""Real images booted before the pretend host: few boots that prove much. The others are in test_every_boot.py."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from build import cache
from build.digest import content_digest
from build.progress import Progress
from harness.report import Report, Status
from harness.runs import VerifyRequest
from harness.verify import verify
from tests.conftest import HOSTNAME, ImageMaker
from tests.harness import damage
from tests.processes import descendants, eventually, runs, started

pytestmark = pytest.mark.real

PROJECT = Path(__file__).parents[2]
VERIFIER = "tests/harness/verifier.py"
PROBES = """#!/bin/bash
# What a guest can reach, told on the console; opened for each word, since a getty hangs up what is open.
say() { echo "probe $*" >/dev/console; }
for place in ADDRESSES; do
    address=${place%:*} port=${place#*:}
    timeout 5 bash -c "exec 3<>/dev/tcp/$address/$port" 2>/dev/null && say "$place reached" || say "$place closed"
done
for name in www.example.org localhost.example metadata.google.internal; do
    getent ahostsv4 $name >/dev/null && say "$name resolved" || say "$name unknown"
done
say end
"""


def failures(report: Report) -> dict[str, str]:
    return {one.id: one.reason for one in report.verdicts if one.status is Status.FAILED}


def passed(report: Report) -> set[str]:
    return {one.id for one in report.verdicts if one.status is Status.PASSED}


def boot(image: Path, generation: int, **more: Any) -> Report:
    """The report of one run. Another worker may be booting the same image: a run's folder is one run's at a time."""
    with cache.locked("test-runs" + str(image.absolute()).replace("/", "-")):
        (report,) = verify(VerifyRequest(image=image, generation=generation, **more), Progress()).reports
    return report


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder for copies of images, which others may look into."""
    folder = Path(tempfile.mkdtemp(prefix="kiln-boots-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def listener() -> Iterator[list[tuple[str, int]]]:
    """Servers of the build machine: where they listen, on its loopback and on every address."""
    with (
        socket.create_server(("127.0.0.1", 0)) as inner,
        socket.create_server(("0.0.0.0", 0)) as outer,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        probe.connect(("192.0.2.1", 9))
        places = [inner.getsockname(), (probe.getsockname()[0], outer.getsockname()[1])]
        for place in places:  # they answer out here, or a guest's failure to reach them would tell nothing
            socket.create_connection(place, 5).close()
        yield places


def test_a_guest_reboots_and_reaches_nothing_beyond_its_host(
    image: ImageMaker, listener: list[tuple[str, int]], room: Path
) -> None:
    """Debian 13, UEFI: the data sent is a script that looks for ways out."""
    (_, inner), (own, outer) = listener
    routers = ("10.0.0.1", "168.63.129.16", "169.254.169.254")
    places = [
        f"{own}:{outer}",
        f"{own}:22",
        "192.0.2.1:80",
        *(f"{one}:{port}" for one in routers for port in (inner, outer)),
    ]
    (room / "probes").write_text(PROBES.replace("ADDRESSES", " ".join([*places, "169.254.169.254:80"])))
    folder = image("debian-13")
    before = content_digest(folder / "disk.vhd", (folder / "disk.vhd").stat().st_size)
    report = boot(folder, 2, scenario="reboot", custom_data=room / "probes", link="tap" if os.geteuid() == 0 else None)
    assert failures(report) == {}
    assert report.passed
    assert {"run.boot-ssh", "run.user-data", "run.custom-data", "hostname.dhcp", "reboot.run.identity-stays"} <= passed(
        report
    )
    assert content_digest(folder / "disk.vhd", (folder / "disk.vhd").stat().st_size) == before
    console = (folder / "runs" / "gen2-reboot" / "console.log").read_text(errors="replace")
    assert "error: " not in console.partition("Linux version")[0]
    probes = dict(re.findall(r"\bprobe (\S+) (closed|reached|unknown|resolved)\b", console.partition("probe end")[0]))
    assert probes.pop("169.254.169.254:80") == "reached"  # ours: its vmId is what run.user-data compares
    assert probes == {
        **dict.fromkeys(places, "closed"),
        **dict.fromkeys(("www.example.org", "localhost.example", "metadata.google.internal"), "unknown"),
    }


def test_a_specialized_image_makes_machines_that_differ(image: ImageMaker, admin_key: Path) -> None:
    folder = image("debian-13", kind="specialized")
    report = boot(folder, 1, scenario="specialized-twins", ssh_key=admin_key)
    assert failures(report) == {}
    assert {"run.no-provisioner", "twin.run.identity-differs", "hostname.kernel", "hostname.dns"} <= passed(report)
    assert ("kernel", HOSTNAME) in {(one.where, one.name) for one in report.names}
    assert any("Both claim the name" in note for note in report.notes)


def test_waagent_provisions_and_publishes_the_name(image: ImageMaker) -> None:
    report = boot(image("debian-12", provisioner="waagent"), 2)
    assert failures(report) == {}
    assert {"run.report-ready", "run.agent-provisioned", "run.custom-data", "hostname.dhcp"} <= passed(report)


def test_a_nocloud_seed_makes_the_same_machine(image: ImageMaker) -> None:
    report = boot(image("debian-12"), 1, seed="nocloud")
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.datasource", "run.custom-data", "hostname.dns"} <= passed(report)
    assert report.machine["boot_loader"].startswith("not exercised")
    assert any("the boot loader was not exercised" in note for note in report.notes)


@pytest.mark.parametrize(
    ("generation", "break_it", "limit", "reason"),
    [
        (
            1,
            damage.without_bios_loader,
            20,
            "waited in vain for the guest to give a sign of life; last sign of life: firmware",
        ),
        (2, damage.without_uefi_loader, 120, "the firmware found nothing to boot"),
        (1, damage.with_broken_initramfs, 300, "the kernel panicked: .*Unable to mount root fs"),
    ],
)
def test_an_image_that_does_not_boot_fails_with_its_last_sign_of_life(
    image: ImageMaker, room: Path, generation: int, break_it: Any, limit: float, reason: str
) -> None:
    disk = damage.copy(image("debian-12"), room / "broken.vhd")
    break_it(disk)
    report = boot(disk, generation, output=room, limit=limit)
    assert not report.passed
    assert set(failures(report)) <= {"run.boot-ssh", "run.console", "run.report-ready"}
    assert re.search(reason, failures(report)["run.boot-ssh"])
    assert report.seconds < limit + 20
    assert (
        (room / "broken" / "runs" / f"gen{generation}-first-boot" / "screenshot.png")
        .read_bytes()
        .startswith(b"\x89PNG")
    )


@pytest.mark.parametrize("end", ["qemu", "ctrl-c", "kill"])
def test_nothing_of_ours_is_left_however_a_run_ends(image: ImageMaker, room: Path, end: str) -> None:
    scratch = room / "tmp"
    scratch.mkdir()
    disk = damage.copy(image("debian-12"), room / "image.vhd")
    request = {"image": str(disk), "generation": 1, "output": str(room)}
    run = started([sys.executable, PROJECT / VERIFIER, json.dumps(request)], room / "log", TMPDIR=str(scratch))
    console = room / "image" / "runs" / "gen1-first-boot" / "console.log"
    assert eventually(lambda: console.exists() and b"Linux version" in console.read_bytes(), 400)
    processes = descendants(run.pid)
    names = {Path(f"/proc/{one}/comm").read_text().strip(): one for one in processes}
    assert {"qemu-system-x86", "dnsmasq"} <= set(names)
    if end == "qemu":
        os.kill(names["qemu-system-x86"], signal.SIGKILL)
        assert run.wait(120) == 1
        told = json.loads((room / "log").read_text().splitlines()[-1])["reports"][0]
        reasons = {one["id"]: one["reason"] for one in told["verdicts"] if one["status"] == "failed"}
        assert reasons["run.boot-ssh"].startswith("QEMU died with status -9: without a word; last sign of life: ")
    elif end == "ctrl-c":
        run.send_signal(signal.SIGINT)
        assert run.wait(120) == 130
    else:
        run.kill()
        run.wait()
    assert eventually(lambda: not any(runs(one) for one in processes))
    if end == "kill":  # nobody could tidy up; whoever comes next does
        left = boot(disk, 1, output=room, limit=1)
        assert "run.boot-ssh" in failures(left)
        run = started([sys.executable, "-c", NEXT], room / "log", TMPDIR=str(scratch))
        assert run.wait(30) == 0
    assert list(scratch.iterdir()) == []
    assert not list(room.rglob("*scratch*"))


def test_a_failed_guest_is_held_until_ctrl_c(image: ImageMaker, room: Path) -> None:
    disk = damage.copy(image("debian-12"), room / "held.vhd")
    request = {"image": str(disk), "generation": 1, "output": str(room), "limit": 2, "hold": True}
    run = started([sys.executable, PROJECT / VERIFIER, json.dumps(request)], room / "log")
    assert eventually(lambda: "The guest is held until Ctrl-C" in (room / "log").read_text(), 120)
    processes = descendants(run.pid)
    assert run.poll() is None
    run.send_signal(signal.SIGINT)
    assert run.wait(120) == 1
    told = json.loads((room / "log").read_text().splitlines()[-1])["reports"][0]
    assert (told["passed"], (room / "held" / "runs" / "gen1-first-boot" / "report.html").exists()) == (False, True)
    assert eventually(lambda: not any(runs(one) for one in processes))


NEXT = f"""
import sys
sys.path.insert(0, {str(PROJECT)!r})
from harness.scratch import scratch_folder
with scratch_folder():
    pass
"""


@pytest.fixture
def somebody() -> Iterator[tuple[list[str], Path]]:
    """An ordinary user: the words that start a program as that user, and a folder with a copy of the project."""
    if os.geteuid() != 0:
        pytest.skip("only root makes users")
    base = Path(tempfile.mkdtemp(prefix="kiln-user-", dir="/var/tmp"))
    base.chmod(0o755)
    name = f"kiln{os.getpid() % 100000}"
    subprocess.run(["useradd", "--create-home", "--home-dir", base / "home", name], check=True)
    for part in ("build", "distros", "harness", "tests"):
        shutil.copytree(PROJECT / part, base / "project" / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(sysconfig.get_path("purelib"), base / "packages", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a+rX", base / "project", base / "packages"], check=True)
    words = ["setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups", "env", "-i", f"HOME={base / 'home'}"]
    try:
        yield [*words, "PATH=/usr/bin:/bin", f"PYTHONPATH={base / 'packages'}", os.path.realpath(sys.executable)], base
    finally:
        subprocess.run(["userdel", name], check=True)
        shutil.rmtree(base)


def test_an_ordinary_user_verifies_as_root_does(image: ImageMaker, somebody: tuple[list[str], Path]) -> None:
    """Debian 12, BIOS; where /dev/net/tun is closed to the user, frames are relayed."""
    words, base = somebody
    folder = base / "home" / "image"
    shutil.copytree(image("debian-12"), folder, copy_function=copy_sparse, ignore=shutil.ignore_patterns("runs"))
    subprocess.run(["chown", "-R", f"--reference={base / 'home'}", folder], check=True)
    request = {"image": str(folder), "generation": 1, "link": "relay"}
    run = started([*words, base / "project" / VERIFIER, json.dumps(request)], base / "log")
    try:
        assert run.wait(1500) == 0, (base / "log").read_text()
    finally:
        with suppress(OSError):
            run.kill()
    told = json.loads((base / "log").read_text().splitlines()[-1])
    (report,) = told["reports"]
    assert (report["passed"], report["machine"]["link"]) == (True, "relay")
    assert told["peak_kib"] < 200 << 10


def copy_sparse(source: str, target: str) -> None:
    subprocess.run(["cp", "--sparse=always", source, target], check=True)
