"""What `./kiln inspect` calls: an image is judged, findings are waived, and the report is told in a form."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from build import wholefile
from build.errors import CallerError, MachineError
from harness import waivers as waiving
from harness.explain import find
from harness.inspect import inspect as look
from harness.render_junit import render as junit
from harness.report import UNREAD, Report, Status

PROVISIONERS = ("cloud-init", "waagent", "ignition", "none")


def _html(report: Report) -> str:
    from harness.render_html import render

    return render(report)


def _json(report: Report) -> str:
    return json.dumps(report.as_dict(), indent=2, default=str) + "\n"


def _text(report: Report) -> str:
    from harness.render_text import text

    return text(report)


FORMATS: Mapping[str, Callable[[Report], str]] = {"json": _json, "junit": junit, "html": _html}


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


def tell(report: Report, form: str, output: Path | None) -> None:
    """Write the report in that form to a file, or to standard output. Raises MachineError where that cannot be."""
    text = {"text": _text, **FORMATS}[form](report)
    if output is None:
        sys.stdout.write(text)
        return
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
