"""Reports on disk: what is read is what was written, and what was damaged is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.errors import CallerError, MachineError
from harness.report import Report
from harness.store import JUNIT, PAGE, REPORT, load, save
from tests.harness.reports import failed_run, good_run, picture

BARE = Report("disk.vhd", "", "inspect", "", {}, (), "", 0.0)
ODD = replace(good_run(), notes=("a name that is no text: \udcff\x00", "日本"))


@pytest.mark.parametrize("report", [good_run(), failed_run(), BARE, ODD], ids=["good", "failed", "bare", "odd"])
def test_reads_what_it_wrote(report: Report, tmp_path: Path) -> None:
    save(report, tmp_path)
    assert load(tmp_path / REPORT) == report
    assert load(tmp_path) == report


def test_writes_for_programs_and_for_people(tmp_path: Path) -> None:
    (tmp_path / "screenshot.png").write_bytes(picture())
    save(failed_run(), tmp_path)
    assert json.loads((tmp_path / REPORT).read_text())["passed"] is False
    assert "data:image/png;base64," in (tmp_path / PAGE).read_text()
    assert sorted(file.name for file in tmp_path.iterdir()) == [JUNIT, PAGE, REPORT, "screenshot.png"]


def test_replaces_an_earlier_report(tmp_path: Path) -> None:
    save(good_run(), tmp_path)
    save(failed_run(), tmp_path)
    assert load(tmp_path) == failed_run()
    assert "Passed:" not in (tmp_path / PAGE).read_text()


def test_leaves_the_earlier_report_where_it_cannot_write(tmp_path: Path) -> None:
    save(good_run(), tmp_path)
    (tmp_path / PAGE).unlink()
    (tmp_path / PAGE).mkdir()
    with pytest.raises(MachineError, match="cannot be written"):
        save(failed_run(), tmp_path)
    assert load(tmp_path) == good_run()
    assert sorted(file.name for file in tmp_path.iterdir()) == [JUNIT, PAGE, REPORT]


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda data: data.pop(name)


def told(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda data: data.update({name: value})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("digest"), "damaged: KeyError: 'digest'"),
        (without("schema"), "damaged: KeyError: 'schema'"),
        (told("passed", True), "damaged: ValueError: passed cannot be so"),
        (told("image", 5), "damaged: ValueError: image cannot be so"),
        (told("seconds", "71.4"), "damaged: ValueError: seconds cannot be so"),
        (told("seconds", None), "damaged: TypeError"),
        (told("machine", []), "damaged: AttributeError"),
        (told("notes", "one"), "damaged: ValueError: notes cannot be so"),
        (told("events", [{"at": 1.0, "source": "imds"}]), "damaged: KeyError: 'text'"),
        (told("unknown", 1), "damaged: ValueError: unknown cannot be so"),
        (told("schema", 1), "has schema 1, this Kiln reads 2"),
        (lambda data: data["verdicts"][0].update(status="maybe"), "'maybe' is not a valid Status"),
        (lambda data: data["verdicts"][0].update(evidence="text"), "verdicts cannot be so"),
    ],
)
def test_refuses_what_it_would_not_write(
    damage: Callable[[dict[str, Any]], object], message: str, tmp_path: Path
) -> None:
    save(failed_run(), tmp_path)
    data = json.loads((tmp_path / REPORT).read_text())
    damage(data)
    (tmp_path / REPORT).write_text(json.dumps(data))
    with pytest.raises(CallerError) as refused:
        load(tmp_path)
    assert message in refused.value.what
    assert refused.value.hint


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000],
    ids=lambda content: content[:2].hex() or "empty",
)
def test_refuses_what_is_no_report(content: bytes, tmp_path: Path) -> None:
    (tmp_path / REPORT).write_bytes(content)
    with pytest.raises(CallerError, match=r"report.json is damaged"):
        load(tmp_path)


def test_says_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="there is no"):
        load(tmp_path / "absent" / REPORT)
