"""An inspection on the screen: the verdict first, then what to do first, and all of it on one screen."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.inspection import InspectRequest, inspect, status
from harness.render_screen import MOST_TOLD, print_inspection, render
from harness.report import Answer, Report, Status, Verdict
from tests.harness.planted import cmdline, patch, ramdisk, write

ALIGN = Verdict("vhd.align", "whole MiB", Status.FAILED, evidence=("6144 bytes over a whole MiB",), repair="Grow it")
KEYS = Verdict("clean.hostkeys", "no keys", Status.FAILED, evidence=("/a", "/b", "/c"), repair="Remove them")
LOGS = Verdict("clean.logs", "no logs", Status.FAILED, "recommended", evidence=("/var/log/a",), repair="Empty it")
ROOT = Verdict(
    "inspect.root", "the root can be inspected", Status.FAILED, reason="partition 1 is ZFS", repair="Boot it"
)
GOOD = Verdict("ssh.alive", "alive", Status.PASSED)


def report(*verdicts: Verdict, image: str = "disk.vhd", azure: Answer | None = None) -> Report:
    blank = Report(image, "", "inspect", "", {"profile": "generation 2"}, verdicts, "", 1.23, azure=azure)
    return replace(blank, notes=("inferred: generation 2 (an EFI partition)", "partition 1 is ZFS"))


def screen(*verdicts: Verdict, status: int = 1, strict: bool = False, **changes: str) -> list[str]:
    return render(report(*verdicts, **changes), status, strict).splitlines()  # type: ignore[arg-type]


def test_says_what_to_do_first() -> None:
    assert screen(KEYS, LOGS, ALIGN, GOOD) == [
        "FAILED  disk.vhd: findings: 2 required and 1 recommended",
        "  judged as generation 2",
        "  inferred: generation 2 (an EFI partition)",
        "  partition 1 is ZFS",
        "",
        "Do this first:",
        "  vhd.align: 6144 bytes over a whole MiB",
        "    → Grow it",
        "  clean.hostkeys: /a (and 2 more)",
        "    → Remove them",
        "",
        "Recommended: clean.logs",
        "",
        "./kiln inspect --explain vhd.align says why, and by which document.",
        "1 checks passed, 0 skipped (1.2 s)",
    ]


def test_a_good_image_is_told_in_few_lines() -> None:
    text = screen(GOOD, status=0)
    assert text[0] == "PASSED  disk.vhd: no finding"
    assert not any("--explain" in line or "Do this" in line for line in text)


def test_what_could_not_be_looked_at_is_told_once_and_apart() -> None:
    text = screen(GOOD, ROOT, status=3)
    assert text[0] == "NOT FULLY INSPECTED  disk.vhd: no finding; 1 not inspected"
    at = text.index("Could not be inspected, so nothing is known of it:")
    assert text[at + 1 : at + 3] == ["  inspect.root: partition 1 is ZFS", "    → Boot it"]
    assert "\n".join(text).count("partition 1 is ZFS") == 1


def test_strictly_taken_recommended_findings_are_to_be_repaired_too() -> None:
    text = screen(LOGS, strict=True)
    assert text[text.index("Do this:") + 1] == "  clean.logs: /var/log/a"


def test_what_is_waived_stays_in_sight() -> None:
    waived = replace(KEYS, status=Status.WAIVED, reason="waived until 2030-06-30 (w.toml:1): a test")
    assert "clean.hostkeys: waived until 2030-06-30 (w.toml:1): a test" in screen(waived, GOOD, status=0)


def test_says_what_azure_would_answer() -> None:
    azure = Answer("InvalidVhd", "", "vhd.align: 6144 bytes over a whole MiB")
    text = render(report(ALIGN, azure=azure), 1)
    assert "  Azure would answer: InvalidVhd. vhd.align: 6144 bytes over a whole MiB\n" in text


def test_takes_no_markup_from_an_image() -> None:
    hostile = replace(KEYS, evidence=("[red]x[/] \x1b[31m",))
    text = render(report(hostile, image="\x07[b]disk[/b]"), 1)
    assert "[b]disk[/b]" in text and "[red]x[/]" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("count", [1, MOST_TOLD, 60])
def test_fits_a_screen_however_much_is_wrong(count: int) -> None:
    long = "a long word " * 30
    many = [replace(KEYS, id=f"clean.a{number}", evidence=(long,), repair=long) for number in range(count)]
    text = screen(*many)
    assert all(len(line) <= 80 for line in text)
    assert len(text) <= 60
    assert all(any(f"clean.a{number}" in line for line in text) for number in range(count))


@pytest.mark.parametrize("width", [80, 132])
def test_a_bad_foreign_vhd_is_told_on_one_screen(disk: Path, width: int) -> None:
    patch(0, bytes(24 << 20))(disk)
    found = inspect(InspectRequest(disk))
    text = io.StringIO()
    print_inspection(found, Console(file=text, width=width), status(found, strict=False, partial=False))
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("FAILED")
    assert lines.index("Do this first:") < 10
    assert len(lines) <= 40


def test_a_tree_full_of_findings_is_told_on_one_screen(root: Path) -> None:
    for path in ("etc/ssh/ssh_host_rsa_key", "root/.bash_history", "var/lib/dhcp/dhclient.leases", "swapfile"):
        write(path)(root)
    write("etc/hostname", "builder\n")(root)
    write("etc/fstab", "/dev/sda1 / ext4 rw 0 1\n/swapfile none swap sw 0 0\n/dev/sr0 /cd udf noauto 0 0\n")(root)
    write("etc/cloud/cloud.cfg.d/91-azure_datasource.cfg", "datasource_list: [ NoCloud ]\n")(root)
    write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")(root)
    cmdline("quiet", without="console=ttyS0,115200")(root)
    ramdisk("ext4")(root)
    found = inspect(InspectRequest(root))
    assert sum(one.status is Status.FAILED for one in found.verdicts) >= MOST_TOLD
    assert len(render(found, status(found, strict=False, partial=False)).splitlines()) <= 40
