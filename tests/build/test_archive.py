"""Archives: asked in parallel, tried again, kept by digest, and believed only when signed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import build.archive
import build.fetch
from build import freshness
from build.archive import Release, either, kept, locate, releases, verify
from build.errors import CallerError, KilnError, MachineError
from distros.recipe import Archive
from tests.build.archives import DATE, RELEASE, FakeArchive, Signer, served


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(build.fetch.time, "sleep", lambda seconds: None)


@pytest.fixture
def fake() -> Iterator[FakeArchive]:
    with served(FakeArchive()) as archive:
        archive.suite("stable")
        archive.suite("stable-updates")
        yield archive


def at(fake: FakeArchive, *suites: str) -> Archive:
    return Archive(fake.url, suites or ("stable", "stable-updates"), ("main",), "/keyring.gpg")


def test_tells_the_digest_and_date_of_every_suite(fake: FakeArchive) -> None:
    found = releases([at(fake)], offline=False)
    assert [release.suite for release in found] == ["stable", "stable-updates"]
    assert {release.date for release in found} == {DATE}
    assert found[0].source == f"{fake.url} stable main"
    assert kept(found[0]).read_text() == RELEASE.format(suite="stable")


def test_answers_offline_as_it_was_when_last_asked(fake: FakeArchive) -> None:
    online = releases([at(fake)], offline=False)
    asked = len(fake.asked)
    fake.suite("stable", b"something newer")
    assert releases([at(fake)], offline=True) == online
    assert len(fake.asked) == asked


def test_keeps_the_older_state_for_those_who_still_use_it(fake: FakeArchive) -> None:
    (older,) = releases([at(fake, "stable")], offline=False)
    fake.suite("stable", b"Date: Sun, 22 Nov 2026 00:00:00 UTC\n")
    (newer,) = releases([at(fake, "stable")], offline=False)
    assert older.sha256 != newer.sha256
    assert kept(older).exists()
    assert kept(newer).exists()


NEWER = b"Date: Sun, 22 Nov 2026 00:00:00 UTC\n"


def test_asks_again_where_one_of_an_archives_servers_lags(fake: FakeArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.suite("stable", NEWER)
    (newer,) = releases([at(fake, "stable")], offline=False)
    freshness.remember(newer)
    fake.suite("stable")
    monkeypatch.setattr(build.archive.time, "sleep", lambda seconds: fake.suite("stable", NEWER))
    assert releases([at(fake, "stable")], offline=False) == (newer,)


def test_takes_an_older_state_for_what_it_is_when_it_stays(fake: FakeArchive) -> None:
    fake.suite("stable", NEWER)
    (newer,) = releases([at(fake, "stable")], offline=False)
    freshness.remember(newer)
    fake.suite("stable")
    asked = len(fake.asked)
    (older,) = releases([at(fake, "stable")], offline=False)
    assert len(fake.asked) == asked + 3
    with pytest.raises(MachineError, match="older than what it was before"):
        freshness.require([older], lambda: 0)


def test_says_offline_what_was_never_asked_for(fake: FakeArchive) -> None:
    with pytest.raises(MachineError, match="stable has never been asked for here") as refusal:
        releases([at(fake)], offline=True)
    assert "--offline" in refusal.value.hint


@pytest.mark.parametrize(("errors", "asked"), [([500], 2), ([503, 502], 3)])
def test_asks_again_after_a_passing_fault(fake: FakeArchive, errors: list[int], asked: int) -> None:
    path = "/debian/dists/stable/InRelease"
    fake.statuses[path] = errors
    releases([at(fake, "stable")], offline=False)
    assert fake.asked.count(path) == asked


@pytest.mark.parametrize(
    ("errors", "message"), [([500] * 9, "HTTP 500"), ([404] * 9, "HTTP 404 Not Found"), ([403] * 9, "HTTP 403")]
)
def test_names_an_archive_that_refuses(fake: FakeArchive, errors: list[int], message: str) -> None:
    fake.statuses["/debian/dists/stable/InRelease"] = errors
    with pytest.raises(MachineError, match=f"InRelease is out of reach: {message}") as refusal:
        releases([at(fake, "stable")], offline=False)
    assert "--mirror" in refusal.value.hint


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/debian", "http://no-such-host.invalid/debian"])
def test_names_an_archive_that_does_not_answer(url: str) -> None:
    with pytest.raises(MachineError, match="out of reach"):
        releases([Archive(url, ("stable",), ("main",), "")], offline=False)


def test_puts_the_mirror_in_place_of_the_recipes_archives(fake: FakeArchive) -> None:
    notes: list[str] = []
    fake.suite("stable-security", below="/debian-security")
    own = (
        Archive("http://own/debian", ("stable",), ("main",), "/k"),
        Archive("http://own/security", ("stable-security",), ("main",), "/k", sibling="-security"),
    )
    found = locate(own, f"{fake.url}/", notes.append, offline=False)
    assert [archive.url for archive in found] == [fake.url, f"{fake.url}-security"]
    assert not notes


def test_says_where_a_mirror_lacks_the_security_archive(fake: FakeArchive) -> None:
    notes: list[str] = []
    own = (Archive("http://own/security", ("stable-security",), ("main",), "/k", sibling="-security"),)
    assert locate(own, fake.url, notes.append, offline=False) == own
    assert notes == [f"there is no stable-security at {fake.url}-security: it comes from http://own/security"]


def test_chooses_offline_without_asking(fake: FakeArchive) -> None:
    other = Archive("http://own", ("stable",), ("main",), "/k")
    assert either(at(fake, "stable"), other, print, offline=True) == other
    releases([at(fake, "stable")], offline=False)
    asked = len(fake.asked)
    assert either(at(fake, "stable"), other, print, offline=True).url == fake.url
    assert len(fake.asked) == asked


needs_gpg = pytest.mark.skipif(not (shutil.which("gpg") and shutil.which("gpgv")), reason="gpg makes the keys")


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    made = Signer(tmp_path / "gnupg")
    yield made
    made.end()


def release_of(fake: FakeArchive, content: bytes) -> Release:
    fake.suite("stable", content)
    return releases([at(fake, "stable")], offline=False)[0]


@needs_gpg
def test_believes_a_release_file_that_the_keyring_signed(fake: FakeArchive, signer: Signer) -> None:
    signed = signer.sign(RELEASE.format(suite="stable").encode())
    verify(release_of(fake, signed), signer.keyring(), mirror=True)


@needs_gpg
@pytest.mark.parametrize(("mirror", "kind"), [(True, CallerError), (False, MachineError)])
def test_refuses_what_is_unsigned_altered_or_signed_by_another(
    fake: FakeArchive, signer: Signer, tmp_path: Path, mirror: bool, kind: type[KilnError]
) -> None:
    plain = RELEASE.format(suite="stable").encode()
    other = Signer(tmp_path / "other")
    cases = {
        "is not signed": plain,
        "does not hold": other.sign(plain),
        "signature of": signer.sign(plain).replace(b"Nobody", b"Sombody"),
    }
    other.end()
    for message, content in cases.items():
        with pytest.raises(kind, match=message) as refusal:
            verify(release_of(fake, content), signer.keyring(), mirror=mirror)
        assert "\n" not in refusal.value.what


def test_drops_a_kept_file_that_was_damaged(fake: FakeArchive, tmp_path: Path) -> None:
    (release,) = releases([at(fake, "stable")], offline=False)
    kept(release).write_bytes(b"bit rot")
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    with pytest.raises(MachineError, match="is damaged, and removed now"):
        verify(release, keyring, mirror=False)
    assert not kept(release).exists()


def test_says_which_keyring_is_missing(fake: FakeArchive, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"keyring .*none\.gpg is missing"):
        verify(releases([at(fake, "stable")], offline=False)[0], tmp_path / "none.gpg", mirror=False)
