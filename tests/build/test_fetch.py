"""Fetching: tried again, resumed, taken from the next mirror, and believed by its digest alone."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import build.fetch
from build.errors import CallerError, MachineError
from build.fetch import Absent, Altered, Digest, kept, large, small

CONTENT = bytes(range(256)) * 20_000
DIGEST = Digest("sha256", hashlib.sha256(CONTENT).hexdigest())


@dataclass
class Server:
    """What it serves at every path. `cuts` are lengths after which an answer breaks off, `errors` statuses, each once;
    one that `dies` answers nothing but errors after its first answer.

    `asked` holds the Range that each request asked for, "" for all.
    """

    content: bytes = CONTENT
    etag: str = '"one"'
    cuts: list[int] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)
    dies: bool = False
    redirect: str = ""
    ranges: bool = True
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range", "")
        dead = self.dies and bool(self.asked)
        self.asked.append(wanted)
        if self.errors or dead:
            handler.send_response(self.errors.pop(0) if self.errors else 503)
            handler.end_headers()
            return
        if self.redirect:
            handler.send_response(302)
            handler.send_header("Location", self.redirect)
            handler.end_headers()
            return
        begin = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
        if not self.ranges or handler.headers.get("If-Range", self.etag) != self.etag:
            begin = 0
        if begin and begin >= len(self.content):
            handler.send_response(416)
            handler.end_headers()
            return
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}")
        handler.send_header("ETag", self.etag)
        handler.send_header("Content-Length", str(len(self.content) - begin))
        handler.end_headers()
        end = begin + self.cuts.pop(0) if self.cuts else len(self.content)
        handler.wfile.write(self.content[begin:end])


@contextmanager
def served(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as there:
        server.url = f"http://127.0.0.1:{there.server_port}/file"
        thread = threading.Thread(target=there.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            there.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def naps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A cache of its own; waiting takes no time, and is told."""
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    slept: list[float] = []
    monkeypatch.setattr(build.fetch.time, "sleep", slept.append)
    return slept


@pytest.fixture
def server() -> Iterator[Server]:
    with served(Server()) as one:
        yield one


def test_puts_a_file_at_its_digest_and_asks_for_it_once(server: Server) -> None:
    first = large([server.url], DIGEST)
    assert first == kept(server.url, DIGEST)
    assert large([server.url], DIGEST).read_bytes() == CONTENT
    assert server.asked == [""]
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_resumes_where_the_server_broke_off(server: Server) -> None:
    server.cuts = [100_000, 50_000]
    assert large([server.url], DIGEST).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=100000-", "bytes=150000-"]


def test_resumes_what_an_earlier_call_left(server: Server) -> None:
    server.cuts, server.dies = [100_000], True
    with pytest.raises(MachineError):
        large([server.url], DIGEST)
    server.dies = False
    assert large([server.url], DIGEST).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=100000-"


def test_begins_anew_where_the_file_became_another(server: Server) -> None:
    server.cuts = [100_000]
    whole = Server.answer

    def renewed(handler: BaseHTTPRequestHandler) -> None:
        whole(server, handler)
        server.etag, server.content = '"two"', CONTENT[::-1]

    server.answer = renewed  # type: ignore[method-assign]
    assert large([server.url]).read_bytes() == CONTENT[::-1]


def test_begins_anew_where_the_server_knows_no_ranges(server: Server) -> None:
    server.cuts, server.ranges = [100_000], False
    assert large([server.url], DIGEST).read_bytes() == CONTENT


def test_takes_what_was_whole_already_as_it_is_or_anew(server: Server) -> None:
    target = kept(server.url, DIGEST)
    target.parent.mkdir(parents=True)
    target.with_name(f"{target.name}.partial").write_bytes(CONTENT)
    assert large([server.url], DIGEST).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-", ""]


def test_waits_longer_before_each_further_try(server: Server, naps: list[float]) -> None:
    server.errors = [503, 503]
    assert large([server.url], DIGEST).read_bytes() == CONTENT
    assert naps == [1, 2]


def test_goes_on_with_the_next_mirror(server: Server) -> None:
    with served(Server(errors=[404])) as lacking:
        assert large([lacking.url, server.url], DIGEST).read_bytes() == CONTENT
        assert lacking.asked == [""]


def test_goes_on_at_the_next_mirror_where_one_died_on_the_way(server: Server) -> None:
    with served(Server(cuts=[70_000], dies=True)) as dying:
        assert large([dying.url, server.url], DIGEST).read_bytes() == CONTENT
    assert server.asked == ["bytes=70000-"]


def test_refuses_what_has_another_digest_and_keeps_none_of_it(server: Server) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(Altered, match="does not have the digest"):
        large([server.url], DIGEST)
    assert not list(kept(server.url, DIGEST).parent.iterdir())


def test_takes_the_right_file_from_a_mirror_behind_an_altered_one(server: Server) -> None:
    with served(Server(content=CONTENT[::-1])) as altered:
        assert large([altered.url, server.url], DIGEST).read_bytes() == CONTENT


def test_fetches_again_what_was_damaged_in_the_cache(server: Server) -> None:
    large([server.url], DIGEST).write_bytes(b"damaged")
    assert large([server.url], DIGEST).read_bytes() == CONTENT


def test_names_every_way_on_where_nobody_answers(server: Server) -> None:
    server.errors = [503] * build.fetch.TRIES
    with pytest.raises(MachineError, match="503") as refusal:
        large([server.url], DIGEST)
    assert refusal.value.status == 3
    assert all(way in refusal.value.hint for way in ("--mirror", "--proxy", "--base", "--offline"))


def test_says_that_nobody_has_it(server: Server) -> None:
    server.errors = [404, 404]
    with pytest.raises(Absent):
        large([server.url], DIGEST)
    with pytest.raises(Absent):
        small(server.url)


def test_asks_nobody_offline(server: Server) -> None:
    with pytest.raises(MachineError, match="cache"):
        large([server.url], DIGEST, offline=True)
    large([server.url], DIGEST)
    assert large([server.url], DIGEST, offline=True).read_bytes() == CONTENT
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.invalid/file", "/etc/passwd", "http:///file"])
def test_reads_nothing_of_this_machine(url: str) -> None:
    with pytest.raises(CallerError, match="address of a server"):
        large([url])
    with pytest.raises(CallerError, match="address of a server"):
        small(url)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.invalid/file"])
def test_follows_no_redirect_to_anything_but_a_server(server: Server, target: str) -> None:
    server.redirect = target
    with pytest.raises(MachineError, match=r"it leads to|not allowed"):
        small(server.url)


def test_follows_a_redirect_to_another_server(server: Server) -> None:
    with served(Server(redirect=server.url)) as moved:
        assert large([moved.url], DIGEST).read_bytes() == CONTENT


def test_tells_how_far_it_is(server: Server) -> None:
    told: list[str] = []
    large([server.url], DIGEST, waiting=told.append)
    assert told[-1] == f"{len(CONTENT) >> 20} of {len(CONTENT) >> 20} MiB"


def test_fetches_a_small_file_after_a_passing_fault(server: Server) -> None:
    server.errors = [500]
    assert small(server.url) == CONTENT
