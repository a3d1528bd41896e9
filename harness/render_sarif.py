"""A report as SARIF 2.1.0, which code scanning reads: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

A check is a rule, a finding a result at the image, or at a file in it: a nested artifact (section 3.24.8). What was
waived is a suppressed result (3.35), what could not be looked at is told by the tool's notifications as well (3.58).
What passed or was skipped is no result.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from harness.foresight import foreseen
from harness.report import Report, Status, Verdict

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"required": "error", "recommended": "warning"}
PLACE = re.compile(r"(/[^\s:,]+)(?::([1-9]\d*)\b)?")
"""How a finding begins that is about a file in the image: its path, and the line where one is to blame."""
URL = re.compile(r"https?://\S+")
Object = dict[str, Any]


def render(report: Report, version: str) -> str:
    """The document's text; `version` is Kiln's."""
    told = [one for one in report.verdicts if one.status in (Status.FAILED, Status.WAIVED)]
    findings = [(verdict, text) for verdict in told for text in _texts(verdict)]
    paths = dict.fromkeys(found[1] for _, text in findings if (found := PLACE.match(text)))
    places = {path: number for number, path in enumerate(paths, 1)}
    rules = {verdict.id: number for number, verdict in enumerate(told)}
    driver = {"name": "Kiln", "version": version, "rules": [_rule(one) for one in told]}
    run: Object = {
        "tool": {"driver": driver},
        "invocations": [_invocation(report)],
        "artifacts": list(_artifacts(report.image, places)),
        "results": [_result(verdict, text, rules[verdict.id], report.image, places) for verdict, text in findings],
        "columnKind": "unicodeCodePoints",
        "properties": {"profile": report.machine.get("profile", ""), "digest": report.digest},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _texts(verdict: Verdict) -> tuple[str, ...]:
    """What was found, each piece alone: of a waived verdict the reason is the waiver's."""
    return verdict.evidence or (verdict.reason or verdict.title,)


def _rule(verdict: Verdict) -> Object:
    azure = foreseen(verdict)
    told = (verdict.repair, azure and f"Azure would answer: {azure.outcome}. {azure.text}", f"Source: {verdict.source}")
    rule: Object = {
        "id": verdict.id,
        "shortDescription": {"text": _clean(verdict.title)},
        "fullDescription": {"text": _clean(verdict.why or verdict.title)},
        "help": {"text": _clean("\n".join(text for text in told if text))},
        "defaultConfiguration": {"level": LEVELS[verdict.severity]},
        "properties": {"severity": verdict.severity},
    }
    if url := URL.match(verdict.source):
        rule["helpUri"] = url[0].rstrip(".,;)")
    return rule


def _result(verdict: Verdict, text: str, rule: int, image: str, places: Mapping[str, int]) -> Object:
    result: Object = {
        "ruleId": verdict.id,
        "ruleIndex": rule,
        "level": LEVELS[verdict.severity],
        "message": {"text": _clean(text)},
        "locations": [{"physicalLocation": _location(text, image, places)}],
    }
    if verdict.status is Status.WAIVED:
        why = _clean(verdict.reason)
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result


def _location(text: str, image: str, places: Mapping[str, int]) -> Object:
    found = PLACE.match(text)
    if not found:
        return {"artifactLocation": {"uri": _uri(image), "index": 0}}
    location: Object = {"artifactLocation": {"uri": _uri(found[1]), "index": places[found[1]]}}
    if found[2]:
        location["region"] = {"startLine": int(found[2])}
    return location


def _artifacts(image: str, paths: Iterable[str]) -> Iterator[Object]:
    """The image, then the files in it by their paths there."""
    yield {"location": {"uri": _uri(image)}, "roles": ["analysisTarget"]}
    for path in paths:
        yield {"location": {"uri": _uri(path)}, "parentIndex": 0}


def _invocation(report: Report) -> Object:
    """How the inspection went: not well where something could not be looked at."""
    unseen = [_notification("error", f"{one.id}: {one.reason}") for one in report.unread]
    notes = [_notification("note", note) for note in report.notes]
    answer = f"Azure would answer: {report.azure.outcome}. {report.azure.evidence}" if report.azure else ""
    notes += [_notification("note", answer)] if answer else []
    return {
        "executionSuccessful": not unseen,
        "startTimeUtc": report.started.replace("+00:00", "Z"),
        "toolExecutionNotifications": [*unseen, *notes],
    }


def _notification(level: str, text: str) -> Object:
    return {"level": level, "message": {"text": _clean(text)}}


def _uri(path: str) -> str:
    """A path as a reference: an absolute one stays so, whatever letters it has."""
    return quote(path.encode("utf-8", "backslashreplace"), safe="/")


def _clean(text: str) -> str:
    """A text without halves of characters, which are no Unicode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
