"""A report as JUnit's XML."""

from dataclasses import replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from harness.render_junit import render
from harness.report import Report, Status
from tests.harness.reports import failed_run, good_run
from tests.harness.valid import check_junit


def suite(report: Report) -> Element:
    return ElementTree.fromstring(render(report))


def test_each_verdict_is_a_test_case() -> None:
    report = failed_run()
    found = suite(report)
    cases = found.findall("testcase")
    assert [case.get("classname") for case in cases] == [f"first-boot.{one.id}" for one in report.verdicts]
    assert found.get("tests") == str(len(report.verdicts))


def test_a_required_check_that_failed_is_a_failure_and_a_recommended_one_is_not() -> None:
    found = suite(failed_run())
    failures = [case.get("classname") for case in found.findall("testcase") if case.find("failure") is not None]
    assert failures == ["first-boot.units.failed"]
    assert found.get("failures") == "1"
    failure = found.find("testcase/failure")
    assert failure is not None and failure.text is not None
    assert "ModuleNotFoundError" in failure.text and "Look into its log" in failure.text
    (skipped,) = [one for one in found.iter("skipped") if (one.get("message") or "").startswith("recommended")]
    assert "127.0.1.1" in str(skipped.get("message"))


def test_a_run_that_passed_has_no_failure() -> None:
    found = suite(good_run())
    assert found.get("failures") == "0"
    assert not list(found.iter("failure"))
    assert found.get("skipped") == str(sum(one.status is Status.SKIPPED for one in good_run().verdicts))


def test_tells_azures_answer_the_machine_and_the_faults() -> None:
    found = suite(replace(good_run(), faults=("imds-500=20",)))
    told = {one.get("name"): one.get("value") for one in found.iter("property")}
    assert (told["azure"], told["fault"], told["generation"]) == ("Succeeded", "imds-500=20", "2")
    assert told["name: DHCP option 12, 1 of 1, at first boot"] == "kiln-vm"


def test_is_sound_whatever_a_guest_wrote() -> None:
    hostile = "\x00\x1b[31m]]></system-out><x>\ud800\uffff"
    report = replace(failed_run(), console_tail=hostile, image=hostile)
    assert "<x>" in str(suite(report).findtext("system-out"))


@pytest.mark.parametrize("report", [good_run(), failed_run()], ids=["good", "failed"])
def test_is_what_jenkins_schema_asks_for(report: Report) -> None:
    check_junit(render(report))
