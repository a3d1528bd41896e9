"""Have an emulated machine forget the code that QEMU has translated for it.

A reset leaves QEMU's translations of what memory held before. Where firmware then has its stack on a page that held
code, each write looks through all of that page's translations: under load so slowly that a UEFI timer's interrupt takes
longer than the time until the next one, and the machine hangs in its firmware for ever. QEMU drops all translations
when a debugger has let one instruction run (gdbstub, on RUN_STATE_DEBUG); no command of its own does so.
"""

import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

WHY, STEP, DETACH, INTERRUPT = b"$?#3f", b"$s#73", b"$D#44", b"\x03"
"""Packets of GDB's remote serial protocol (GDB manual, appendix E), with their checksums."""
TRAPPED, INTERRUPTED, FINE = b"$T05", b"$T02", b"$OK"
"""Why the machine stands still: after a step and to whoever asks, or because somebody came."""
ANSWERS_IN = 5.0
"""Seconds until the machine must have run one instruction."""


def forget(monitor: Callable[..., Any]) -> None:
    """Make the machine forget; it runs on. `monitor` calls a QMP command. Does nothing where no debugger is let in."""
    with tempfile.TemporaryDirectory(prefix="kiln-") as folder:
        path = Path(folder, "debugger")
        monitor("human-monitor-command", command_line=f"gdbserver unix:{path},server=on,wait=off")
        try:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as line:
                line.settimeout(ANSWERS_IN)
                line.connect(str(path))
                _said(line, WHY, TRAPPED)
                _step(line)
                _said(line, DETACH, FINE)
        finally:
            monitor("human-monitor-command", command_line="gdbserver none")
            monitor("cont")


def _step(line: socket.socket) -> None:
    """Let one instruction run; a processor that sleeps runs none, and is left as it is."""
    try:
        _said(line, STEP, TRAPPED)
    except TimeoutError:
        _said(line, INTERRUPT, INTERRUPTED)


def _said(line: socket.socket, packet: bytes, wanted: bytes) -> None:
    line.sendall(b"+" + packet)
    heard = b""
    while wanted not in heard:
        if not (more := line.recv(4096)):
            raise ConnectionError("the debugger's line was closed")
        heard += more
