"""An emulated machine that forgets what QEMU translated, and runs on as if nothing had been."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest

from harness.console import Console
from harness.deadline import Deadline
from harness.qemu import CONSOLE, Machine
from harness.translations import forget
from tests.harness.test_qemu import ECHO, HALT, HELLO, machine

pytestmark = pytest.mark.real
SLEEP = bytes.fromhex("fa f4 ebfd")
"""cli; hlt; jmp again: a processor that nothing wakes."""


def flushes(running: Machine) -> int:
    told = running.command("human-monitor-command", command_line="info jit")
    (count,) = re.findall(r"TB flush count +(\d+)", told)
    return int(count)


@pytest.mark.parametrize("code", [ECHO, HALT], ids=["busy", "idle"])
def test_drops_all_translations(tmp_path: Path, code: bytes) -> None:
    with Machine(machine(tmp_path, HELLO + code), tmp_path) as running:
        Console(tmp_path / CONSOLE, running.check_alive).wait_for("^hello$", Deadline.after(60))
        before = flushes(running)
        running.forget_translations()
        assert flushes(running) > before
        assert running.command("query-status")["running"]


def test_lets_the_guest_run_on(tmp_path: Path) -> None:
    with Machine(machine(tmp_path, HELLO + ECHO), tmp_path) as running:
        console = Console(tmp_path / CONSOLE, running.check_alive)
        console.wait_for("^hello$", Deadline.after(60))
        for word in ("once", "twice"):
            running.forget_translations()
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(str(running.console_socket))
                line.sendall(f"{word}\n".encode())
                console.wait_for(word, Deadline.after(60))
        assert console.text.count("hello") == 1


def test_leaves_a_processor_alone_that_sleeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.translations.ANSWERS_IN", 0.5)
    with Machine(machine(tmp_path, HELLO + SLEEP), tmp_path) as running:
        Console(tmp_path / CONSOLE, running.check_alive).wait_for("^hello$", Deadline.after(60))
        running.forget_translations()
        assert running.command("query-status")["running"]


def test_goes_on_where_no_debugger_is_let_in() -> None:
    asked: list[str] = []

    def monitor(name: str, **arguments: Any) -> None:
        asked.append(arguments.get("command_line", name).split(":")[0])

    forget(monitor)
    assert asked == ["gdbserver unix", "gdbserver none", "cont"]
