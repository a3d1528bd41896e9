"""Keys that a caller gives: kept in the cache, where apt's own user must be able to read them."""

import os
from pathlib import Path

import pytest

from build import keys
from build.errors import CallerError

PUBLIC = Path(__file__).resolve().parents[2] / "distros/keys/flatcar.asc"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of these tests goes into the user's cache."""
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))


def test_keeps_a_key_that_everybody_can_read() -> None:
    before = os.umask(0o077)
    try:
        name = keys.take(PUBLIC)
        kept = keys.located(name, Path("/nowhere"))
        assert keys.take(PUBLIC) == name
    finally:
        os.umask(before)
    assert kept.stat().st_mode & 0o777 == 0o644
    assert kept.read_bytes() == keys.dearmored(PUBLIC.read_bytes())


def test_refuses_what_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no key")
    with pytest.raises(CallerError):
        keys.take(tmp_path / "note.txt")
