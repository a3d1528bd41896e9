"""Fetching from the network: small files whole, large ones into the cache, resumed where an earlier try broke off.

Only HTTP and HTTPS: an address that came from elsewhere must not read this machine's files. A large file gets its
place in the cache by its digest (by its address where nobody knows the digest), and gets it at once and whole.
"""

import hashlib
import http.client
import ipaddress
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

from build import cache
from build.errors import CallerError, MachineError

TRIES = 3
"""Tries of one address without a new byte, after which the next mirror has its turn."""
TIMEOUT = 20.0
"""Seconds without an answer or a new byte."""
CHUNK = 1 << 20
LARGEST_SMALL = 16 << 20
LARGEST = 64 << 30
"""Bytes after which a server that sends on and on is cut off."""
GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
WAYS_ON = (
    "ways on: a mirror (--mirror URL), a proxy (--proxy URL), an image to start from (--base FILE), or what the "
    "cache holds (--offline)"
)
SCHEMES = ("http", "https")


class Absent(MachineError):
    """A server answers that it does not have the file."""


class Altered(MachineError):
    """What came is not what was meant: its digest is another."""


@dataclass(frozen=True)
class Digest:
    """What a file's content comes to: the algorithm as hashlib calls it, and the value in hexadecimal."""

    algorithm: str
    value: str

    def of(self, file: Path) -> bool:
        """Whether the file has this digest."""
        with file.open("rb") as content:
            return hashlib.file_digest(content, self.algorithm).hexdigest() == self.value


class _Refused(Exception):
    """One address is of no use: it said so (`final`), or did not answer. `status` is HTTP's, 0 where there is none."""

    def __init__(self, reason: str, *, final: bool = False, status: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.final, self.status = reason, final, status


def small(
    url: str,
    tries: int = TRIES,
    context: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Fetch a small file; a passing fault is tried again, a refusal is final.

    `context` holds the certificate by which this machine shows who it is, where an archive wants one; `headers` go to
    that very server alone, and to none that it leads to.
    Raises Absent where the archive does not have it, else MachineError where it is out of reach.
    """
    require_remote(url)
    for attempt in range(tries):
        try:
            request = urllib.request.Request(url)
            for name, value in (headers or {}).items():
                request.add_unredirected_header(name, value)
            with _asked(request, context) as answer:
                return bytes(_read(answer, LARGEST_SMALL))
        except _Refused as refusal:
            if refusal.final or attempt + 1 == tries:
                raise _out_of_reach([(url, refusal)]) from None
        time.sleep(2**attempt)
    raise AssertionError("tries is at least one")


def large(
    urls: Sequence[str],
    digest: Digest | None = None,
    *,
    offline: bool = False,
    waiting: Callable[[str], None] = lambda text: None,
    context: ssl.SSLContext | None = None,
) -> Path:
    """Fetch a large file into the cache, from the first of the addresses that gives it; returns where it lies.

    `waiting` is told how far it is. What is there already is checked by its digest and not asked for again; without a
    digest the server is asked each time whether it is still the same.
    Raises CallerError for an address that is not HTTP, Absent where nobody has it, Altered where what came has another
    digest, MachineError where all are out of reach, or where it is not there and `offline` forbids to ask.
    """
    for url in urls:
        require_remote(url)
    target = kept(urls[0], digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    with cache.locked(f"download-{target.name}", waiting=waiting):
        if target.is_file() and (offline or digest):
            if digest is None or digest.of(target):
                return target
            target.unlink()
        if offline:
            raise MachineError(f"the cache does not hold {urls[0]}", "build once without --offline")
        _Download(target, digest, waiting, context).run(urls)
    return target


def kept(url: str, digest: Digest | None) -> Path:
    """Where a large file lies in the cache, there or not."""
    name = f"{digest.algorithm}-{digest.value}" if digest else f"url-{_name(url)}"
    return cache.folder() / "downloads" / name


def with_path(url: str, path: str) -> str:
    """The address of a file below another address, whose query stays at the end: subscribers' archives know by it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def is_safe(url: str) -> bool:
    """Whether what this URL gives comes from whom it says: by TLS, or from this machine itself."""
    parts = urlsplit(url)
    if parts.scheme in ("https", "file"):
        return True
    host = parts.hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_remote(url: str) -> None:
    """Raise CallerError for an address that is not a server's."""
    if urlsplit(url).scheme not in SCHEMES or not urlsplit(url).hostname:
        raise CallerError(f"{url!r} is no address of a server", "give a URL that begins with https:// or http://")


@dataclass(frozen=True)
class _Download:
    """One large file on its way. Beside what came so far lies whose bytes these are: `source`."""

    target: Path
    digest: Digest | None
    waiting: Callable[[str], None]
    context: ssl.SSLContext | None

    @property
    def partial(self) -> Path:
        return self.target.with_name(f"{self.target.name}.partial")

    @property
    def source(self) -> Path:
        return self.target.with_name(f"{self.target.name}.source")

    def run(self, urls: Sequence[str]) -> None:
        refusals: list[tuple[str, _Refused]] = []
        altered: list[str] = []
        for url in urls:
            try:
                self._from(url)
            except _Refused as refusal:
                refusals.append((url, refusal))
                continue
            if self.digest is None or self.digest.of(self.partial):
                self.partial.rename(self.target)
                self.source.unlink(missing_ok=True)
                return
            altered.append(url)
            self._forget()
        if altered:
            raise Altered(
                f"{' and '.join(altered)} does not have the digest that was announced",
                "the file was altered on the way, or is being renewed: try again, or another --mirror",
            )
        raise _out_of_reach(refusals)

    def _from(self, url: str) -> None:
        """All that is missing, from one address; a try that brought something does not count."""
        idle = 0
        while True:
            before = self._length()
            try:
                return self._once(url)
            except _Refused as refusal:
                if refusal.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and self._length():
                    self._forget()  # all of it was here, or it is another file by now
                    continue
                if refusal.final:
                    raise
                idle = 1 if self._length() > before else idle + 1
                if idle >= TRIES:
                    raise
            time.sleep(2 ** (idle - 1))

    def _once(self, url: str) -> None:
        with _asked(self._request(url), self.context) as answer:
            begin = self._length() if answer.status == HTTPStatus.PARTIAL_CONTENT else 0
            validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            if answer.status == HTTPStatus.PARTIAL_CONTENT and not _begins_at(answer, begin):
                self._forget()
                raise _Refused("it sent another part than was asked for")
            self.source.write_text(json.dumps({"url": _name(url), "validator": validator}))
            with self.partial.open("ab" if begin else "wb") as file:
                self._receive(answer, file, begin)

    def _request(self, url: str) -> urllib.request.Request:
        """Only what is missing, on the condition that the file is still the one whose beginning is here."""
        request = urllib.request.Request(url)
        come = self._length()
        if not come:
            return request
        told = self._told()
        same, validator = told.get("url") == _name(url), str(told.get("validator", ""))
        if same and validator and not validator.startswith("W/"):
            request.add_header("If-Range", validator)
        elif self.digest is None:
            self._forget()
            return request
        request.add_header("Range", f"bytes={come}-")
        return request

    def _receive(self, answer: http.client.HTTPResponse, file: IO[bytes], begin: int) -> None:
        left = answer.headers.get("Content-Length")
        whole = begin + int(left) if left and left.isdecimal() else None
        come = begin
        while block := _some(answer):
            file.write(block)
            come += len(block)
            if come > LARGEST:
                raise _Refused(f"it sends more than {LARGEST >> 30} GiB", final=True)
            self.waiting(_how_far(come, whole))
        file.flush()
        os.fsync(file.fileno())
        if whole is not None and come < whole:
            raise _Refused(f"it broke off after {come} of {whole} bytes")

    def _length(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _told(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            told = json.loads(self.source.read_text())
            return told if isinstance(told, dict) else {}
        return {}

    def _forget(self) -> None:
        for path in (self.partial, self.source):
            path.unlink(missing_ok=True)


def _name(url: str) -> str:
    """What an address is known by in the cache, which must not repeat a subscriber's token."""
    return hashlib.sha256(url.encode()).hexdigest()


class _SameSafety(urllib.request.HTTPRedirectHandler):
    """Follows to another server, and never from TLS to what anybody on the way can change."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in SCHEMES or (req.type == "https" and scheme != "https"):
            raise _Refused(f"it leads to {newurl}", final=True)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _asked(request: urllib.request.Request, context: ssl.SSLContext | None) -> http.client.HTTPResponse:
    """The answer. Raises _Refused."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _SameSafety(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "kiln"), ("Accept-Encoding", "identity")]
    try:
        answer = opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as refusal:
        final = refusal.code < HTTPStatus.INTERNAL_SERVER_ERROR and refusal.code != HTTPStatus.TOO_MANY_REQUESTS
        raise _Refused(f"HTTP {refusal.code} {refusal.reason}", final=final, status=refusal.code) from None
    except (OSError, http.client.HTTPException) as fault:
        raise _Refused(_words(fault)) from None
    assert isinstance(answer, http.client.HTTPResponse)
    return answer


def _some(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read1(CHUNK)
    except (OSError, http.client.HTTPException) as fault:
        raise _Refused(_words(fault)) from None


def _read(answer: http.client.HTTPResponse, most: int) -> bytes:
    try:
        return answer.read(most)
    except (OSError, http.client.HTTPException) as fault:
        raise _Refused(_words(fault)) from None


def _begins_at(answer: http.client.HTTPResponse, begin: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {begin}-")


def _words(fault: Exception) -> str:
    return str(getattr(fault, "reason", fault) or type(fault).__name__)


def _how_far(come: int, whole: int | None) -> str:
    return f"{come >> 20} MiB" if whole is None else f"{come >> 20} of {whole >> 20} MiB"


def _out_of_reach(refusals: Sequence[tuple[str, _Refused]]) -> MachineError:
    kind = Absent if all(refusal.status in GONE for _, refusal in refusals) else MachineError
    return kind("; ".join(f"{url} is out of reach: {refusal.reason}" for url, refusal in refusals), WAYS_ON)
