"""The guest's link, inside the sealed namespace: an interface on the host's side, and QEMU's arguments for the other.

One network card has a line of its own to the host. Several share a bridge, which is the host's interface then.
A line is a tap where /dev/net/tun opens. Where it does not (it is often mode 0600), a veth pair whose far end Kiln
relays: frames go between a packet socket there and QEMU's datagram net device. Never QEMU's user networking, which
leads out.
"""

import contextlib
import ctypes
import fcntl
import os
import selectors
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from build.command import CommandFailed, run
from build.errors import Bug, MachineError

TUN_DEVICE = Path("/dev/net/tun")
INTERFACE = "azure0"
ROUTER_MAC = "06:00:0a:00:00:01"
"""The bridge's own address: without one it takes that of a port, and guests would look for the router at a card that
has gone."""
NETDEV = "wire"
LARGEST_FRAME = 65535
EVERY_PROTOCOL = 3
"""ETH_P_ALL of linux/if_ether.h."""
SIOCETHTOOL = 0x8946
TRANSMIT_OFFLOADS = {"checksum": 0x17, "scatter-gather": 0x19, "tso": 0x1F, "gso": 0x24}
"""ETHTOOL_STXCSUM, ETHTOOL_SSG, ETHTOOL_STSO, ETHTOOL_SGSO of linux/ethtool.h."""


@dataclass(frozen=True)
class Link:
    """The host's `interface`, up and without address; QEMU's `arguments` for the netdevs, one for each card of the
    machine, in their order, which are called as `netdev_of` says.

    `descriptors` are what QEMU must inherit for them; `kind` is tap or relay.
    """

    kind: str
    interface: str
    arguments: tuple[str, ...]
    descriptors: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Line:
    """One card's line: QEMU's `netdev` option, and the `descriptors` that it must inherit for that."""

    netdev: str
    descriptors: tuple[int, ...] = ()


def netdev_of(number: int) -> str:
    """QEMU's name of a card's netdev, by the card's number in its machine."""
    return f"{NETDEV}{number or ''}"


@contextlib.contextmanager
def link(kind: str | None = None) -> Iterator[Link]:
    """The one card's link while the context lasts; `kind` tap or relay, by default whatever works here.

    Call it in a sealed namespace: it makes interfaces of fixed names. Raises CommandFailed where it may not.
    """
    chosen = _kind(kind)
    with LINES[chosen](INTERFACE, netdev_of(0)) as line:
        yield Link(chosen, INTERFACE, ("-netdev", line.netdev), line.descriptors)


@contextlib.contextmanager
def bridge() -> Iterator[None]:
    """A bridge while the context lasts: the host's interface to all `ports`.

    Raises MachineError where the kernel has none.
    """
    try:
        run("ip", "link", "add", INTERFACE, "address", ROUTER_MAC, "type", "bridge", "mcast_snooping", "0")
    except CommandFailed as refused:
        raise MachineError(
            f"several network cards need a bridge, and there is none here: {refused.output.strip()}",
            "have the kernel's module loaded: `modprobe bridge`",
        ) from None
    try:
        _silence(INTERFACE)
        run("ip", "link", "set", INTERFACE, "up")
        yield
    finally:
        run("ip", "link", "delete", INTERFACE)


@contextlib.contextmanager
def ports(macs: Sequence[str], kind: str | None = None) -> Iterator[Link]:
    """The link of one machine while the context lasts, by a port of the `bridge` for each of its cards, whose MACs
    these are; `kind` as for `link`.

    No port gets multicasts: they pass in no virtual network of Azure's
    (https://learn.microsoft.com/azure/virtual-network/virtual-networks-faq), and would let guests find each other by
    LLMNR. Raises CommandFailed where it may not.
    """
    chosen = _kind(kind)
    with contextlib.ExitStack() as stack:
        lines = []
        for number, mac in enumerate(macs):
            name = f"port{mac.replace(':', '')[-6:]}"
            lines.append(stack.enter_context(LINES[chosen](name, netdev_of(number))))
            run("ip", "link", "set", name, "master", INTERFACE)
            run("ip", "link", "set", name, "type", "bridge_slave", "mcast_flood", "off")
        words = tuple(word for line in lines for word in ("-netdev", line.netdev))
        yield Link(chosen, INTERFACE, words, tuple(one for line in lines for one in line.descriptors))


def _kind(asked: str | None) -> str:
    chosen = asked or ("tap" if tun_opens() else "relay")
    if chosen not in LINES:
        raise Bug(f"there is no link called {chosen}")
    return chosen


def tun_opens() -> bool:
    """Whether this user may open /dev/net/tun."""
    try:
        os.close(os.open(TUN_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _tap(name: str, netdev: str) -> Iterator[_Line]:
    run("ip", "tuntap", "add", "dev", name, "mode", "tap")
    try:
        _silence(name)
        run("ip", "link", "set", name, "up")
        yield _Line(f"tap,id={netdev},ifname={name},script=no,downscript=no")
    finally:
        run("ip", "link", "delete", name)


@contextlib.contextmanager
def _relayed(name: str, netdev: str) -> Iterator[_Line]:
    far_end = f"far-{name}"
    run("ip", "link", "add", name, "type", "veth", "peer", "name", far_end)
    try:
        for end in (name, far_end):
            _silence(end)
        # The far end only carries frames: the kernel must not answer ARP there in the guest's place.
        run("ip", "link", "set", far_end, "arp", "off")
        leave_checksums_to_software(name)
        for end in (name, far_end):
            run("ip", "link", "set", end, "up")
        ours, qemus = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
        with ours, qemus, wire:
            wire.bind((far_end, EVERY_PROTOCOL))
            with relaying(ours, wire):
                yield _Line(f"dgram,id={netdev},local.type=fd,local.str={qemus.fileno()}", (qemus.fileno(),))
    finally:
        run("ip", "link", "delete", name)


LINES = {"tap": _tap, "relay": _relayed}
"""What makes a card's line, by the kind of link."""


@contextlib.contextmanager
def relaying(guest: socket.socket, wire: socket.socket) -> Iterator[None]:
    """Carry frames both ways between two datagram sockets, one frame a datagram, in a thread of its own."""
    for end in (guest, wire):
        end.setblocking(False)
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            end.setsockopt(socket.SOL_SOCKET, buffer, 1 << 20)
    stop, stopped = socket.socketpair()
    thread = threading.Thread(target=_carry, args=(guest, wire, stopped), name="relay", daemon=True)
    with stop, stopped:
        thread.start()
        try:
            yield
        finally:
            stop.send(b"s")
            thread.join()


def leave_checksums_to_software(interface: str) -> None:
    """Switch off the interface's transmit offloads, so that frames leave it whole.

    A veth hands frames over with checksums still to be filled in and larger than the MTU; a packet socket sees them
    so, and a guest would drop them.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in TRANSMIT_OFFLOADS.values():
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0), 8)
            request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
            with contextlib.suppress(OSError):  # what the driver never had cannot be switched off
                fcntl.ioctl(any_socket, SIOCETHTOOL, request)


def _silence(interface: str) -> None:
    """No IPv6 chatter of the host's own on the link; a kernel without IPv6 has none anyway."""
    run("ip", "link", "set", "dev", interface, "addrgenmode", "none", expect=(0, 1, 2))


def _carry(guest: socket.socket, wire: socket.socket, stopped: socket.socket) -> None:
    with selectors.DefaultSelector() as ready:
        ready.register(guest, selectors.EVENT_READ, wire)
        ready.register(wire, selectors.EVENT_READ, guest)
        ready.register(stopped, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is stopped:
                    return
                assert isinstance(key.fileobj, socket.socket)
                _drain(key.fileobj, key.data)


def _drain(source: socket.socket, target: socket.socket, at_most: int = 64) -> None:
    """Pass on what has arrived. As on a real wire, a frame that its receiver has no room for is lost."""
    for _ in range(at_most):
        try:
            frame, sender = source.recvfrom(LARGEST_FRAME)
        except (BlockingIOError, ConnectionError):
            return
        if isinstance(sender, tuple) and sender[2] == socket.PACKET_OUTGOING:
            continue
        with contextlib.suppress(OSError):
            target.send(frame)
