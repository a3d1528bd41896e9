"""The attested document, opened by openssl as Azure's documentation tells it."""

import base64
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from harness.azure.attested import Signer, attested, make_signer
from tests.harness.azure.machines import GENERALIZED

NOW = datetime(2026, 11, 22, 21, 54, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def signer() -> Signer:
    return make_signer()


def opened(answer: dict[str, str], signer: Signer, folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    (folder / "signature").write_bytes(base64.b64decode(answer["signature"]))
    (folder / "authority.pem").write_bytes(signer.authority.public_bytes(Encoding.PEM))
    trusted = ("-CAfile", str(folder / "authority.pem"), "-purpose", "any")
    words = ("openssl", "cms", "-verify", "-inform", "DER", "-in", str(folder / "signature"), *trusted, *more)
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_is_signed_content_about_the_vm(signer: Signer, tmp_path: Path) -> None:
    answer = attested(GENERALIZED, signer, "1234567890", NOW)
    done = opened(answer, signer, tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert answer["encoding"] == "pkcs7"
    assert (told["nonce"], told["vmId"]) == ("1234567890", str(GENERALIZED.vm_id))
    assert told["timeStamp"] == {"createdOn": "11/22/26 21:54:07 -0000", "expiresOn": "11/23/26 03:54:07 -0000"}


def test_has_the_time_in_place_of_a_nonce(signer: Signer, tmp_path: Path) -> None:
    done = opened(attested(GENERALIZED, signer, "", NOW), signer, tmp_path)
    assert json.loads(done.stdout)["nonce"] == "11/22/26 21:54:07 -0000"


def test_is_signed_in_the_name_of_the_metadata_service(signer: Signer, tmp_path: Path) -> None:
    answer = attested(GENERALIZED, signer, "1", NOW)
    done = opened(answer, signer, tmp_path, "-signer", str(tmp_path / "signer.pem"))
    assert done.returncode == 0, done.stderr
    words = ("openssl", "x509", "-in", str(tmp_path / "signer.pem"), "-noout", "-ext", "subjectAltName")
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "DNS:metadata.azure.com" in told


def test_is_trusted_by_nobody_who_does_not_know_its_authority(signer: Signer, tmp_path: Path) -> None:
    answer = attested(GENERALIZED, signer, "1", NOW)
    assert opened(answer, make_signer(), tmp_path).returncode != 0
