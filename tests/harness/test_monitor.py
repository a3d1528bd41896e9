"""The monitor, with a QEMU that is only its protocol (docs/interop/qmp-spec.rst)."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from harness.deadline import Gone
from harness.monitor import Monitor

GREETING = {"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}


class Protocol:
    """QEMU's end: greets, answers, tells of an event before some answers, and hangs up when told to quit."""

    def __init__(self) -> None:
        self.ours, self._end = socket.socketpair()
        self.asked: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._end, contextlib.suppress(ConnectionError):
            self._say(GREETING)
            for request in self._requests():
                self.asked.append(request)
                if request["execute"] == "quit":
                    return
                if request["execute"] == "system_reset":
                    self._say({"event": "RESET", "data": {"guest": False}, "timestamp": {}})
                refused = {"error": {"class": "CommandNotFound", "desc": "unknown command"}}
                answer = refused if request["execute"] == "nonsense" else {"return": {"running": True}}
                self._say({**answer, "id": request.get("id")})

    def _requests(self) -> Iterator[dict[str, Any]]:
        """One JSON object after the other; clients need not end them by a newline."""
        pending = ""
        while received := self._end.recv(4096):
            pending = (pending + received.decode()).lstrip()
            while pending:
                try:
                    request, length = json.JSONDecoder().raw_decode(pending)
                except ValueError:
                    break
                pending = pending[length:].lstrip()
                yield request

    def _say(self, message: Mapping[str, Any]) -> None:
        self._end.sendall(json.dumps(message).encode() + b"\r\n")


@pytest.fixture
def qemu() -> Protocol:
    return Protocol()


@pytest.fixture
def events() -> list[tuple[str, Mapping[str, Any]]]:
    return []


@pytest.fixture
def monitor(qemu: Protocol, events: list[tuple[str, Mapping[str, Any]]]) -> Iterator[Monitor]:
    connected = Monitor(qemu.ours, lambda name, data: events.append((name, data)))
    yield connected
    connected.close()


def test_returns_what_a_command_returns(monitor: Monitor, qemu: Protocol) -> None:
    assert monitor.execute("query-status") == {"running": True}
    monitor.execute("screendump", filename="/a", max_size=1)
    assert qemu.asked[-1]["arguments"] == {"filename": "/a", "max-size": 1}


def test_passes_events_on(monitor: Monitor, events: list[tuple[str, Mapping[str, Any]]]) -> None:
    monitor.execute("system_reset")
    monitor.execute("query-status")
    assert events == [("RESET", {"guest": False})]


def test_says_what_qemu_refuses(monitor: Monitor) -> None:
    with pytest.raises(Gone, match="unknown command"):
        monitor.execute("nonsense")
    assert monitor.execute("query-status")


def test_says_that_qemu_is_gone(monitor: Monitor) -> None:
    for _ in range(2):
        with pytest.raises(Gone, match="monitor"):
            monitor.execute("quit")


def test_refuses_a_line_without_qemu() -> None:
    ours, other = socket.socketpair()
    other.close()
    with pytest.raises(Gone):
        Monitor(ours, lambda name, data: None)


def test_can_be_closed_twice_and_leaves_no_thread(qemu: Protocol) -> None:
    monitor = Monitor(qemu.ours, lambda name, data: None)
    monitor.close()
    monitor.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "monitor"]
