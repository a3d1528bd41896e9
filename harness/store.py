"""Reports on disk."""

import json
from pathlib import Path
from dataclasses import fields
from harness.report import Report, Verdict, Event, Status

REPORT = "report.json"


def save(report: Report, folder: Path) -> None:
    (folder / REPORT).write_text(json.dumps(report.as_dict(), indent=1))


def load(path: Path) -> Report:
    d = json.loads(path.read_text())
    d.pop("passed")
    d["verdicts"] = tuple(
        Verdict(**{**v, "status": Status(v["status"]), "evidence": tuple(v["evidence"])}) for v in d["verdicts"]
    )
    d["events"] = tuple(Event(**e) for e in d["events"])
    d["notes"] = tuple(d["notes"])
    return Report(**d)
