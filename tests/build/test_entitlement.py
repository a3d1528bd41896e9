"""Subscribers' certificates: found in their folder, refused where something is missing, and known by a server."""

import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from build import entitlement, fetch
from build.errors import CallerError


def certificate(folder: Path, name: str, *, alternative: str = "DNS:localhost") -> tuple[Path, Path]:
    """A self-signed certificate and its key, as NAME.pem and NAME-key.pem."""
    made, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}", "-days", "1"]
    subprocess.run([*words, "-out", made, "-keyout", key], check=True, capture_output=True)
    return made, key


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
    client, _ = certificate(tmp_path, "1")
    server_folder = tmp_path / "server"
    server_folder.mkdir()
    chain = certificate(server_folder, "server")
    (tmp_path / entitlement.AUTHORITY).write_bytes(chain[0].read_bytes())
    asks = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asks.load_cert_chain(*chain)
    asks.verify_mode = ssl.CERT_REQUIRED
    asks.load_verify_locations(client)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"for subscribers")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = asks.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            url = f"https://localhost:{server.server_port}/repodata/repomd.xml"
            assert fetch.small(url, context=entitlement.context(tmp_path), tries=1) == b"for subscribers"
        finally:
            server.shutdown()
            thread.join()
