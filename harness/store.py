"""Reports on disk, in the folder of their run: report.json for programs, report.html for people, junit.xml for what
builds and tests by itself."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from build import wholefile
from build.errors import CallerError, MachineError
from harness import render_junit
from harness.render_html import render
from harness.report import Answer, Event, NameSeen, Report, Status, Verdict

REPORT = "report.json"
PAGE = "report.html"
JUNIT = "junit.xml"
SCHEMA = 2
LARGEST_SCREENSHOT = 4 << 20
AGAIN = "verify the image again"


def save(report: Report, folder: Path) -> None:
    """Write all into `folder`, each whole or not at all, report.json last. Raises MachineError where it cannot."""
    _write(folder / PAGE, render(report, _screenshot(report, folder)))
    _write(folder / JUNIT, render_junit.render(report))
    _write(folder / REPORT, json.dumps(report.as_dict(), indent=1) + "\n")


def load(path: Path) -> Report:
    """The report in a run's folder, or in the file itself.

    Raises CallerError where there is none, or one that this Kiln did not write so.
    """
    file = path / REPORT if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        schema = data["schema"]
        report = _report(data) if schema == SCHEMA else None
    except FileNotFoundError:
        raise CallerError(f"there is no {file}", "name a run's folder; `./kiln verify` makes one") from None
    except OSError as refusal:
        raise CallerError(f"{file} cannot be read: {refusal.strerror}", "name a report that you may read") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as damage:
        raise CallerError(f"{file} is damaged: {type(damage).__name__}: {damage}", AGAIN) from None
    if report is None:
        raise CallerError(f"{file} has schema {schema!r}, this Kiln reads {SCHEMA}", AGAIN)
    return report


def _report(data: Mapping[str, Any]) -> Report:
    """The report that would be written as `data`. Raises ValueError where none would be, TypeError or KeyError."""
    told = {one.name: data[one.name] for one in fields(Report)}
    texts = ("image", "digest", "scenario", "seed", "started", "console_tail")
    report = Report(
        **{
            **told,
            **{name: str(told[name]) for name in texts},
            "machine": _names(told["machine"]),
            "files": _names(told["files"]),
            "seconds": float(told["seconds"]),
            "verdicts": tuple(_verdict(one) for one in told["verdicts"]),
            "events": tuple(Event(float(one["at"]), str(one["source"]), str(one["text"])) for one in told["events"]),
            "notes": tuple(str(note) for note in told["notes"]),
            "faults": tuple(str(name) for name in told["faults"]),
            "azure": Answer(**_names(told["azure"])) if told["azure"] is not None else None,
            "names": tuple(_name_seen(one) for one in told["names"]),
        }
    )
    written = json.loads(json.dumps(report.as_dict()))
    if unlike := sorted(name for name in {*written, *data} if written.get(name) != data.get(name)):
        raise ValueError(f"{', '.join(unlike)} cannot be so")
    return report


def _name_seen(told: Mapping[str, Any]) -> NameSeen:
    return NameSeen(str(told["boot"]), str(told["where"]), str(told["name"]), bool(told["right"]))


def _names(told: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in told.items()}


def _verdict(told: Mapping[str, Any]) -> Verdict:
    texts: dict[str, Any] = {one.name: str(told[one.name]) for one in fields(Verdict)}
    return Verdict(
        **{**texts, "status": Status(told["status"]), "evidence": tuple(str(line) for line in told["evidence"])}
    )


def _screenshot(report: Report, folder: Path) -> bytes:
    """The picture that the report names, where there is one of a size fit for a page."""
    picture = folder / report.files.get("screenshot", "")
    try:
        return picture.read_bytes() if picture.stat().st_size <= LARGEST_SCREENSHOT else b""
    except OSError:
        return b""


def _write(file: Path, text: str) -> None:
    try:
        wholefile.write(file, text.encode(), wholefile.PUBLIC)
    except OSError as refusal:
        raise MachineError(f"{file} cannot be written: {refusal.strerror}", "make room, or choose --output") from None
