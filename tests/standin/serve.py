"""A web server on loopback that offers a folder, for stand-ins and their tests."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Served:
    """Where a folder is offered (no slash at the end), and which paths were asked for so far."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def served(folder: Path, port: int = 0, context: ssl.SSLContext | None = None, at: str = "") -> Iterator[Served]:
    """Offer the folder on 127.0.0.1 while the block runs, at the path `at` ("/name"; "" is the root).

    Port 0: any that is free. With a `context`, by TLS.
    """
    here = Served("")

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # package managers ask hundreds of times: one connection does

        def do_GET(self) -> None:
            here.asked.append(self.path)
            super().do_GET()

        def translate_path(self, path: str) -> str:
            return super().translate_path(path.removeprefix(at) if path.startswith(f"{at}/") else "/no-such-place")

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing: whoever wants to know looks at `asked`."""

    with ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder))) as server:
        server.daemon_threads = True  # a client's idle connection must not hold up the end
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        here.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield here
        finally:
            server.shutdown()
            thread.join()
