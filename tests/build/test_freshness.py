"""Freshness: what has expired or was newer before is refused; only what was believed counts as seen."""

from dataclasses import replace
from pathlib import Path

import pytest

import build.archive
from build.archive import Release, kept, releases
from build.errors import MachineError
from build.families.rpm.state import Metadata
from build.freshness import newest, remember, require
from distros.recipe import Archive
from tests.build.archives import DATE, RELEASE, FakeArchive, served

STATE = Release("http://archive/debian", "stable", ("main",), "/keyring.gpg", "a" * 64, DATE)
DAY = 24 * 3600


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))


def at(days: float) -> Release:
    return replace(STATE, date=DATE + int(days * DAY))


def test_refuses_what_is_older_than_what_was_believed() -> None:
    remember(at(0))
    require([at(0), at(1)])
    for refuse in (lambda: require([at(-1)]), lambda: remember(at(-1))):
        with pytest.raises(MachineError, match="is of 2026-11-20 02:10 UTC, older than what it was before: 2026-11-21"):
            refuse()
    assert newest(STATE) == DATE


def test_takes_no_date_from_what_was_only_asked_for() -> None:
    require([at(9)])
    assert newest(STATE) == 0
    require([at(0)])


def test_keeps_the_newest_date_of_each_archive_and_suite() -> None:
    remember(at(0))
    remember(at(2))
    assert newest(STATE) == DATE + 2 * DAY
    for other in (replace(at(-9), suite="testing"), replace(at(-9), url="http://mirror/debian")):
        require([other])
        remember(other)


def test_judges_repositories_of_rpms_alike() -> None:
    state = Metadata("baseos", "b" * 64, DATE, "/keyring", (), True, url="https://mirror/baseos")
    remember(state)
    with pytest.raises(MachineError, match="https://mirror/baseos baseos is of"):
        require([replace(state, date=DATE - 1)])


def test_refuses_what_has_expired() -> None:
    state = replace(STATE, valid_until=DATE + DAY)
    require([state], now=lambda: DATE)
    require([STATE], now=lambda: DATE + 999 * DAY)
    with pytest.raises(MachineError, match="has expired: its release file counted until 2026-11-22") as refusal:
        require([state], now=lambda: DATE + DAY + 1)
    assert "--lock" in refusal.value.hint


def test_starts_anew_where_the_record_is_damaged() -> None:
    remember(at(0))
    (record,) = kept(STATE).parent.glob("seen-*")
    record.write_text("{")
    assert newest(STATE) == 0
    remember(at(-1))


LIMITED = RELEASE.replace("SHA256:", "Valid-Until: Sat, 28 Nov 2026 02:10:46 UTC\nSHA256:")


@pytest.mark.parametrize(
    ("content", "date", "end"),
    [
        (LIMITED.format(suite="stable"), DATE, DATE + 7 * DAY),
        (RELEASE.format(suite="stable"), DATE, 0),
        ("Origin: x\n-----BEGIN PGP SIGNATURE-----\nDate: Sat, 21 Nov 2026 02:10:46 UTC\n", 0, 0),
        ("Date: yesterday\nValid-Until: never\n", 0, 0),
    ],
)
def test_reads_dates_from_what_is_signed(content: str, date: int, end: int) -> None:
    with served(FakeArchive()) as fake:
        fake.suite("stable", content.encode())
        (found,) = releases([Archive(fake.url, ("stable",), ("main",), "")], offline=False)
    assert (found.date, found.valid_until) == (date, end)


def test_believes_nothing_that_stands_before_the_signed_part(tmp_path: Path) -> None:
    content = (
        b"Date: Sat, 21 Nov 2099 02:10:46 UTC\n-----BEGIN PGP SIGNED MESSAGE-----\n-----BEGIN PGP SIGNATURE-----\n"
    )
    with served(FakeArchive()) as fake:
        fake.suite("stable", content)
        (found,) = releases([Archive(fake.url, ("stable",), ("main",), "")], offline=False)
    (tmp_path / "keyring.gpg").touch()
    with pytest.raises(MachineError, match="is not signed"):
        build.archive.verify(found, tmp_path / "keyring.gpg", mirror=False)
