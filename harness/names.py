"""Asking the pretend Azure's name server what other machines would be told: one question, RFC 1035."""

import secrets
import socket
import struct

HEADER = struct.Struct(">HHHHHH")
RECURSION_DESIRED = 0x0100
ADDRESS, INTERNET = 1, 1
PORT = 53
TIMEOUT = 5.0


def resolve(server: str, name: str) -> tuple[str, ...]:
    """The IPv4 addresses that `server` knows for a fully qualified name; none where it does not exist.

    Raises OSError where the server does not answer.
    """
    question = secrets.randbelow(1 << 16)
    labels = b"".join(bytes((len(label),)) + label.encode("idna") for label in name.strip(".").split("."))
    query = HEADER.pack(question, RECURSION_DESIRED, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, ADDRESS, INTERNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(TIMEOUT)
        asker.sendto(query, (server, PORT))
        answer = asker.recv(4096)
    return _addresses(answer, len(query))


def _addresses(answer: bytes, at: int) -> tuple[str, ...]:
    """The A records behind the question, which the answer repeats in its own length."""
    found = []
    for _ in range(HEADER.unpack_from(answer)[3]):
        at = _behind_name(answer, at)
        kind, _, _, length = struct.unpack_from(">HHIH", answer, at)
        at += 10
        if kind == ADDRESS:
            found.append(socket.inet_ntoa(answer[at : at + length]))
        at += length
    return tuple(found)


def _behind_name(answer: bytes, at: int) -> int:
    while length := answer[at]:
        if length >= 0xC0:  # a pointer to a name told before ends this one
            return at + 2
        at += 1 + length
    return at + 1
