"""Nights of pretend jobs, each in a real process: order, reruns, kills, two coordinators on one store."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from build.errors import Bug, CallerError, MachineError
from factory.executors.local import Local
from factory.folderstore import FolderStore
from factory.job import Job, Outcome, Result, Slots
from factory.keys import key
from factory.night import Night, Told, merged, weights
from factory.work import do, letter
from tests.processes import eventually, runs

PROJECT = Path(__file__).resolve().parents[2]


def job(name: str, *needs: str, **order: Any) -> Job:
    return Job(name, "pretend", name.partition("/")[0], order, needs, Slots(1), order.get("seconds", 1.0))


def night(tmp_path: Path, *jobs: Job, at_once: int = 2, tell: Any = None) -> Night:
    store = tmp_path / "store"
    pool = Local(Slots(at_once), store, tmp_path / "scratch", tmp_path / "logs")
    return Night({one.name: one for one in jobs}, FolderStore(store), pool, "test", tell or (lambda told: None))


def outcomes(results: Mapping[str, Result]) -> dict[str, str]:
    return {name: one.outcome.value for name, one in results.items()}


def test_does_what_waits_for_others_after_them(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    jobs = (job("a"), job("b", "a"), job("c", "b"))
    results = night(tmp_path, *jobs, tell=lambda one: told.append((one.what, one.job.name))).run()
    assert outcomes(results) == dict.fromkeys("abc", "passed")
    assert told == [(what, name) for name in "abc" for what in ("began", "ended")]
    assert not list((tmp_path / "scratch").iterdir())


def test_does_nothing_twice(tmp_path: Path) -> None:
    jobs = (job("a", content="1"), job("b", "a"), job("c", outcome="failed"))
    first = night(tmp_path, *jobs).run()
    told: list[Told] = []
    assert night(tmp_path, *jobs, tell=told.append).run() == first
    assert {one.what for one in told} == {"found"}


def test_does_again_what_depends_on_what_changed(tmp_path: Path) -> None:
    night(tmp_path, job("a", content="1"), job("b", "a"), job("c")).run()
    told: list[Told] = []
    night(tmp_path, job("a", content="2"), job("b", "a"), job("c"), tell=told.append).run()
    assert {one.job.name for one in told if one.what == "ended"} == {"a", "b"}


def test_does_again_what_the_store_has_lost(tmp_path: Path) -> None:
    first = night(tmp_path, job("a")).run()
    kept = FolderStore(tmp_path / "store").artefact(first["a"].artefacts["pretended"])
    assert kept
    kept.rename(tmp_path / "lost")
    told: list[Told] = []
    night(tmp_path, job("a"), tell=told.append).run()
    assert [one.what for one in told] == ["began", "ended"]


def test_tries_again_what_the_machine_broke_and_no_verdict(tmp_path: Path) -> None:
    counter = str(tmp_path / "counter")
    jobs = (job("breaks", breaks={"counter": counter, "times": 2}), job("dies", dies=True), job("no", outcome="failed"))
    one = night(tmp_path, *jobs)
    assert outcomes(one.run()) == {"breaks": "passed", "dies": "broken", "no": "failed"}
    assert [(raw.job, raw.result.outcome.value) for raw in one.raw if raw.job == "breaks"] == [
        ("breaks", "broken"),
        ("breaks", "broken"),
        ("breaks", "passed"),
    ]
    assert sum(raw.job == "no" for raw in one.raw) == 1
    assert "signal 9" in one.results["dies"].reason


def test_leaves_out_what_waits_for_what_failed(tmp_path: Path) -> None:
    results = night(tmp_path, job("a", outcome="failed"), job("b", "a"), job("c", "b"), job("d")).run()
    assert outcomes(results) == {"a": "failed", "b": "left out", "c": "left out", "d": "passed"}
    assert results["b"].reason == "a failed"
    assert merged(results.values()) is Outcome.FAILED


def test_never_runs_more_at_once_than_there_is_room_for(tmp_path: Path) -> None:
    running: list[int] = []

    def count(told: Told) -> None:
        running.append(1 if told.what == "began" else -1)

    night(tmp_path, *(job(f"j{one}", seconds=0.05, content=str(one)) for one in range(8)), at_once=3, tell=count).run()
    assert max(sum(running[: at + 1]) for at in range(len(running))) == 3


def test_begins_with_what_others_wait_for_longest() -> None:
    jobs = {one.name: one for one in (job("a", seconds=5), job("b", "a", seconds=10), job("c", seconds=12))}
    assert weights(jobs) == {"a": 15, "b": 10, "c": 12}


@pytest.mark.parametrize(
    ("jobs", "error", "what"),
    [
        ((job("a", "b"),), CallerError, "which nobody does"),
        ((job("a", "b"), job("b", "a")), Bug, "wait for each other"),
        ((Job("a", "pretend", "a", slots=Slots(9)),), CallerError, "needs"),
    ],
)
def test_refuses_what_can_never_run(jobs: tuple[Job, ...], error: type[Exception], what: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=what):
        night(tmp_path, *jobs).run()


def test_has_the_same_key_wherever_it_is_asked_for() -> None:
    given = {"a": Result(Outcome.PASSED, artefacts={"x": "1"}, seconds=1, began="now")}
    later = {"a": Result(Outcome.PASSED, artefacts={"x": "1"}, seconds=9, began="then")}
    assert key(job("b", "a", n=1), given) == key(job("other", "a", n=1), later)
    assert key(job("b", "a", n=1), given) != key(job("b", "a", n=2), given)
    assert key(job("b", "a", n=1), given) != key(job("b", "a", n=1), {"a": Result(Outcome.FAILED)})


def test_lets_one_of_two_coordinators_do_a_job(tmp_path: Path) -> None:
    first = night(tmp_path, job("a", seconds=1.0))
    own = key(first.jobs["a"], {})
    lease = first.store.lease(own, "somebody else")
    assert lease
    told: list[Told] = []
    second = night(tmp_path, job("a", seconds=1.0), tell=told.append)

    def done_elsewhere(one: Told) -> None:
        told.append(one)
        if one.what == "elsewhere":
            first.store.put(own, Result(Outcome.PASSED))

    second.tell = done_elsewhere
    second.run()
    assert [one.what for one in told] == ["elsewhere", "found"]


def test_keeps_nothing_that_another_kiln_did(tmp_path: Path) -> None:
    one = job("a")
    told = json.loads(letter(one, {}, str(tmp_path / "store"), tmp_path / "scratch"))
    with pytest.raises(MachineError, match="were changed while the night went on"):
        do({**told, "key": "0" * 64})
    assert do(told).outcome is Outcome.PASSED
    assert FolderStore(tmp_path / "store").result(key(one, {})) is not None


KILLED = """
import sys
from pathlib import Path
from factory.executors.local import Local
from factory.folderstore import FolderStore
from factory.job import Job, Slots
from factory.night import Night
top = Path(sys.argv[1])
jobs = [Job(f"a{n}", "pretend", "x", {"seconds": 0.1, "content": str(n)}, slots=Slots(1)) for n in range(6)]
jobs += [Job(f"b{n}", "pretend", "x", {"seconds": 0.1}, (f"a{n}",), Slots(1)) for n in range(6)]
pool = Local(Slots(2), top / "store", top / "scratch", top / "logs")
tell = lambda told: print(told.what, told.job.name, *(process.pid for _, process in pool.running.values()), flush=True)
Night({one.name: one for one in jobs}, FolderStore(top / "store", silent=0.5), pool, "test", tell).run()
"""


def test_does_once_what_two_jobs_ask_for_alike(tmp_path: Path) -> None:
    told: list[Told] = []
    night(tmp_path, job("a"), job("b"), tell=told.append).run()
    assert sorted(one.what for one in told) == ["began", "ended", "found"]


@pytest.mark.real
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda one: one.name)
@pytest.mark.parametrize("events", [1, 2, 5, 9, 14, 20])
def test_goes_on_after_it_was_ended(events: int, how: signal.Signals, tmp_path: Path) -> None:
    """At a counted event: nothing of it runs any more, nothing half is kept, and the next run does the rest."""
    words = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(
        words, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as one:
        assert one.stdout
        lines = [one.stdout.readline() for _ in range(events)]
        one.send_signal(how)
    processes = {int(word) for line in lines for word in line.split()[2:]}
    assert all(eventually(lambda number=number: not runs(number), 10) for number in processes)  # type: ignore[misc]
    done = {line.split()[1] for line in lines if line.startswith("ended")}
    assert not [path for path in (tmp_path / "store" / "artefacts").rglob("content") if not path.read_bytes().isascii()]
    time.sleep(0.6)
    again = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
    told = {(line.split()[0], line.split()[1]) for line in again}
    assert {name for what, name in told if what in ("found", "ended")} == {f"{a}{n}" for a in "ab" for n in range(6)}
    assert not [name for what, name in told if what == "ended" and name in done]
    # A job that was ending as its night was killed may have left its result, and the night its lease.
    store = FolderStore(tmp_path / "store")
    assert all(store.result(lease.name) for lease in (store.root / "leases").iterdir())
