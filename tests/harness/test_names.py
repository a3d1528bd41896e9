"""One question to a name server, here one on loopback whose answers are written out by hand."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness import names
from harness.names import resolve, reverse

POINTER = b"\xc0\x0c"


def record(kind: int, data: bytes, name: bytes = POINTER) -> bytes:
    return name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


@contextmanager
def server(monkeypatch: pytest.MonkeyPatch, *records: bytes, code: int = 0) -> Iterator[list[bytes]]:
    """A name server that gives these records to whoever asks, and keeps the questions."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))

        def answer() -> None:
            query, client = listener.recvfrom(512)
            asked.append(query)
            header = query[:2] + struct.pack(">5H", 0x8180 | code, 1, len(records), 0, 0)
            listener.sendto(header + query[12:] + b"".join(records), client)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        monkeypatch.setattr(names, "PORT", listener.getsockname()[1])
        yield asked
        thread.join(5)


@pytest.mark.parametrize(
    ("records", "addresses"),
    [
        ((), ()),
        ((record(1, bytes([10, 0, 0, 4])),), ("10.0.0.4",)),
        ((record(5, b"\x05other" + POINTER), record(1, bytes([10, 0, 0, 5]), b"\x05other\xc0\x15")), ("10.0.0.5",)),
        ((record(1, bytes([10, 0, 0, 4]), b"\x02vm\0"), record(1, bytes([10, 0, 0, 6]))), ("10.0.0.4", "10.0.0.6")),
        ((record(28, bytes(16)),), ()),
    ],
)
def test_reads_the_addresses(
    records: tuple[bytes, ...], addresses: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(monkeypatch, *records) as asked:
        assert resolve("127.0.0.1", "vm.ax") == addresses
    assert asked[0][12:] == b"\x02vm\x02ax\0\0\1\0\1"


def test_knows_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(monkeypatch, code=3):
        assert resolve("127.0.0.1", "vm.ax.") == ()


def test_says_that_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setattr(names, "PORT", silent.getsockname()[1])
        monkeypatch.setattr(names, "TIMEOUT", 0.1)
        with pytest.raises(OSError):
            resolve("127.0.0.1", "vm.ax")


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ((), ()),
        ((record(12, b"\x02vm\x02ax\0"),), ("vm.ax",)),
        ((record(12, b"\x02vm\xc0\x0f"),), ("vm.0.0.10.in-addr.arpa",)),
        ((record(1, bytes(4)),), ()),
    ],
)
def test_reads_the_names_of_an_address(
    records: tuple[bytes, ...], found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(monkeypatch, *records) as asked:
        assert reverse("127.0.0.1", "10.0.0.40") == found
    assert asked[0][12:] == b"\x0240\x010\x010\x0210\x07in-addr\x04arpa\0\0\x0c\0\1"
