"""Pieces that arrive in a file: what the record beside it says, wherever power fails."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from build.errors import CallerError
from build.progress import Progress
from publish import landing
from publish.landing import BATCH, Landing

FIRST, OTHER = {"disk": "a"}, {"disk": "b"}
LENGTH = 1 << 20


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    return tmp_path / ".x.partial"


def arrived(partial: Path, known_by: dict[str, str], *offsets: int) -> frozenset[int]:
    """What was here, before these offsets arrived."""
    with landing.begun(partial, known_by, LENGTH, Progress()) as file:
        for offset in offsets:
            file.put(offset, b"data")
        return file.here


def failing(kind: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(kind, os.strerror(kind))

    return fail


def test_goes_on_with_what_is_here(partial: Path) -> None:
    assert arrived(partial, FIRST, 0, 512, 4096) == frozenset()
    assert arrived(partial, FIRST, 8192) == {0, 512, 4096}
    assert arrived(partial, FIRST) == {0, 512, 4096, 8192}
    assert partial.read_bytes()[4096:4100] == b"data"
    assert partial.stat().st_size == LENGTH


def test_begins_anew_with_another_disk_and_says_so(partial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrived(partial, FIRST, 0, 512)
    assert "anew" not in capsys.readouterr().err
    assert arrived(partial, OTHER) == frozenset()
    assert "it begins anew" in capsys.readouterr().err
    assert partial.read_bytes() == bytes(LENGTH)


def test_never_lengthens_a_line_that_was_cut_short(partial: Path) -> None:
    """A third run must not take what two halves of lines come to for a piece that is here."""
    arrived(partial, FIRST, 0, 41)
    record = landing.record(partial)
    record.write_bytes(record.read_bytes()[:-1])
    assert arrived(partial, FIRST, 94304) == {0}
    assert arrived(partial, FIRST) == {0, 94304}


def test_forgets_what_was_here_before_it_empties_the_file(partial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed as it began anew with another disk: the first disk's pieces are gone, and so is what was said of them."""
    arrived(partial, FIRST, 0, 512)
    write_text = Path.write_text

    def killed(self: Path, *_: object, **__: object) -> int:
        assert partial.stat().st_size == 0
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        arrived(partial, OTHER)
    monkeypatch.setattr(Path, "write_text", write_text)
    assert arrived(partial, FIRST) == frozenset()


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]\n", b"no json\n1\n", b"\xff\xfe\n", b"\0\0\0\0\n"])
def test_trusts_no_damaged_record(damage: bytes, partial: Path) -> None:
    arrived(partial, FIRST, 0)
    landing.record(partial).write_bytes(damage)
    assert arrived(partial, FIRST, 512) == frozenset()
    assert arrived(partial, FIRST) == {512}


def test_trusts_no_record_with_anything_but_numbers(partial: Path) -> None:
    arrived(partial, FIRST, 0)
    with landing.record(partial).open("ab") as record:
        record.write(b"\0\0\0\n")
    assert arrived(partial, FIRST) == frozenset()


def test_names_a_piece_once_the_disk_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    settle, note = os.fsync, os.write
    monkeypatch.setattr(os, "fsync", lambda file: (order.append("settled"), settle(file))[1])
    monkeypatch.setattr(os, "write", lambda file, data: (order.append(data.decode()), note(file, data))[1])
    with (tmp_path / "f").open("w+b", buffering=0) as file, (tmp_path / "r").open("w") as record:
        one = Landing(file.fileno(), record.fileno())
        for number in range(BATCH + 1):
            one.put(number * 4, b"data")
        one.settle()
    assert order == ["settled", "0\n4\n8\n12\n", "settled", "16\n"]


def test_writes_all_of_a_piece_that_the_disk_takes_in_parts(partial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: whole(file, data[:3], offset))
    arrived(partial, FIRST, 0, 512)
    assert partial.read_bytes()[:516] == b"data" + bytes(508) + b"data"


def test_names_nothing_any_more_once_the_disk_lost_something(partial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed fsync the next one succeeds, though what was to be settled is gone."""
    with (
        monkeypatch.context() as patched,
        pytest.raises(OSError, match="Input/output"),
        landing.begun(partial, FIRST, LENGTH, Progress()) as file,
    ):
        patched.setattr(os, "fsync", failing(errno.EIO))
        try:
            for number in range(BATCH):
                file.put(number * 512, b"data")
        finally:
            patched.undo()
    assert arrived(partial, FIRST) == frozenset()


def test_stops_where_there_is_no_room_for_the_record(partial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a line is written, and what comes later does not make a whole one of it."""
    note = os.write
    with (
        monkeypatch.context() as patched,
        pytest.raises(OSError, match="No space left"),
        landing.begun(partial, FIRST, LENGTH, Progress()) as file,
    ):
        patched.setattr(os, "write", lambda file, data: note(file, data[:2]))
        file.put(4194304, b"data")
    assert arrived(partial, FIRST, 512) == frozenset()
    assert arrived(partial, FIRST) == {512}


def test_is_alone_with_its_file(partial: Path) -> None:
    with landing.begun(partial, FIRST, LENGTH, Progress()) as file:
        file.put(0, b"data")
        with pytest.raises(CallerError, match="another run reads into"):
            arrived(partial, OTHER, 512)
    assert arrived(partial, FIRST) == {0}


def test_leaves_one_alone_that_was_finished_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opened the file under its first name, and had the lock only after another run had given it its last one."""
    import fcntl

    partial, output = tmp_path / ".x.partial", tmp_path / "x"
    arrived(partial, FIRST, 0)
    monkeypatch.setattr(fcntl, "flock", lambda *_: landing.finish(partial, output))
    with pytest.raises(CallerError, match="another run"):
        arrived(partial, OTHER)
    assert output.read_bytes().startswith(b"data")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["x"]
