"""The throw-away authority: it is believed where it is known, for loopback alone, and can sign nothing more."""

import socket
import ssl
import threading
from pathlib import Path

import pytest

from publish.playground import certificates
from publish.playground.certificates import Certificate


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificates.make(tmp_path_factory.mktemp("certificate"))


def greet(made: Certificate, believed: Path | None, name: str) -> str:
    """The version of TLS that both agree on."""
    here, there = socket.socketpair()
    client = ssl.create_default_context(cafile=str(believed) if believed else None)

    def serve() -> None:
        try:
            with made.context().wrap_socket(there, server_side=True) as server:
                server.recv(1)
        except OSError:
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with here, client.wrap_socket(here, server_hostname=name) as greeted:
            return str(greeted.version())
    finally:
        thread.join()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_is_believed_by_whoever_knows_the_authority(name: str, made: Certificate) -> None:
    assert greet(made, made.authority, name).startswith("TLSv1")


@pytest.mark.parametrize(("name", "knows"), [("127.0.0.1", False), ("127.0.0.2", True), ("management.azure.com", True)])
def test_is_believed_by_nobody_else_and_for_nothing_else(name: str, knows: bool, made: Certificate) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(made, made.authority if knows else None, name)


def test_keeps_no_key_but_the_server_s(made: Certificate) -> None:
    texts = {path.name: path.read_text() for path in made.key.parent.iterdir()}
    assert [name for name, text in texts.items() if "PRIVATE KEY" in text] == ["server.key"]
    assert made.key.stat().st_mode & 0o777 == 0o600
