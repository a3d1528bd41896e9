"""`./kiln inspect` by its words: exit statuses, waivers, forms, explanations."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from build.errors import CallerError, MachineError
from harness import explain, inspection, urgency, waivers
from harness.checks import all_checks
from harness.inspection import InspectRequest, status
from harness.render_screen import MOST_TOLD
from harness.report import Report, Status, Verdict
from harness.waivers import Waiver, applied, unused
from tests.harness import images
from tests.harness.images import put

TODAY = date(2026, 11, 24)
HISTORY = Waiver("clean.history", "somebody reads it", date(2026, 11, 24))
FAILED = Verdict("clean.history", "no history", Status.FAILED, reason="/root/.bash_history")
ADVISED = Verdict("ssh.root", "root", Status.FAILED, "recommended")
UNREAD = Verdict("inspect.root", "the root can be inspected", Status.FAILED)
FINE = Verdict("ssh.alive", "alive", Status.PASSED)
SKIPPED = Verdict("vhd.fixed", "fixed", Status.SKIPPED)


def report(*verdicts: Verdict) -> Report:
    return Report("x", "", "inspect", "", {}, verdicts, "", 0.0)


@pytest.mark.parametrize(
    ("verdicts", "words", "wanted"),
    [
        ((FINE, SKIPPED), {}, 0),
        ((FINE, FAILED), {}, 1),
        ((FINE, ADVISED), {}, 0),
        ((FINE, ADVISED), {"strict": True}, 1),
        ((FINE, UNREAD), {}, 3),
        ((FINE, UNREAD), {"partial": True}, 0),
        ((FAILED, UNREAD), {}, 1),
        ((SKIPPED,), {}, 2),
    ],
)
def test_ends_with_the_status_of_what_was_found(
    verdicts: tuple[Verdict, ...], words: dict[str, bool], wanted: int
) -> None:
    assert status(report(*verdicts), **{"strict": False, "partial": False, **words}) == wanted


def test_keeps_a_waived_finding_without_failing() -> None:
    (one, other) = applied((FAILED, FINE), (HISTORY,), "disk.vhd", TODAY)
    assert (one.status, other) == (Status.WAIVED, FINE)
    assert one.reason == "waived until 2026-11-24: somebody reads it. /root/.bash_history"
    assert report(one, other).passed


def test_finds_a_waiver_whose_day_has_come() -> None:
    one, expired = applied((FAILED,), (HISTORY,), "disk.vhd", date(2026, 11, 25))
    assert (one, expired.id, expired.status) == (FAILED, "waiver.expired", Status.FAILED)


def test_leaves_other_images_and_findings_alone() -> None:
    assert list(applied((FAILED,), (Waiver("clean.history", "r", TODAY, "web-*"),), "disk.vhd", TODAY)) == [FAILED]
    assert list(applied((FAILED,), (Waiver("ssh.root", "r", TODAY),), "disk.vhd", TODAY)) == [FAILED]


def test_tells_of_a_waiver_that_has_nothing_to_waive() -> None:
    assert list(unused((FINE,), (HISTORY,), "disk.vhd")) == ["the waiver of clean.history has nothing to waive"]
    assert list(unused(applied((FAILED,), (HISTORY,), "x", TODAY), (HISTORY,), "x")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the key 'waiver' is missing"),
        ('[[waiver]]\ncheck = "clean.histroy"\nreason = "r"\nexpires = 2027-01-01\n', "w.toml:2: waiver[1].check: "),
        ('[[waiver]]\ncheck = "clean.history"\nexpires = 2027-01-01\n', "the key 'reason' is missing"),
        ('[[waiver]]\ncheck = "clean.history"\nreason = " "\nexpires = 2027-01-01\n', "w.toml:3: "),
        ('[[waiver]]\ncheck = "clean.history"\nreason = "r"\nexpires = "soon"\n', "this is no date"),
        ("[[waiver]\n", "w.toml:1: "),
    ],
)
def test_says_what_is_wrong_with_a_file_of_waivers(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(text)
    with pytest.raises(CallerError) as caught:
        waivers.load(tmp_path / "w.toml")
    assert said in caught.value.what


def test_waives_in_a_real_tree(tmp_path: Path) -> None:
    root = images.good_tree(tmp_path / "root")
    put(root, "root/.bash_history", "ls\n")
    (tmp_path / "w.toml").write_text('[[waiver]]\ncheck = "clean.history"\nreason = "r"\nexpires = 2999-01-01\n')
    assert not inspection.inspect(InspectRequest(root)).passed
    told = inspection.inspect(InspectRequest(root, waivers=tmp_path / "w.toml"))
    assert told.passed
    assert [one.id for one in told.verdicts if one.status is Status.WAIVED] == ["clean.history"]


def test_says_only_what_nobody_told(tmp_path: Path) -> None:
    root = images.good_tree(tmp_path / "root")
    notes = inspection.inspect(InspectRequest(root, generations=(2,), kind="generalized")).notes
    assert [note for note in notes if note.startswith("inferred")] == [
        "inferred: provisioner cloud-init (it is installed)"
    ]


@pytest.mark.parametrize("form", ["text", *inspection.FORMATS])
def test_tells_what_was_found_in_every_form(form: str) -> None:
    waived = Verdict("ssh.root", "root", Status.WAIVED, "recommended", reason="waived until 2027: why")
    whole = replace(report(FINE, FAILED, waived, SKIPPED, UNREAD), machine={"profile": "generation 2"})
    text = inspection.told(whole, form, "1.2.3", 1, strict=False)
    assert "clean.history" in text and "ssh.root" in text
    if form == "json":
        assert [one["status"] for one in json.loads(text)["verdicts"]][:3] == ["passed", "failed", "waived"]


def test_writes_a_report_to_a_file(tmp_path: Path) -> None:
    inspection.write("text", tmp_path / "report")
    assert (tmp_path / "report").read_text() == "text"
    with pytest.raises(MachineError, match="cannot be written"):
        inspection.write("text", tmp_path / "report" / "below")


def test_says_in_sarif_where_in_the_image_a_finding_is() -> None:
    found = Verdict("ssh.alive", "alive", Status.FAILED, evidence=("/etc/ssh/sshd_config:7: ClientAliveInterval 0",))
    waived = Verdict("clean.history", "history", Status.WAIVED, reason="waived until 2027: why")
    (run,) = json.loads(inspection.told(report(found, waived, UNREAD), "sarif", "1.2.3", 1, strict=False))["runs"]
    first, second, _ = run["results"]
    place = first["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("/etc/ssh/sshd_config", 7)
    assert run["artifacts"][place["artifactLocation"]["index"]]["location"]["uri"] == "/etc/ssh/sshd_config"
    assert second["suppressions"][0]["justification"] == "waived until 2027: why"
    assert [one["id"] for one in run["tool"]["driver"]["rules"]] == ["ssh.alive", "clean.history", "inspect.root"]
    assert not run["invocations"][0]["executionSuccessful"]


def test_says_first_what_stands_in_the_way_of_all_else() -> None:
    ids = ("clean.history", "initrd.hyperv", "vhd.align", "part.table", "inspect.root", "agent.needed")
    found = (*(Verdict(id, id, Status.FAILED, reason=id) for id in ids), ADVISED)
    assert [one.id for one in urgency.failed(found)] == [
        *("vhd.align", "part.table", "initrd.hyperv", "agent.needed", "clean.history", "inspect.root", "ssh.root")
    ]


def test_fits_a_bad_image_on_a_screen() -> None:
    many = [
        Verdict(one.id, one.title, Status.FAILED, one.severity, "x" * 300, repair="y" * 300) for one in all_checks()
    ]
    whole = replace(report(*many), machine={"profile": "generation 1"})
    lines = inspection.told(whole, "text", "1", 1, strict=False).splitlines()
    assert lines[0].startswith("FAILED  x: findings: ")
    assert max(map(len, lines)) <= 80
    assert lines.index("Do this first:") < 8
    assert len([line for line in lines if line.startswith("    →")]) == MOST_TOLD


def test_explains_every_check() -> None:
    for one in all_checks():
        told = "\n".join(explain.lines(one))
        assert one.id in told and one.repair in told and one.source in told
        assert one.why and one.repair and one.source
    assert len(explain.every()) == len(all_checks()) == len(list(explain.table()))


@pytest.mark.parametrize(("word", "near"), [("vhd.fixd", "vhd.fixed"), ("history", "clean.history")])
def test_names_the_nearest_check(word: str, near: str) -> None:
    with pytest.raises(CallerError, match=f"did you mean '{near}'"):
        explain.find(word)
