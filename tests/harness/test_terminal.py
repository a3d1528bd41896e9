"""The terminal put through to a line, with pipes and a pseudo terminal in the user's place."""

import os
import pty
import socket
import termios
from collections.abc import Iterator

import pytest

from harness.terminal import attach, raw


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end and the guest's."""
    ours, guests = socket.socketpair()
    with ours, guests:
        yield ours, guests


def keyboard(typed: bytes) -> int:
    """A descriptor from which this is typed, and then no more."""
    reads, writes = os.pipe()
    os.write(writes, typed)
    os.close(writes)
    return reads


def test_types_until_the_leaving_key(line: tuple[socket.socket, socket.socket]) -> None:
    ours, guests = line
    assert attach(ours, keyboard(b"root\r\x1dnot sent"), os.open(os.devnull, os.O_WRONLY))
    ours.close()
    assert guests.recv(100) == b"root\r"


def test_shows_what_the_guest_writes_until_it_hangs_up(line: tuple[socket.socket, socket.socket]) -> None:
    ours, guests = line
    reads, writes = os.pipe()
    silent, _kept_open = os.pipe()
    guests.sendall(b"login: ")
    guests.close()
    assert not attach(ours, silent, writes)
    assert os.read(reads, 100) == b"login: "


def test_gives_the_terminal_back_as_it_was() -> None:
    _, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    with raw(terminal):
        assert not termios.tcgetattr(terminal)[3] & termios.ECHO
    assert termios.tcgetattr(terminal) == before


def test_leaves_what_is_no_terminal_alone(line: tuple[socket.socket, socket.socket]) -> None:
    with raw(line[0].fileno()):
        pass
