"""A report as SARIF: what the schema asks for, and what code scanning reads out of it."""

from dataclasses import replace
from typing import Any

import pytest

from harness.render_sarif import render
from harness.report import Answer, Report, Status, Verdict
from tests.harness.reports import failed_run, good_run
from tests.harness.valid import check_sarif

FSTAB = Verdict(
    "fstab.persistent",
    "fstab names no disk by its place",
    Status.FAILED,
    reason="/etc/fstab:3: /dev/sda1 on /. Name it",
    evidence=("/etc/fstab:3: /dev/sda1 on /", "/etc/fstab:4: /dev/sda2 on /srv", "another line"),
    source="https://example.org/fstab.",
    why="Names change.",
    repair="Name it",
)
KEYS = Verdict("clean.hostkeys", "no keys", Status.FAILED, evidence=("/etc/ssh/a b: a key",), source="WALinuxAgent")
TIMEOUT = Verdict("grub.timeout", "waits", Status.FAILED, "recommended", evidence=("it waits 0 seconds",))
WAIVED = Verdict("clean.logs", "logs", Status.WAIVED, reason="waived until …", evidence=("/var/log/a", "/var/log/b"))
UNSEEN = Verdict("inspect.other partitions", "can be inspected", Status.FAILED, reason="partition 3 holds zfs")


def report(*verdicts: Verdict, **changes: Any) -> Report:
    told = {"image": "images/disk one.vhd", "digest": "sha256:1", "notes": ("inferred: …",)} | changes
    blank = Report("", "", "inspect", "", {"profile": "generation 2"}, verdicts, "2026-11-24T00:00:00+00:00", 1.0)
    return replace(blank, **told)


def run(*verdicts: Verdict, **changes: Any) -> dict[str, Any]:
    (only,) = check_sarif(render(report(*verdicts, **changes), "1.2.3"))["runs"]
    return only


def test_each_finding_is_a_result_where_it_was_found() -> None:
    found = run(FSTAB)
    first, second, third = found["results"]
    place = first["locations"][0]["physicalLocation"]
    assert first["message"]["text"] == "/etc/fstab:3: /dev/sda1 on /"
    assert (place["artifactLocation"], place["region"]) == ({"uri": "/etc/fstab", "index": 1}, {"startLine": 3})
    assert second["locations"][0]["physicalLocation"]["region"] == {"startLine": 4}
    assert third["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "images/disk%20one.vhd", "index": 0}
    }


def test_a_file_in_the_image_is_an_artifact_nested_in_it() -> None:
    image, *inner = run(FSTAB, KEYS)["artifacts"]
    assert image == {"location": {"uri": "images/disk%20one.vhd"}, "roles": ["analysisTarget"]}
    assert inner == [{"location": {"uri": path}, "parentIndex": 0} for path in ("/etc/fstab", "/etc/ssh/a")]


def test_a_check_is_a_rule_with_its_source_and_what_azure_answers() -> None:
    found = run(FSTAB, KEYS, TIMEOUT)
    driver = found["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("Kiln", "1.2.3")
    fstab, keys, timeout = driver["rules"]
    assert (fstab["helpUri"], fstab["fullDescription"]["text"]) == ("https://example.org/fstab", "Names change.")
    assert "helpUri" not in keys
    assert "Azure would answer: Succeeded." in keys["help"]["text"] and "Source: WALinuxAgent" in keys["help"]["text"]
    assert [one["defaultConfiguration"]["level"] for one in (fstab, keys, timeout)] == ["error", "error", "warning"]
    assert [driver["rules"][one["ruleIndex"]]["id"] for one in found["results"]] == [
        *(one["ruleId"] for one in found["results"]),
    ]


def test_what_is_waived_is_a_suppressed_result() -> None:
    results = run(WAIVED, FSTAB)["results"]
    assert [len(one.get("suppressions", ())) for one in results] == [1, 1, 0, 0, 0]
    assert results[0]["suppressions"] == [{"kind": "external", "status": "accepted", "justification": "waived until …"}]
    assert results[0]["message"]["text"] == "/var/log/a"


def test_tells_what_could_not_be_looked_at_and_what_azure_would_say() -> None:
    (invocation,) = run(UNSEEN, azure=Answer("InvalidVhd", "", "vhd.align: 512 over"))["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [(one["level"], one["message"]["text"]) for one in invocation["toolExecutionNotifications"]] == [
        ("error", "inspect.other partitions: partition 3 holds zfs"),
        ("note", "inferred: …"),
        ("note", "Azure would answer: InvalidVhd. vhd.align: 512 over"),
    ]
    assert run(FSTAB)["invocations"][0]["executionSuccessful"] is True


def test_what_passed_or_was_skipped_is_no_result() -> None:
    quiet = [replace(FSTAB, status=status) for status in (Status.PASSED, Status.SKIPPED)]
    assert run(*quiet)["results"] == []


@pytest.mark.parametrize("one", [good_run(), failed_run()], ids=["good", "failed"])
def test_tells_of_runs_as_well(one: Report) -> None:
    document = check_sarif(render(one, "0"))
    assert len(document["runs"][0]["results"]) == sum(
        len(v.evidence) for v in one.verdicts if v.status is Status.FAILED
    )


def test_is_sound_whatever_a_guest_wrote() -> None:
    hostile = '/\x00\x1b[31m%41\ud800\uffff:07: "]}'
    found = run(replace(FSTAB, evidence=(hostile,), title=hostile), image=hostile, notes=(hostile,))
    assert "region" not in found["results"][0]["locations"][0]["physicalLocation"]
