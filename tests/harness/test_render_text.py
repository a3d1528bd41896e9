"""A report on a terminal: what was played on which machine, what failed and what to do, and where the rest lies."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.render_text import print_report
from harness.report import Report, Status, Verdict
from tests.harness.reports import failed_run, good_run

ENDING = (
    "waited in vain for the guest to report ready; last sign of life: initramfs; the initramfs gave up: (initramfs);"
    " its last line was: (initramfs)"
)
STUCK = Verdict(
    "run.boot", "the guest boots", Status.FAILED, reason=f"{ENDING}. Look", evidence=(ENDING,), repair="Look"
)


def printed(report: Report, folder: Path | None = None, everything: bool = False) -> str:
    text = io.StringIO()
    print_report(report, Console(file=text, width=400, soft_wrap=True), everything, folder)
    return text.getvalue()


def test_says_what_was_played_on_which_machine() -> None:
    head, machine, *_ = printed(good_run()).splitlines()
    assert head == "output/debian-13-genboth-x86_64: first-boot on gen2"
    assert machine.startswith("  processor x86_64, firmware UEFI (OVMF), controller SCSI, secure boot off, vtpm none")


@pytest.mark.parametrize(
    ("changes", "head"),
    [
        ({"seed": "nocloud"}, "first-boot on gen2, seed nocloud"),
        ({"scenario": "pps", "faults": ("imds-500=20", "ws-bom")}, "pps on gen2, under imds-500=20 and ws-bom"),
        ({"machine": {"profile": "generation 2, generalized"}}, "generation 2, generalized"),
    ],
)
def test_tells_one_run_from_another_in_its_first_line(changes: dict[str, Any], head: str) -> None:
    first, *_ = printed(replace(good_run(), **changes)).splitlines()
    assert first == f"output/debian-13-genboth-x86_64: {head}"


def test_says_what_failed_and_what_to_do() -> None:
    text = printed(failed_run())
    assert "required    units.failed\n    walinuxagent.service failed\n" in text
    assert "    and 2 more\n    → Look into its log\n" in text
    assert text.index("units.failed") < text.index("name.hosts")
    assert "failed: 1 required and 1 recommended findings, 6 passed, 1 skipped (71.4 s)" in text


def test_ends_with_the_folder_of_the_run() -> None:
    folder = Path("output/image/runs/gen2-first-boot")
    assert printed(good_run(), folder).endswith(f"(71.4 s)\n  everything about it: {folder}\n")


def test_tells_the_last_sign_of_life() -> None:
    text = printed(replace(good_run(), verdicts=(STUCK,)))
    assert text.count(ENDING) == 1
    assert "    → Look\n" in text


@pytest.mark.parametrize(
    ("reason", "evidence", "findings"),
    [
        ("a. Do this", ("a", "b"), ("a", "b")),
        ("the check itself broke", (), ("the check itself broke",)),
        ("the disk is gone", ("a",), ("the disk is gone", "a")),
        ("", ("a",), ("a",)),
        ("", (), ()),
    ],
)
def test_says_nothing_twice(reason: str, evidence: tuple[str, ...], findings: tuple[str, ...]) -> None:
    assert replace(STUCK, reason=reason, evidence=evidence).findings == findings


def test_takes_no_markup_from_a_guest() -> None:
    text = printed(replace(failed_run(), image="[red]x[/]", scenario="[b]first[/b]"))
    assert "[red]x[/]: [b]first[/b]" in text


def test_takes_no_word_to_the_terminal_from_a_guest() -> None:
    hostile = replace(STUCK, evidence=("\x1b]0;title\x07\x1b[31mred",), reason="", repair="")
    assert "\n    red\n" in printed(replace(failed_run(), verdicts=(hostile,)))


def test_says_what_azure_would_answer_and_where_the_name_is_another() -> None:
    text = printed(failed_run())
    assert "  Azure would answer: Succeeded. 19.4 s: cloud-init said Ready (https://example.org/doc)\n" in text
    assert "  other names: /etc/hosts at first boot: debian\n" in text
    assert "other names" not in printed(good_run())
