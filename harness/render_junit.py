"""A report as JUnit's XML, which continuous integration reads: each verdict is a test case.

The form is that of the schema that Jenkins' JUnit plugin publishes. A recommended check that failed does not fail the
run, so it is told as skipped, with what it found.
"""

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from harness.console import ESCAPES
from harness.report import Report, Status, Verdict

NO_XML = re.compile("[\ufffe\uffff]")
"""What XML 1.0 has no place for besides control characters (section 2.2)."""


def render(report: Report) -> str:
    """The document's text."""
    cases = [_case(report, verdict) for verdict in report.verdicts]
    suite = Element(
        "testsuite",
        name=_clean(f"{report.image} {report.played or report.scenario}"),
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors="0",
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time=str(report.seconds),
        timestamp=report.started,
    )
    properties = SubElement(suite, "properties")
    for name, value in _properties(report):
        SubElement(properties, "property", name=_clean(name), value=_clean(value))
    suite.extend(cases)
    SubElement(suite, "system-out").text = _clean(report.console_tail)
    ElementTree.indent(suite)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(suite, encoding="unicode")}\n'


def _properties(report: Report) -> list[tuple[str, str]]:
    told = [("digest", report.digest), ("seed", report.seed), *report.machine.items()]
    if report.azure:
        told += [("azure", report.azure.outcome), ("azure evidence", report.azure.evidence)]
        told += [("azure source", report.azure.source)]
    told += [("fault", fault) for fault in report.faults]
    told += [(f"name: {one.where}, {one.boot}", one.name) for one in report.names]
    return told


def _case(report: Report, verdict: Verdict) -> Element:
    case = Element(
        "testcase", classname=_clean(f"{report.scenario}.{verdict.id}"), name=_clean(verdict.title), time="0"
    )
    found = _clean("\n".join(verdict.findings))
    if verdict.status in (Status.SKIPPED, Status.WAIVED):
        SubElement(case, "skipped", message=_clean(verdict.reason))
    elif verdict.status is Status.FAILED and verdict.severity != "required":
        SubElement(case, "skipped", message=f"{verdict.severity}: {found}")
    elif verdict.status is Status.FAILED:
        failure = SubElement(case, "failure", type=verdict.severity, message=_clean(verdict.reason))
        failure.text = f"{found}\n{_clean(verdict.repair)}\n{_clean(verdict.source)}"
    return case


def _clean(text: str) -> str:
    """A text without what XML cannot hold: control characters, and halves of characters."""
    return NO_XML.sub("", ESCAPES.sub("", text).encode("utf-8", "backslashreplace").decode("utf-8"))
