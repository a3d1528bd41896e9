"""What a report's verdicts come to for a night: a failure that is known is no news, and is not forgotten either."""

from collections.abc import Iterable, Sequence
from typing import Any

from factory.job import Outcome
from harness.report import Report, Status


def outcome(reports: Sequence[Report], known: Iterable[str]) -> tuple[Outcome, str]:
    """Whether they pass but for checks that are known to fail, and else the first that did not, in a line.

    No report, or one in which nothing was judged, proves nothing and fails.
    """
    if not reports:
        return Outcome.FAILED, "nothing was judged"
    for report in reports:
        new = [one for one in failed(report) if one["id"] not in known]
        if new:
            more = f" and {len(new) - 1} more" if len(new) > 1 else ""
            return Outcome.FAILED, f"{report.played or report.scenario}: {new[0]['id']}: {new[0]['found']}{more}"
        if not report.passed and not failed(report):
            return Outcome.FAILED, f"{report.played or report.scenario}: nothing was judged"
    return Outcome.PASSED, ""


def failed(report: Report) -> list[dict[str, Any]]:
    """The required checks that failed, each with what was found first."""
    return [
        {"id": one.id, "title": one.title, "found": one.findings[0] if one.findings else one.reason}
        for one in report.verdicts
        if one.status is Status.FAILED and one.severity == "required"
    ]


def facts(report: Report, known: Iterable[str]) -> dict[str, Any]:
    """What a night's report and its history read of it."""
    counts = {status.value: sum(one.status is status for one in report.verdicts) for status in Status}
    return {
        "played": report.played or report.scenario,
        "passed": report.passed,
        "seconds": report.seconds,
        "counts": counts,
        "failed": failed(report),
        "known": sorted({one["id"] for one in failed(report)} & set(known)),
        "azure": report.azure.outcome if report.azure else "",
        "machine": dict(report.machine),
    }
