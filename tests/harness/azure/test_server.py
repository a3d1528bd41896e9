"""The sockets, on loopback."""

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.errors import MachineError
from harness.azure import server
from harness.azure.http import Ending, Request, Response
from harness.azure.journal import Journal
from harness.azure.server import Binding, serve
from harness.deadline import Deadline


def echo(request: Request) -> Response:
    if request.path == "/crash":
        raise RuntimeError("a broken service")
    told = {"query": request.query, "headers": dict(request.headers), "size": len(request.body), "of": request.client}
    return Response.json(told, 202 if request.method == "PUT" else 200)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def port(journal: Journal) -> Iterator[int]:
    with serve([Binding("127.0.0.1", 0, echo, "echo")], journal) as ports:
        yield ports[0]


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, {"User-Agent": "tester/1"})
    answer = connection.getresponse()
    told = answer.status, answer.read()
    connection.close()
    return told


def test_passes_requests_on_and_journals_them(port: int, journal: Journal) -> None:
    status, body = ask(port, "PUT", "/a?b=c%20d&b=", b"x" * 100)
    assert status == 202
    assert b'"query":[["b","c d"],["b",""]]' in body
    assert b'"size":100,"of":"127.0.0.1"' in body
    (entry,) = journal.entries
    assert (entry.source, entry.event) == ("echo", "exchange")
    told = {name: entry.details[name] for name in ("method", "path", "status", "agent")}
    assert told == {"method": "PUT", "path": "/a?b=c%20d&b=", "status": 202, "agent": "tester/1"}


def test_turns_a_crash_into_500_and_an_entry(port: int, journal: Journal) -> None:
    assert ask(port, "GET", "/crash")[0] == 500
    crash, exchange = journal.entries
    assert "a broken service" in crash.details["error"]
    assert exchange.details["status"] == 500
    assert ask(port, "GET", "/")[0] == 200


def test_limits_bodies(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_LIMIT", 1000)
    assert ask(port, "POST", "/", b"x" * 1000)[0] == 200
    assert ask(port, "POST", "/", b"x" * 1001)[0] == 413


def test_lets_a_cautious_client_go_on(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"body")
        assert connection.recv(1000).startswith(b"HTTP/1.1 202")


def test_journals_what_is_no_http(port: int, journal: Journal) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert b"400" in connection.recv(1000)
    Deadline.after(5).until("the entry", lambda: journal.find("echo", "malformed") or None, every=0.01)


def test_serves_while_one_service_dawdles(journal: Journal) -> None:
    go_on = threading.Event()

    def slow(request: Request) -> Response:
        if request.path == "/slow":
            go_on.wait(10)
        return Response()

    with serve([Binding("127.0.0.1", 0, slow)], journal) as ports:
        waiting = threading.Thread(target=ask, args=(ports[0], "GET", "/slow"))
        waiting.start()
        assert ask(ports[0], "GET", "/quick")[0] == 200
        go_on.set()
        waiting.join()
    assert [entry.details["path"] for entry in journal.entries] == ["/quick", "/slow"]


def test_says_when_an_address_cannot_be_had(journal: Journal) -> None:
    with pytest.raises(MachineError, match="cannot listen"), serve([Binding("192.0.2.1", 80, echo)], journal):
        pass


def test_is_gone_when_the_block_is_left(journal: Journal, tmp_path: Path) -> None:
    with serve([Binding("127.0.0.1", 0, echo)], journal) as ports:
        port = ports[0]
    with pytest.raises(ConnectionRefusedError):
        ask(port, "GET", "/")


@pytest.mark.parametrize(
    ("ending", "error"), [(Ending.TRUNCATED, http.client.IncompleteRead), (Ending.RESET, ConnectionResetError)]
)
def test_breaks_an_answer_off_on_purpose(ending: Ending, error: type[Exception], journal: Journal) -> None:
    with serve([Binding("127.0.0.1", 0, lambda _: Response(200, b"x" * 1000, ending=ending))], journal) as ports:
        with pytest.raises(error) as broken:
            ask(ports[0], "GET", "/")
        if isinstance(broken.value, http.client.IncompleteRead):
            assert broken.value.partial == b"x" * 500
    assert [entry.event for entry in journal.entries] == ["exchange"]


def test_answers_later_on_purpose_without_holding_up_others(journal: Journal) -> None:
    def app(request: Request) -> Response:
        return Response(after=0.2 if request.path == "/late" else 0)

    with serve([Binding("127.0.0.1", 0, app)], journal) as ports:
        waiting = threading.Thread(target=ask, args=(ports[0], "GET", "/late"))
        waiting.start()
        ask(ports[0], "GET", "/quick")
        waiting.join()
    late = next(entry for entry in journal.entries if entry.details["path"] == "/late")
    assert late.details["seconds"] >= 0.2


def test_refuses_connections_until_its_gate_is_set(journal: Journal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gate = threading.Event()
    with serve([Binding("127.0.0.1", port, echo, "echo", gate)], journal) as ports:
        assert ports == (port,)
        with pytest.raises(ConnectionRefusedError):
            ask(port, "GET", "/")
        gate.set()
        Deadline.after(5).until("the gate", lambda: journal.find("echo", "opened") or None, every=0.01)
        assert ask(port, "GET", "/")[0] == 200


def test_ends_although_a_gate_was_never_set(journal: Journal) -> None:
    with serve([Binding("127.0.0.1", 1, echo, "echo", threading.Event())], journal):
        pass
    assert journal.entries == ()
