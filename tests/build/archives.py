"""A tiny archive on loopback that serves whatever release files a test gives it, and a key to sign them with."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RELEASE = """\
Origin: Nobody
Suite: {suite}
Date: Sat, 21 Nov 2026 02:10:46 UTC
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 main/binary-amd64/Packages
"""
DATE = 1795227046


@dataclass
class FakeArchive:
    """What it serves by path, and which paths were asked for; `statuses` answers a path with errors first."""

    files: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def suite(self, name: str, content: bytes | None = None, below: str = "/debian") -> None:
        """Serve a suite's release file, by default an unsigned one."""
        self.files[f"{below}/dists/{name}/InRelease"] = content or RELEASE.format(suite=name).encode()


@contextmanager
def served(archive: FakeArchive) -> Iterator[FakeArchive]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            archive.asked.append(self.path)
            errors = archive.statuses.get(self.path, [])
            content = archive.files.get(self.path)
            self.send_response(errors.pop(0) if errors else 200 if content is not None else 404)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        archive.url = f"http://127.0.0.1:{server.server_port}/debian"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield archive
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Signer:
    """A throw-away key."""

    home: Path

    def __post_init__(self) -> None:
        self.home.mkdir(mode=0o700)
        self._gpg("--quick-gen-key", "--passphrase", "", "somebody@nowhere", "ed25519", "sign", "never")

    def keyring(self) -> Path:
        """The public key in the form that gpgv and apt read."""
        path = self.home / "keyring.gpg"
        path.write_bytes(self._gpg("--export"))
        return path

    def sign(self, content: bytes) -> bytes:
        return self._gpg("--clear-sign", content=content)

    def end(self) -> None:
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False)

    def _gpg(self, *words: str, content: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", self.home, "--batch", "--quiet", "--pinentry-mode", "loopback", *words]
        return subprocess.run(command, input=content, capture_output=True, check=True).stdout
