"""A strict gate before Azurite: it refuses what the real service refuses and Azurite takes, and misbehaves when asked.

Rules: Azure Storage's REST reference (Put Page, Get Page Ranges, SAS) and what a managed disk's address allows.
"""

import asyncio
import base64
import hashlib
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import ClientError, ClientSession, TCPConnector, web

from publish.playground.azurite import Azurite
from publish.playground.certificates import Certificate
from publish.playground.serving import reset, serving

MOST = 4 << 20
"""Bytes that one Put Page may carry."""
DISK = "md-"
"""How accounts begin whose blobs are managed disks."""
DISK_MAY = {"GET": ("", "pagelist"), "HEAD": ("",), "PUT": ("page",)}
"""What may be done at a managed disk's address: methods, and their `comp`."""
HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "content-length", "server", "date"})
NAMES = {
    ("PUT", "page", "update"): "Put Page",
    ("PUT", "page", "clear"): "Clear Page",
    ("GET", "pagelist", ""): "Get Page Ranges",
    ("PUT", "metadata", ""): "Set Metadata",
    ("PUT", "properties", ""): "Set Properties",
    ("PUT", "lease", ""): "Lease",
    ("PUT", "", ""): "Put Blob",
    ("GET", "", ""): "Get Blob",
    ("HEAD", "", ""): "Head",
}
"""Operations by method, `comp` and x-ms-page-write."""


@dataclass(frozen=True)
class Exchange:
    """One request: its operation (a value of NAMES), path, bytes carried, and the status that it got."""

    operation: str
    path: str
    length: int
    status: int


@dataclass(frozen=True)
class Answer:
    """An answer in place of the service's: a status and a code, or status 0 for a connection that breaks; `after`
    says whether the service gets the request nevertheless. `delay` seconds pass before either."""

    status: int = 0
    code: str = ""
    after: bool = False
    delay: float = 0.0


Fault = Callable[[Exchange, int], Answer | None]
"""Decides by an operation, and by how many of its kind came before, whether something goes wrong."""


@dataclass
class Strict:
    """The gate: its address, what went through, and what goes wrong. `clock` says what time it is."""

    url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sent(self, part: str = "") -> int:
        """Bytes that Put Page carried to blobs with this in their path, and that were taken."""
        with self.lock:
            taken = [one for one in self.exchanges if one.operation == "Put Page" and one.status == 201]
        return sum(one.length for one in taken if part in one.path)

    def count(self, operation: str) -> int:
        """How many requests of an operation came."""
        with self.lock:
            return sum(one.operation == operation for one in self.exchanges)


@contextmanager
def running(azurite: Azurite, certificate: Certificate, port: int = 0) -> Iterator[Strict]:
    """The gate before an Azurite."""
    gate = Strict()
    sessions: list[ClientSession] = []

    @asynccontextmanager
    async def around() -> AsyncIterator[None]:
        context = ssl.create_default_context(cafile=str(certificate.authority))
        async with ClientSession(connector=TCPConnector(ssl=context, limit=64), auto_decompress=False) as session:
            sessions.append(session)
            yield

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle(request, gate, azurite, sessions[0])

    with serving(handle, certificate, around, port) as url:
        gate.url = url
        yield gate


async def _handle(request: web.Request, gate: Strict, azurite: Azurite, session: ClientSession) -> web.StreamResponse:
    body = await request.read()
    asked = Exchange(operation(request.method, request.query, request.headers), request.path, len(body), 0)
    answer = refusal(request.method, request.path, request.query, request.headers, body, gate.clock())
    if not answer:
        answer = _planned(gate, asked)
    if answer and answer.delay:
        await asyncio.sleep(answer.delay)
    if answer and not answer.after and (answer.status or not answer.delay):
        _note(gate, asked, answer.status)
        return _refuse(request, answer)
    try:
        response = await _forward(request, body, azurite, session)
    except ClientError:  # the service broke the connection: so does the gate
        _note(gate, asked, 0)
        return _refuse(request, Answer())
    _note(gate, asked, response.status)
    if answer and answer.after:
        return _refuse(request, answer)
    return response


def _planned(gate: Strict, asked: Exchange) -> Answer | None:
    """What is meant to go wrong with this one."""
    before = gate.count(asked.operation)
    return next((answer for fault in list(gate.faults) if (answer := fault(asked, before))), None)


def _note(gate: Strict, asked: Exchange, status: int) -> None:
    with gate.lock:
        gate.exchanges.append(Exchange(asked.operation, asked.path, asked.length, status))


def operation(method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """What a request asks for, by the names of the REST reference."""
    comp, write = query.get("comp", ""), headers.get("x-ms-page-write", "").lower()
    if "x-ms-copy-source" in headers:
        return "Copy Blob"
    return NAMES.get((method, comp, write if comp == "page" else ""), f"{method} {comp or query.get('restype', '')}")


def refusal(
    method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Answer | None:
    """What the real service would refuse, and Azurite takes."""
    if not ("sig" in query or "Authorization" in headers):
        return Answer(401, "NoAuthenticationInformation")
    if (end := query.get("se")) and datetime.fromisoformat(end.replace("Z", "+00:00")) <= now:
        return Answer(403, "AuthenticationFailed")
    name = operation(method, query, headers)
    if path.strip("/").startswith(DISK):
        if query.get("comp", "") not in DISK_MAY.get(method, ()) or name == "Clear Page":
            return Answer(403, "AuthorizationPermissionMismatch")
        if "x-ms-if-sequence-number-eq" in headers:
            return Answer(400, "UnsupportedHeader")
    if name == "Put Page" and len(body) > MOST:
        return Answer(413, "RequestBodyTooLarge")
    if (told := headers.get("Content-MD5")) and base64.b64encode(hashlib.md5(body).digest()).decode() != told:
        return Answer(400, "Md5Mismatch")
    return None


def _refuse(request: web.Request, answer: Answer) -> web.StreamResponse:
    if not answer.status:
        reset(request)
        return web.Response(status=500)
    text = f"<Error><Code>{answer.code}</Code><Message>{answer.code}</Message></Error>"
    return web.Response(
        status=answer.status, text=text, content_type="application/xml", headers={"x-ms-error-code": answer.code}
    )


async def _forward(request: web.Request, body: bytes, azurite: Azurite, session: ClientSession) -> web.StreamResponse:
    """Pass a request on as it is: its signature covers its headers, whatever they were."""
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
    if "x-ms-copy-source" in headers:
        headers["x-ms-copy-source"] = _behind(headers["x-ms-copy-source"], azurite)
    url = f"{azurite.url}{request.raw_path}"
    from yarl import URL

    async with session.request(
        request.method,
        URL(url, encoded=True),
        headers=headers,
        data=body or None,
        allow_redirects=False,
        skip_auto_headers=("Content-Type", "Accept", "Accept-Encoding", "User-Agent"),
    ) as answered:
        content = await answered.read()
        told = {name: value for name, value in answered.headers.items() if name.lower() not in HOP}
        if request.method == "HEAD":
            told["Content-Length"] = answered.headers.get("Content-Length", "0")
            return web.Response(status=answered.status, headers=told)
        return web.Response(status=answered.status, headers=told, body=content)


def _behind(url: str, azurite: Azurite) -> str:
    """A source that is named by the gate's address, as Azurite knows it."""
    return azurite.url + "/" + url.split("/", 3)[3]
