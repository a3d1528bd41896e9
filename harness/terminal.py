"""A terminal put through to a guest: its serial console's socket, or a shell's channel. Ctrl-] leaves."""

import contextlib
import os
import selectors
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

LEAVE = b"\x1d"
"""Ctrl-], as in telnet and virsh."""
FAREWELL = "Ctrl-] leaves"
CHUNK = 1 << 14


class Line(Protocol):
    """What a terminal can be put through to: a socket, or a paramiko channel."""

    def fileno(self) -> int: ...
    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> object: ...


@contextlib.contextmanager
def serial_console(path: Path) -> Iterator[socket.socket]:
    """The line to a machine's serial console (harness.qemu.Machine.console_socket)."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        yield line


def attach(line: Line, keyboard: int | None = None, screen: int | None = None) -> bool:
    """Put keyboard and screen (descriptors, by default our own) through to `line` until either ends.

    True when the user left by Ctrl-] or the keyboard ended, False when the line did. The terminal is raw meanwhile.
    """
    keys = sys.stdin.fileno() if keyboard is None else keyboard
    out = sys.stdout.fileno() if screen is None else screen
    with raw(keys), selectors.DefaultSelector() as ready:
        ready.register(keys, selectors.EVENT_READ)
        ready.register(line, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is line:
                    if not (text := line.recv(CHUNK)):
                        return False
                    _write(out, text)
                elif not _type(line, os.read(keys, CHUNK)):
                    return True


@contextlib.contextmanager
def raw(descriptor: int) -> Iterator[None]:
    """Pass every key on as it is, and give the terminal back as it was; a descriptor that is none stays as it is."""
    if not os.isatty(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _type(line: Line, typed: bytes) -> bool:
    """Send what was typed before a Ctrl-]; whether there was none and more may follow."""
    before, leave, _ = typed.partition(LEAVE)
    if before:
        line.sendall(before)
    return bool(typed) and not leave


def _write(descriptor: int, text: bytes) -> None:
    while text:
        text = text[os.write(descriptor, text) :]
