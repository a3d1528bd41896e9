"""Files written whole: at once, with their mode, and nothing left where it cannot be."""

import errno
from pathlib import Path

import pytest

from build.wholefile import PUBLIC, write


def test_replaces_a_file_while_others_read_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "below" / "file"
    write(file, b"old")
    with file.open("rb") as reader:
        write(file, b"new", PUBLIC)
        assert reader.read() == b"old"
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == PUBLIC
    assert list(file.parent.iterdir()) == [file]


def test_is_nobody_elses_to_read_unless_asked(tmp_path: Path) -> None:
    write(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode & 0o077 == 0


def test_leaves_nothing_where_it_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []
