"""A report as one HTML page that needs nothing beside it: no network, no other file. The one module that uses jinja2.

Everything that a guest may have written is escaped by the template engine, control characters are taken out, and the
page's own policy (CSP) lets no script run but ours.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.console import ESCAPES
from harness.report import Report, Status, Verdict
from harness.timeline import timeline

TEMPLATES = Path(__file__).parent / "templates"
PNG = b"\x89PNG\r\n\x1a\n"
SHORT = 12
"""Digits of a digest that a person compares."""
CAPTIONS = {"vtpm": "vTPM"}
COLUMNS = {
    Status.FAILED: "What was found",
    Status.WAIVED: "What is lived with",
    Status.SKIPPED: "Why it was not judged",
    Status.PASSED: "Why it matters",
}


@dataclass(frozen=True)
class Row:
    """One verdict as the table shows it: what was `found` stands there, the `rest` is folded."""

    verdict: Verdict
    found: str
    rest: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """The verdicts that ended alike."""

    status: Status
    column: str
    rows: tuple[Row, ...]


def render(report: Report, screenshot: bytes = b"") -> str:
    """The page of one run. `screenshot` is a PNG, which becomes part of the page; anything else is left out."""
    style, script = _part("report.css"), _part("report.js")
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            name=Path(report.image).name or report.image,
            digest=_short(report.digest),
            counts=_counts(report),
            groups=tuple(_groups(report)),
            timeline=timeline(report.events),
            console=report.console_tail.rstrip("\n").split("\n") if report.console_tail.strip() else [],
            screenshot=base64.b64encode(screenshot).decode() if screenshot.startswith(PNG) else "",
            style=style,
            script=script,
            policy=f"default-src 'none'; img-src data:; style-src {_allowed(style)}; script-src {_allowed(script)}",
        )
    )


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_clean,
    )
    made.filters |= {
        "moment": _moment,
        "duration": _duration,
        "beside": _beside,
        "caption": _caption,
        "sentence": _sentence,
    }
    return made


def _clean(value: object) -> object:
    """A text without what HTML cannot hold: control characters, and halves of characters."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value  # no text, or our own style or script, which must stay as its hash says
    return ESCAPES.sub("", value).encode("utf-8", "backslashreplace").decode("utf-8")


def _part(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _allowed(part: str) -> str:
    """The policy's word for this very text: https://www.w3.org/TR/CSP3/#grammardef-hash-source"""
    return f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"


def _groups(report: Report) -> Iterator[Group]:
    """What failed first, required before recommended."""
    for status in COLUMNS:
        alike = [verdict for verdict in report.verdicts if verdict.status is status]
        alike.sort(key=lambda one: (one.severity != "required", one.id))
        if alike:
            yield Group(status, COLUMNS[status], tuple(_row(verdict) for verdict in alike))


def _row(verdict: Verdict) -> Row:
    found, *rest = verdict.findings or ("",)
    return Row(verdict, found, tuple(rest))


def _counts(report: Report) -> str:
    failed = Counter(verdict.severity for verdict in report.verdicts if verdict.status is Status.FAILED)
    ended = Counter(verdict.status for verdict in report.verdicts)
    told = [
        f"{count} {severity} failed" for severity, count in sorted(failed.items(), key=lambda one: one[0] != "required")
    ]
    told += [f"{ended[status]} {status}" for status in (Status.PASSED, Status.WAIVED, Status.SKIPPED) if ended[status]]
    return ", ".join(told) or "no check ran"


def _short(digest: str) -> str:
    kind, colon, digits = digest.rpartition(":")
    return f"{kind}{colon}{digits[:SHORT]}"


def _moment(started: str) -> str:
    """A moment as people write it; one that is none stays as it is."""
    try:
        return datetime.fromisoformat(started).strftime("%Y-%m-%d %H:%M:%S %Z").strip()
    except ValueError:
        return started


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def _caption(name: str) -> str:
    """A machine fact's name for people."""
    return CAPTIONS.get(name, _sentence(name.replace("_", " ")))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _beside(name: str) -> str:
    """The address of a file in the page's folder, never of anything elsewhere."""
    return "./" + quote(name.encode("utf-8", "backslashreplace"))
