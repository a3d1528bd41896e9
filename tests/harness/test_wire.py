"""The guest's link: the relay between plain sockets, and both kinds of link in a sealed namespace."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.errors import Bug
from harness import wire
from harness.sandbox import run_sealed
from harness.wire import link, relaying, tun_opens

SPEAKS = '''
"""A guest of a few frames on the relay's socket, and the host's kernel at the other end."""
import json, os, pathlib, select, socket, struct, subprocess, time
from harness.wire import link

GUEST, HOST = bytes((10, 0, 0, 4)), bytes((10, 0, 0, 1))
MAC = bytes.fromhex("6045bd000004")

def total(data):
    words = struct.unpack(f"!{len(data) // 2}H", data[:len(data) // 2 * 2])
    sum_ = sum(words) + (data[-1] << 8 if len(data) % 2 else 0)
    while sum_ >> 16:
        sum_ = (sum_ & 0xFFFF) + (sum_ >> 16)
    return sum_

def next_frame(line, wanted):
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        if select.select([line], [], [], 0.5)[0]:
            frame = line.recv(65535)
            if wanted(frame):
                return frame
    raise SystemExit("no such frame came")

def arp(frame):
    return frame[12:14] == b"\\x08\\x06"

def udp(frame):
    return frame[12:14] == b"\\x08\\0" and frame[23] == 17 and frame[36:38] == struct.pack("!H", 4711)

def main(request):
    with link("relay") as made:
        subprocess.run(["ip", "address", "add", "10.0.0.1/24", "dev", made.interface], check=True)
        line = socket.socket(fileno=os.dup(made.descriptors[0]))
        ask = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, MAC, GUEST, bytes(6), HOST)
        line.send((b"\\xff" * 6 + MAC + b"\\x08\\x06" + ask).ljust(60, b"\\0"))
        answer = next_frame(line, arp)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
            host.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            host.sendto(b"to the guest", ("10.0.0.4", 4711))
            frame = next_frame(line, udp)
            host.sendto(b"to everybody", ("10.0.0.255", 4711))
            broadcast = next_frame(line, udp)
        datagram = frame[34:34 + struct.unpack("!H", frame[38:40])[0]]
        pseudo = frame[26:34] + struct.pack("!HH", 17, len(datagram))
        pathlib.Path(request["file"]).write_text(json.dumps({
            "arp_answer_to": answer[:6].hex(),
            "datagram": datagram[8:].decode(),
            "checksum_over_all": total(pseudo + datagram),
            "broadcast_to": broadcast[:6].hex(),
        }))
'''
LINKS = """
import json, pathlib, subprocess
from harness.wire import link
def names():
    told = subprocess.run(["ip", "-j", "address"], capture_output=True, text=True).stdout
    return {one["ifname"]: ("UP" in one["flags"], [a["local"] for a in one["addr_info"]]) for one in json.loads(told)}
def main(request):
    with link(request["kind"]) as made:
        during = names()
    with link(request["kind"]) as again:
        pass
    told = {"kind": made.kind, "interface": made.interface, "during": during, "after": list(names())}
    pathlib.Path(request["file"]).write_text(json.dumps(told))
"""
BRIDGED = """
import json, os, pathlib, socket, subprocess
from harness.wire import bridge, ports
FIRST, SECOND = "60:45:bd:00:00:04", "60:45:bd:00:01:04"
def told(*words):
    return subprocess.run(["ip", "-j", *words], capture_output=True, text=True).stdout
def carried(made):
    one, other = (socket.socket(fileno=os.dup(line)) for line in made.descriptors)
    other.settimeout(10)
    frame = b"\\xff" * 6 + bytes.fromhex(FIRST.replace(":", "")) + b"\\x88\\xb5" + b"to my neighbour".ljust(46, b".")
    one.send(b"\\x01\\0\\x5e\\0\\0\\xfc" + frame[6:])
    one.send(frame)
    return other.recv(65535) == frame
def main(request):
    with bridge(), ports((FIRST, SECOND), request["kind"]) as made:
        masters = {one["ifname"]: one.get("master") for one in json.loads(told("link"))}
        carries = carried(made) if made.descriptors else None
    with bridge(), ports((FIRST,), request["kind"]):
        pass
    after = [one["ifname"] for one in json.loads(told("link"))]
    facts = {"kind": made.kind, "interface": made.interface, "words": made.arguments, "masters": masters}
    pathlib.Path(request["file"]).write_text(json.dumps({**facts, "carries": carries, "after": after}))
"""
BRIDGELESS = """
import pathlib
from build.errors import MachineError
from harness import wire
def main(request):
    wire.ROUTER_MAC = "no address"
    try:
        with wire.bridge():
            pass
    except MachineError as refused:
        pathlib.Path(request["file"]).write_text(f"{refused}; {refused.hint}")
"""


@pytest.fixture
def relayed() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The far ends of the two lines that a relay joins."""
    guest, guests_relay = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    host, hosts_relay = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with guest, guests_relay, host, hosts_relay, relaying(guests_relay, hosts_relay):
        guest.settimeout(10)
        host.settimeout(10)
        yield guest, host


def test_carries_frames_whole_and_both_ways(relayed: tuple[socket.socket, socket.socket]) -> None:
    guest, host = relayed
    guest.send(b"a" * 1514)
    guest.send(b"b" * 60)
    assert [host.recv(65535), host.recv(65535)] == [b"a" * 1514, b"b" * 60]
    host.send(b"c" * 42)
    assert guest.recv(65535) == b"c" * 42


def test_loses_frames_and_not_its_head_when_nobody_listens(relayed: tuple[socket.socket, socket.socket]) -> None:
    guest, host = relayed
    for _ in range(100):
        guest.send(b"x" * 1500)
    host.send(b"still there")
    assert guest.recv(65535) == b"still there"


def test_leaves_no_thread_behind(relayed: tuple[socket.socket, socket.socket]) -> None:
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    running = threading.active_count()
    with a, b, relaying(a, b):
        assert threading.active_count() == running + 1
    assert threading.active_count() == running


def test_refuses_links_that_it_does_not_know() -> None:
    with pytest.raises(Bug, match="no link called slirp"), link("slirp"):
        pass


def test_sees_a_closed_tun_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "TUN_DEVICE", tmp_path / "missing")
    assert not tun_opens()


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.mark.real
def test_answers_arp_and_sends_whole_checksums_through_the_relay(sealed: Path) -> None:
    (sealed / "guestwork.py").write_text(SPEAKS)
    assert run_sealed("guestwork", {"file": str(sealed / "out")}) == 0
    assert json.loads((sealed / "out").read_text()) == {
        "arp_answer_to": "6045bd000004",
        "datagram": "to the guest",
        "checksum_over_all": 0xFFFF,
        "broadcast_to": "ffffffffffff",
    }


@pytest.mark.real
@pytest.mark.parametrize("kind", ["tap", "relay"])
def test_makes_a_silent_link_and_takes_it_away(sealed: Path, kind: str) -> None:
    if kind == "tap" and not tun_opens():
        pytest.skip("/dev/net/tun is closed to this user")
    (sealed / "guestwork.py").write_text(LINKS)
    assert run_sealed("guestwork", {"file": str(sealed / "out"), "kind": kind}) == 0
    told = json.loads((sealed / "out").read_text())
    assert (told["kind"], told["interface"]) == (kind, "azure0")
    assert told["during"]["azure0"] == [True, []]
    assert told["after"] == ["lo"]


@pytest.mark.real
@pytest.mark.parametrize("kind", ["tap", "relay"])
def test_joins_the_cards_of_a_machine_by_a_bridge_and_takes_it_away(sealed: Path, kind: str) -> None:
    if kind == "tap" and not tun_opens():
        pytest.skip("/dev/net/tun is closed to this user")
    (sealed / "guestwork.py").write_text(BRIDGED)
    assert run_sealed("guestwork", {"file": str(sealed / "out"), "kind": kind}) == 0
    told = json.loads((sealed / "out").read_text())
    assert (told["kind"], told["interface"]) == (kind, "azure0")
    assert [word.split(",")[1] for word in told["words"][1::2]] == ["id=wire", "id=wire1"]
    masters = told["masters"]
    assert (masters["port000004"], masters["port000104"], masters["azure0"]) == ("azure0", "azure0", None)
    assert told["carries"] in (True, None)
    assert told["after"] == ["lo"]


@pytest.mark.real
def test_says_what_several_cards_need_where_there_is_no_bridge(sealed: Path) -> None:
    """A bridge of an impossible address is refused as one that the kernel does not have."""
    (sealed / "guestwork.py").write_text(BRIDGELESS)
    run_sealed("guestwork", {"file": str(sealed / "out")})
    told = (sealed / "out").read_text()
    assert told.startswith("several network cards need a bridge, and there is none here: ")
    assert told.endswith("`modprobe bridge`")
