"""What all nights came to, as it is kept and asked for; and when something has become slow."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from build.errors import MachineError
from factory import history, record
from factory.folderstore import FolderStore
from factory.history import Timing
from factory.record import Entry, Record
from factory.trends import trends

RUN = {"played": "first-boot", "passed": True, "seconds": 40.0, "azure": "Succeeded", "failed": [], "known": []}
FAILURE = {"id": "run.boot-ssh", "title": "somebody can log in", "found": "nobody"}


def night(number: int, *, boot: float = 40.0, found: bool = False, **run: Any) -> Record:
    """A night of one image, whose boot took so long."""
    facts: Mapping[str, Any] = {
        "packages": [{"name": "linux", "version": f"6.{number}", "arch": "amd64"}],
        "sizes": {"root": 1 << 30},
        "durations": {"tree": 12.5},
    }
    jobs = {
        "i/image": Entry("image", "i", "passed", seconds=100.0 + number, found=found, facts=facts),
        "i/gen2": Entry("boot", "i", "passed", found=found, facts={"runs": [{**RUN, "seconds": boot, **run}]}),
    }
    return Record(f"2026-01-0{number}.01", "m", f"2026-01-0{number}T01:00:00", jobs, ended="later")


def kept(folder: Path, *nights: Record) -> FolderStore:
    store = FolderStore(folder)
    for one in nights:
        record.keep(store, one)
    return store


def lines(store: FolderStore, told: list[str] | None = None, **of: str) -> tuple[history.Night, ...]:
    with history.opened(store, (told if told is not None else []).append) as past:
        return history.nights(past, **of)


def test_has_each_night_with_what_failed_that_nobody_knew_of(tmp_path: Path) -> None:
    store = kept(tmp_path, night(1), night(2, failed=[FAILURE, {**FAILURE, "id": "run.known"}], known=["run.known"]))
    first, second = lines(store)
    assert (first.night, first.jobs, first.passed, first.found, first.failed) == ("2026-01-01.01", 2, 2, 0, ())
    assert second.failed == ("i/gen2 run.boot-ssh",)
    assert first.seconds == 101.0
    assert lines(store, image="another") == () == lines(store, matrix="another")


def test_takes_in_what_came_since_and_what_went_on(tmp_path: Path) -> None:
    begun = Record("2026-01-01.01", "m", "2026-01-01T01:00:00", {"i/image": Entry("image", "i")})
    store = kept(tmp_path, begun)
    assert [(one.passed, one.outcome) for one in lines(store)] == [(0, "has not ended")]
    kept(tmp_path, night(1), night(2))
    assert [one.passed for one in lines(store)] == [2, 2]


@pytest.mark.parametrize("damage", ["lost", "cut", "scribbled", "older"])
def test_is_made_anew_of_the_records_alike(tmp_path: Path, damage: str) -> None:
    store = kept(tmp_path, *(night(number) for number in range(1, 6)))
    before = lines(store)
    file = tmp_path / history.FILE
    content = bytearray(file.read_bytes())
    if damage == "lost":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[:5000])
    elif damage == "scribbled":
        content[100:6000] = b"\xa5" * 5900
        file.write_bytes(content)
    else:
        content[60:64] = (99).to_bytes(4, "big")  # user_version, https://www.sqlite.org/fileformat2.html 1.3
        file.write_bytes(content)
    told: list[str] = []
    assert lines(store, told) == before
    assert [one.partition(":")[0] for one in told] == (
        [] if damage == "lost" else ["the history is made anew of the nights' records"]
    )


def test_times_only_what_was_really_done_and_passed(tmp_path: Path) -> None:
    store = kept(tmp_path, night(1), night(2, found=True), night(3, boot=60, passed=False), night(4, boot=50))
    with history.opened(store, lambda text: None) as past:
        assert [one.seconds for one in history.timings(past, "m", "boot")] == [40, 50]
        assert [one.what for one in history.timings(past, "m", "boot")] == ["gen2 first-boot"] * 2
        assert [one.seconds for one in history.timings(past, "m", "image")] == [101, 103, 104]


@pytest.mark.parametrize(
    ("seconds", "slow"),
    [((10, 10, 99), False), ((10, 12, 11, 16.5), False), ((10, 12, 11, 16.6), True), ((90, 9, 11, 10, 14), False)],
)
def test_flags_what_takes_more_than_the_budget_by_the_median_before(seconds: tuple[float, ...], slow: bool) -> None:
    (trend,) = trends([Timing(str(at), "i", "build", one) for at, one in enumerate(seconds)], 1.5)
    assert trend.is_slow is slow


def test_compares_with_the_last_nights_alone() -> None:
    (trend,) = trends([Timing(str(at), "i", "build", one) for at, one in enumerate([1.0] * 20 + [9.0] * 15)], 1.5)
    assert trend.usual == 9.0


def test_forgets_a_night_whose_record_was_pruned(tmp_path: Path) -> None:
    store = kept(tmp_path, night(1), night(2, failed=[FAILURE]))
    assert len(lines(store)) == 2
    store.drop_document(f"{record.FOLDER}/m/2026-01-02.01.json")
    assert [one.night for one in lines(store)] == ["2026-01-01.01"]
    with history.opened(store, lambda text: None) as past:
        assert all(
            past.execute(f"SELECT COUNT(*) FROM {one} WHERE night > '2026-01-02'").fetchone() == (0,)
            for one in history.TABLES
        )


def test_does_not_take_a_file_that_somebody_holds_for_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = kept(tmp_path, night(1))
    lines(store)
    monkeypatch.setattr(history, "PATIENCE", 0.0)
    kept(tmp_path, night(2))
    holder = sqlite3.connect(tmp_path / history.FILE)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(MachineError, match="cannot be used: database is locked"):
        lines(store)
    holder.rollback()
    holder.close()
    assert len(lines(store)) == 2
