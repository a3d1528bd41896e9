"""Asking the pretend Azure's name server what other machines would be told: one question, RFC 1035."""

import secrets
import socket
import struct
from collections.abc import Iterator

HEADER = struct.Struct(">HHHHHH")
RECURSION_DESIRED = 0x0100
ADDRESS, POINTER, INTERNET = 1, 12, 1
PORT = 53
MOST_LABELS = 128
"""Steps through a name after which it counts as broken: it points at itself."""
TIMEOUT = 5.0


def resolve(server: str, name: str) -> tuple[str, ...]:
    """The IPv4 addresses that `server` knows for a fully qualified name; none where it does not exist.

    Raises OSError where the server does not answer.
    """
    answer, questions_end = _asked(server, name, ADDRESS)
    return tuple(socket.inet_ntoa(answer[at : at + length]) for at, length in _records(answer, questions_end, ADDRESS))


def reverse(server: str, address: str) -> tuple[str, ...]:
    """The names that `server` knows for an IPv4 address; none where it knows none. Raises OSError as `resolve`."""
    name = f"{'.'.join(reversed(address.split('.')))}.in-addr.arpa"
    answer, questions_end = _asked(server, name, POINTER)
    return tuple(_name(answer, at) for at, _ in _records(answer, questions_end, POINTER))


def _asked(server: str, name: str, kind: int) -> tuple[bytes, int]:
    """The answer to one question, and where the records begin in it."""
    question = secrets.randbelow(1 << 16)
    labels = b"".join(bytes((len(label),)) + label.encode("idna") for label in name.strip(".").split("."))
    query = HEADER.pack(question, RECURSION_DESIRED, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, kind, INTERNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(TIMEOUT)
        asker.sendto(query, (server, PORT))
        answer = asker.recv(4096)
    return answer, len(query)


def _records(answer: bytes, at: int, kind: int) -> Iterator[tuple[int, int]]:
    """Where the data of each record of a kind lies, and how long it is; the question is repeated in its own length."""
    for _ in range(HEADER.unpack_from(answer)[3]):
        at = _behind_name(answer, at)
        found, _, _, length = struct.unpack_from(">HHIH", answer, at)
        at += 10
        if found == kind:
            yield at, length
        at += length


def _name(answer: bytes, at: int) -> str:
    """A name as its labels with dots between them; a pointer leads to the rest of it."""
    labels: list[str] = []
    for _ in range(MOST_LABELS):
        if not (length := answer[at]):
            break
        if length >= 0xC0:
            at = int.from_bytes(answer[at : at + 2], "big") & 0x3FFF
            continue
        labels.append(answer[at + 1 : at + 1 + length].decode("ascii", "backslashreplace"))
        at += 1 + length
    return ".".join(labels)


def _behind_name(answer: bytes, at: int) -> int:
    while length := answer[at]:
        if length >= 0xC0:  # a pointer to a name told before ends this one
            return at + 2
        at += 1 + length
    return at + 1
