"""The one module that owns HTTP sockets: it puts services, which are plain functions, behind addresses.

Every exchange goes into the journal. A service that breaks becomes status 500 and an entry, never silence.
"""

import asyncio
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from build.errors import MachineError
from harness.azure.http import App, Ending, Request, Response
from harness.azure.journal import Journal

BODY_LIMIT: Final = 64 * 2**20
"""Bytes of a request's body; an agent's archive of logs is the largest."""
WORKERS: Final = 32
"""Requests answered at once: a service may be made to dawdle, and must not hold up the others."""
GATE_PACE: Final = 0.05
"""Seconds between two looks at a gate."""
PARTING: Final = 1.0
"""Seconds that exchanges under way have when the server stops."""


class Binding(NamedTuple):
    """A service and where it listens; `source` is its name in the journal. Port 0 lets the system choose.

    One with a `gate` refuses connections until that is set, if it ever is.
    """

    address: str
    port: int
    app: App
    source: str = "http"
    gate: threading.Event | None = None


JournalOf = Callable[[str], Journal]
"""The journal of whoever has an address."""


@dataclass
class _Server:
    """A loop in a thread of its own, which inherits its creator's network namespace."""

    bindings: Sequence[Binding]
    journal: Journal
    journal_of: JournalOf
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    ports: list[int] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    failure: OSError | None = None

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        workers = ThreadPoolExecutor(WORKERS)
        self.loop.set_default_executor(workers)
        try:
            self.loop.run_until_complete(self.serve())
        finally:
            workers.shutdown(wait=False, cancel_futures=True)
            self.loop.close()

    async def serve(self) -> None:
        async with AsyncExitStack() as stack:
            try:
                for binding in self.bindings:
                    self.ports.append(await _listen(stack, binding, self.journal, self.journal_of))
            except OSError as refused:
                self.failure = refused
                return
            finally:
                self.ready.set()
            await self.stop.wait()


@contextmanager
def serve(
    bindings: Sequence[Binding], journal: Journal, journal_of: JournalOf | None = None
) -> Iterator[tuple[int, ...]]:
    """Serve until the block is left; yields the ports in the order of the bindings. `journal_of` says where it is kept
    what comes from an address, if not all of it is in the one journal.

    Raises MachineError where an address or port cannot be had.
    """
    server = _Server(bindings, journal, journal_of or (lambda client: journal))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    server.ready.wait()
    try:
        if server.failure:
            hint = "something else listens there, or the address is not in this network namespace"
            raise MachineError(f"the pretend host cannot listen: {server.failure}", hint)
        yield tuple(server.ports)
    finally:
        if not server.loop.is_closed():
            server.loop.call_soon_threadsafe(server.stop.set)
        thread.join()


async def _listen(stack: AsyncExitStack, binding: Binding, journal: Journal, journal_of: JournalOf) -> int:
    """One binding's listener; the port that it got."""

    async def handle(raw: web.BaseRequest) -> web.Response:
        return await _exchange(raw, binding, journal_of(raw.remote or ""))

    class Malformed(AbstractAccessLogger):
        """aiohttp answers what is not HTTP before our handler sees it: this is where such requests show up."""

        def log(self, request: web.BaseRequest, response: web.StreamResponse, seconds: float) -> None:
            if request.method == "UNKNOWN":
                own = journal_of(request.remote or "")
                own.add(binding.source, "malformed", status=response.status, client=request.remote)

    runner = web.ServerRunner(web.Server(handle, access_log_class=Malformed), shutdown_timeout=PARTING)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, binding.address, binding.port)
    if binding.gate:
        opening = asyncio.create_task(_open_later(site, binding, binding.gate, journal))
        stack.callback(opening.cancel)
        return binding.port
    await site.start()
    return int(runner.addresses[-1][1])


async def _open_later(site: web.TCPSite, binding: Binding, gate: threading.Event, journal: Journal) -> None:
    """Listen once the gate is set; the address may be missing until then."""
    while not gate.is_set():
        await asyncio.sleep(GATE_PACE)
    try:
        await site.start()
        journal.add(binding.source, "opened")
    except OSError as refused:
        journal.add(binding.source, "crash", error=str(refused))


async def _exchange(raw: web.BaseRequest, binding: Binding, journal: Journal) -> web.Response:
    began = time.monotonic()
    response = await _respond(raw, binding, journal)
    journal.add(
        binding.source,
        "exchange",
        method=raw.method,
        path=raw.raw_path,
        status=response.status,
        agent=raw.headers.get("User-Agent", ""),
        client=raw.remote,
        seconds=round(time.monotonic() - began, 3),
    )
    headers = {"Server": "Microsoft-IIS/10.0", **response.headers}
    if response.ending is not Ending.WHOLE:
        _break_off(raw, response)
    return web.Response(status=response.status, body=response.body, headers=headers)


def _break_off(raw: web.BaseRequest, response: Response) -> None:
    """End the exchange before its end: after half the body, or by a reset before its first byte."""
    if (transport := raw.transport) is None:
        return
    if response.ending is Ending.TRUNCATED:
        head = f"HTTP/1.1 {response.status} OK\r\nContent-Length: {len(response.body)}\r\n\r\n".encode()
        transport.write(head + response.body[: len(response.body) // 2])
        transport.close()
        return
    line: socket.socket = transport.get_extra_info("socket")
    # No time to linger: closing then resets the connection (socket(7)).
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _respond(raw: web.BaseRequest, binding: Binding, journal: Journal) -> Response:
    try:
        request = await _read(raw)
        response = await asyncio.get_running_loop().run_in_executor(None, binding.app, request)
        await asyncio.sleep(response.after)
        return response
    except _TooLarge:
        return Response(413, b"Request entity too large", {"Connection": "close"})
    except Exception as broken:  # one broken service must not take the host down, nor fail in silence
        journal.add(binding.source, "crash", path=raw.raw_path, error=repr(broken), trace=traceback.format_exc())
        return Response(500)


class _TooLarge(Exception):
    """A body passed the limit."""


async def _read(raw: web.BaseRequest) -> Request:
    if raw.headers.get("Expect", "").lower() == "100-continue":
        await raw.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw.writer.output_size = 0
    body = bytearray()
    async for piece in raw.content.iter_any():
        body += piece
        if len(body) > BODY_LIMIT:
            raise _TooLarge
    # A repeated header counts as one with a comma (RFC 9110 section 5.3).
    headers = {name: ", ".join(raw.headers.getall(name)) for name in raw.headers}
    return Request.to(raw.method, raw.raw_path, headers, bytes(body), raw.remote or "")
