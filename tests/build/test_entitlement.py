"""Subscribers' certificates: found in their folder, refused where something is missing, and known by a server."""

import ssl
from pathlib import Path

import pytest

from build import entitlement, fetch
from build.errors import CallerError, MachineError
from tests.standin import subscription
from tests.standin.serve import served


def test_finds_the_newest_pair_and_the_authority(tmp_path: Path) -> None:
    for name in ("100.pem", "100-key.pem", "200.pem", "200-key.pem", "300-key.pem", entitlement.AUTHORITY):
        (tmp_path / name).touch()
    found = entitlement.find(tmp_path)
    assert (found.certificate.name, found.key.name) == ("200.pem", "200-key.pem")
    assert found.authority == tmp_path / entitlement.AUTHORITY


@pytest.mark.parametrize(
    ("names", "message"),
    [((), "holds no NUMBER"), (("1-key.pem",), "holds no NUMBER"), (("1.pem", "1-key.pem"), "there is no redhat")],
)
def test_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], message: str
) -> None:
    monkeypatch.setattr(entitlement, "AUTHORITY_HERE", tmp_path / "nowhere")
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(CallerError, match=message) as refusal:
        entitlement.find(tmp_path)
    assert "--entitlement DIR" in refusal.value.hint


def test_refuses_files_that_are_no_certificates(tmp_path: Path) -> None:
    for name in ("1.pem", "1-key.pem", entitlement.AUTHORITY):
        (tmp_path / name).write_text("rubbish")
    with pytest.raises(CallerError, match="cannot be used"):
        entitlement.context(tmp_path)


def test_shows_the_certificate_to_a_server_that_asks_for_it(tmp_path: Path) -> None:
    made = subscription.make(tmp_path)
    (tmp_path / "served").mkdir()
    (tmp_path / "served/repomd.xml").write_bytes(b"for subscribers")
    with served(tmp_path / "served", context=made.context()) as here:
        url = f"{here.url}/repomd.xml"
        assert fetch.small(url, context=entitlement.context(made.entitlement), tries=1) == b"for subscribers"
        stranger = ssl.create_default_context(cafile=made.entitlement / entitlement.AUTHORITY)
        with pytest.raises(MachineError):
            fetch.small(url, context=stranger, tries=1)
    assert here.asked == ["/repomd.xml"]
