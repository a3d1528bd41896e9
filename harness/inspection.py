"""What `./kiln inspect` calls: an image is judged, findings are waived, and the report is told in a form."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from build import wholefile
from build.errors import CallerError, MachineError
from harness import waivers as waiving
from harness.explain import find
from harness.inspect import inspect as look
from harness.render_junit import render as junit
from harness.render_sarif import render as sarif
from harness.render_screen import render as screen
from harness.report import UNREAD, Report, Status

FORMATS = ("json", "sarif", "junit", "html")
"""How a report can be told besides text for a screen."""


@dataclass(frozen=True)
class InspectRequest:
    """An image to inspect. What is None is taken from its manifest or inferred; `only` are ids of checks."""

    image: Path
    generations: tuple[int, ...] | None = None
    kind: str | None = None
    provisioner: str | None = None
    only: tuple[str, ...] = ()
    waivers: Path | None = None


def inspect(request: InspectRequest) -> Report:
    """The report on an image, with what is waived. Raises CallerError for a word or a file that does not fit."""
    for id in request.only:
        find(id)
    given = waiving.load(request.waivers) if request.waivers else ()
    report = look(request.image, request.generations, request.kind, request.provisioner, request.only)
    name = request.image.resolve().name
    verdicts = tuple(waiving.applied(report.verdicts, given, name, datetime.now(UTC).date()))
    notes = () if request.only else tuple(waiving.unused(verdicts, given, name))
    return replace(report, verdicts=verdicts, notes=(*report.notes, *notes))


def told(report: Report, form: str, version: str, ended: int, *, strict: bool) -> str:
    """The report in that form, one of FORMATS or text; `version` is Kiln's, `ended` the exit status."""
    if form == "json":
        return json.dumps(report.as_dict(), indent=2, default=str) + "\n"
    if form == "sarif":
        return sarif(report, version)
    if form == "junit":
        return junit(report)
    if form == "html":
        from harness.render_html import render

        return render(report)
    return screen(report, ended, strict)


def write(text: str, output: Path) -> None:
    """Write a report to a file. Raises MachineError where that cannot be."""
    try:
        wholefile.write(output.absolute(), text.encode(), wholefile.PUBLIC)
    except OSError as refusal:
        raise MachineError(
            f"{output} cannot be written: {refusal.strerror}", "name another file with --output"
        ) from None


def status(report: Report, *, strict: bool, partial: bool) -> int:
    """The exit status: 1 where something required failed (with `strict` anything), 3 where nothing did and something
    could not be looked at (with `partial` that is no matter), 2 where nothing was judged, else 0."""
    failed = [one for one in report.verdicts if one.status is Status.FAILED and not one.id.startswith(UNREAD)]
    if any(strict or one.severity == "required" for one in failed):
        return 1
    if report.unread and not partial:
        return MachineError.status
    judged = any(one.status is not Status.SKIPPED for one in report.verdicts)
    return 0 if judged else CallerError.status
