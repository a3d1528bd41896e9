"""A registration server as SUSE's Customer Center is one, over loopback, and one subscriber whom it knows."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USERNAME, PASSWORD, TOKEN = "SCC_0123456789abcdef", "correct-horse-battery", "very-secret-token-of-a-subscriber"
SECRETS = (USERNAME, PASSWORD, TOKEN)


@dataclass
class Centre:
    """A registration server over loopback. `products` are the paths that the registration has; what is not `served` by
    its path is looked for below `root`."""

    products: list[str]
    url: str = ""
    served: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    root: Path | None = None

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        """Status and body."""
        self.asked.append(path)
        place, _, query = path.partition("?")
        own = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        if place.startswith(("/connect/", "/access/")):
            if authorization != f"Basic {own}":
                return 401, b""
            if place == "/connect/systems/activations":
                services = [{"service": {"url": f"{self.url}/access/services/7?credentials=SLES"}}] * 2
                return 200, json.dumps(services).encode()
            found = "".join(f'<repo url="{self.url}{one}/?{TOKEN}" alias="x"/>' for one in self.products)
            return 200, f"<repoindex>{found}</repoindex>".encode()
        if authorization or query != TOKEN:
            return 403, b""
        if self.root and (file := self.root / place.lstrip("/")).is_file():
            return 200, file.read_bytes()
        return (200, self.served[place]) if place in self.served else (404, b"")


@contextmanager
def centre(*products: str, root: Path | None = None) -> Iterator[Centre]:
    """The server, while the block runs."""
    made = Centre(list(products), root=root)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(self.do_HEAD())

        def do_HEAD(self) -> bytes:
            """zypper asks whether a file is there before it fetches it."""
            status, body = made.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            return body

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def credentials(folder: Path, url: str = "", password: str = PASSWORD) -> str:
    """A file as SUSEConnect writes it, in this folder."""
    file = folder / "SCCcredentials"
    file.write_text(
        f"# of a registered machine\nusername={USERNAME}\npassword={password}\n" + (f"url={url}\n" if url else "")
    )
    return str(file)
