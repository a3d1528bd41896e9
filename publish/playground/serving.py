"""The one module that owns the playground's sockets: a handler behind TLS on loopback, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from publish.playground.certificates import Certificate

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LARGEST = 16 << 20
"""Bytes of a request's body."""
PARTING = 1.0
"""Seconds that what is under way has when the server stops."""


@dataclass
class _Server:
    handler: Handler
    certificate: Certificate
    port: int
    around: Callable[[], AbstractAsyncContextManager[None]]
    ready: threading.Event = field(default_factory=threading.Event)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    failure: BaseException | None = None

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self.serve())
        except OSError as refused:
            self.failure = refused
        finally:
            self.ready.set()
            self.loop.close()

    async def serve(self) -> None:
        application = web.Application(client_max_size=LARGEST)
        application.router.add_route("*", "/{path:.*}", self.handler)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=PARTING)
        async with self.around():
            await runner.setup()
            try:
                site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self.certificate.context())
                await site.start()
                self.port = runner.addresses[0][1]
                self.ready.set()
                await self.stop.wait()
            finally:
                await runner.cleanup()


@contextmanager
def serving(
    handler: Handler,
    certificate: Certificate,
    around: Callable[[], AbstractAsyncContextManager[None]],
    port: int = 0,
) -> Iterator[str]:
    """Serve on 127.0.0.1; the URL. `around` is entered in the server's own loop, before the first request."""
    server = _Server(handler, certificate, port, around)
    thread = threading.Thread(target=server.run, name="kiln-playground", daemon=True)
    thread.start()
    server.ready.wait()
    if server.failure:
        raise server.failure
    try:
        yield f"https://127.0.0.1:{server.port}"
    finally:
        server.loop.call_soon_threadsafe(server.stop.set)
        thread.join()


def reset(request: web.Request) -> None:
    """End the connection without a word, as a network does that breaks."""
    if request.transport is not None:
        found = request.transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        request.transport.abort()
