"""Azurite as it is installed and run here: on loopback, with accounts of its own, and gone afterwards."""

import socket
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import ContainerClient

from build.errors import MachineError
from publish.playground import azurite, certificates
from publish.playground.azurite import Azurite
from publish.playground.certificates import Certificate


def container(one: Azurite, certificate: Certificate, key: str | None = None) -> ContainerClient:
    verify = str(certificate.authority)
    options = {"connection_verify": verify, "retry_total": 0}
    return ContainerClient(f"{one.url}/here", "kept", key or one.keys["here"], **options)


@pytest.mark.real
def test_keeps_what_lies_there_for_its_own_keys(tmp_path: Path) -> None:
    certificate = certificates.make(tmp_path / "certificate")
    with azurite.running(tmp_path / "blobs", ["here"], certificate) as one, container(one, certificate) as client:
        client.create_container()
        client.upload_blob("x", b"content")
    with socket.socket() as gone:
        assert gone.connect_ex(("127.0.0.1", one.port))
    with azurite.running(tmp_path / "blobs", ["here"], certificate, one.keys) as again:
        with container(again, certificate) as client:
            assert client.download_blob("x").readall() == b"content"
        with container(again, certificate, "bm9ib2R5") as nobody, pytest.raises(ClientAuthenticationError):
            nobody.get_container_properties()


@pytest.mark.real
def test_listens_on_loopback_alone(tmp_path: Path) -> None:
    certificate = certificates.make(tmp_path / "certificate")
    with azurite.running(tmp_path / "blobs", ["here"], certificate) as one:
        listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line]
        assert [place for place in listening if place.endswith(f":{one.port:04X}")] == [f"0100007F:{one.port:04X}"]
        assert not [line for line in Path("/proc/net/tcp6").read_text().splitlines() if f":{one.port:04X} " in line]


@pytest.mark.real
def test_says_why_it_does_not_start(tmp_path: Path) -> None:
    certificate = certificates.make(tmp_path / "certificate")
    certificate.key.write_text("no key")
    with pytest.raises(MachineError, match="Azurite did not start"), azurite.running(tmp_path, ["x"], certificate):
        raise AssertionError


def test_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match="node is missing"):
        azurite.installed()
