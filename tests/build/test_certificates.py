"""OpenPGP certificates: parted as gpg tells them, written as text that gpg reads."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.certificates import certificates
from build.keys import dearmored
from tests.build.archives import Signer


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    made = Signer(tmp_path_factory.mktemp("key") / "gnupg")
    made._gpg("--quick-gen-key", "--passphrase", "", "other@nowhere", "rsa3072", "sign", "never")
    yield made
    made.end()


def listed(signer: Signer) -> list[str]:
    rows = [line.split(":") for line in signer._gpg("--with-colons", "--list-keys").decode().splitlines()]
    return [row[9] for row in rows if row[0] == "fpr"]


def test_parts_a_bundle_and_knows_every_fingerprint(signer: Signer) -> None:
    bundle = signer.keyring().read_bytes()
    found = certificates(bundle)
    assert [one.fingerprint for one in found] == listed(signer)
    assert b"".join(one.content for one in found) == bundle


def test_writes_text_that_gpg_and_we_read(signer: Signer, tmp_path: Path) -> None:
    for one in certificates(signer.keyring().read_bytes()):
        assert dearmored(one.armored.encode()) == one.content
        done = subprocess.run(
            ["gpg", "--batch", "--show-keys", "--with-colons", "--homedir", tmp_path],
            input=one.armored.encode(),
            capture_output=True,
            check=True,
        )
        assert one.fingerprint in done.stdout.decode()


@pytest.mark.parametrize("content", [b"\x99\x01", b"\x99\xff\xff\x04", b"\x06\x01\x02", b"\xc6\xe1"])
def test_refuses_what_does_not_add_up(content: bytes) -> None:
    with pytest.raises(ValueError, match="packet"):
        certificates(content)


def test_finds_none_in_nothing() -> None:
    assert certificates(b"") == ()
