"""A boot that the emulator ended is no verdict on the image."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from build.progress import Progress
from harness import emulator
from harness.report import Report
from harness.runs import VerifyRequest
from harness.slots import Sealed
from harness.store import save
from harness.verify import Verified, verify
from tests.harness.reports import failed_run, good_run
from tests.harness.test_subject import disk

OLD = b"[    0.9] int3: 0000 [#1] PREEMPT SMP NOPTI\n"
NEW = b"[    1.5] Oops: int3: 0000 [#1] SMP NOPTI\n"
OTHER = b"[    1.5] Oops: general protection fault: 0000 [#1] SMP NOPTI\n"


def report(like: Report, accelerator: str = "tcg") -> Report:
    return replace(like, machine={**like.machine, "accelerator": accelerator}, files={"console": "console.log"})


def told(folder: Path, console: bytes, one: Report) -> bytes:
    (folder / "console.log").write_bytes(console)
    return emulator.fault(one, folder)


@pytest.mark.parametrize("console", [OLD, NEW])
def test_knows_a_breakpoint_that_is_nobodys(console: bytes, tmp_path: Path) -> None:
    assert told(tmp_path, b"Linux version 6.1\n" + console, report(failed_run())) == b"Linux version 6.1\n" + console


def test_takes_any_other_death_for_the_images(tmp_path: Path) -> None:
    assert told(tmp_path, OTHER, report(failed_run())) == b""


def test_takes_a_real_processors_word(tmp_path: Path) -> None:
    assert told(tmp_path, NEW, report(failed_run(), "kvm")) == b""


def test_lets_be_what_has_passed(tmp_path: Path) -> None:
    assert told(tmp_path, NEW, report(good_run())) == b""


@pytest.fixture
def endings() -> list[Report]:
    """How each run ends, in turn."""
    return [failed_run(), failed_run()]


@pytest.fixture
def played(endings: list[Report], monkeypatch: pytest.MonkeyPatch) -> list[Sealed]:
    """The calls that were made; on each console the kernel dies of a breakpoint."""
    calls: list[Sealed] = []

    def in_slots(wanted: Sequence[Sealed], most: int, tell: object) -> Iterator[tuple[int, int]]:
        for place, one in enumerate(wanted):
            one.begin()
            calls.append(one)
            folder = Path(one.request["folder"])
            (folder / "console.log").write_bytes(NEW)
            save(report(endings[len(calls) - 1]), folder)
            yield place, 0

    monkeypatch.setattr("harness.verify.in_slots", in_slots)
    return calls


def verified(tmp_path: Path, *, hold: bool = False) -> Verified:
    image = disk(tmp_path / "image.raw", footer=False)
    return verify(VerifyRequest(image=image, generation=1, output=tmp_path / "output", hold=hold), Progress())


def test_plays_such_a_run_once_more_and_no_oftener(tmp_path: Path, played: list[Sealed]) -> None:
    assert not verified(tmp_path).passed
    assert [one.request.get("note", "") for one in played] == ["", emulator.AGAIN]
    assert Path(played[1].request["folder"], emulator.KEPT).read_bytes() == NEW


def test_believes_the_second_run(tmp_path: Path, endings: list[Report], played: list[Sealed]) -> None:
    endings[1] = good_run()
    assert verified(tmp_path).passed
    assert len(played) == 2


def test_lets_a_guest_be_that_was_held_for_a_look(tmp_path: Path, played: list[Sealed]) -> None:
    verified(tmp_path, hold=True)
    assert len(played) == 1
