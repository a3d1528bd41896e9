"""The boot that several runs share: a machine is brought to where provisioning begins, and saved there.

Until then it has neither a host nor a disc: no packet of its was answered and nothing was read, so that each run that
goes on from here meets its own name, data and faults.
"""

import re
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.accelerator import choose_accelerator
from harness.assembly import hardware_of
from harness.azure.frames import IPV4, UDP
from harness.console import Console
from harness.deadline import Deadline, Gone, TooLate
from harness.lasting import lasting_in
from harness.order import Order, make_vm, profile_of
from harness.play import BOOT_LIMIT
from harness.processor import processor
from harness.qemu import CONSOLE, Machine
from harness.snapshot import save
from harness.sshkey import make_key
from harness.wire import LARGEST_FRAME, link

BEGINS = r"Starting (?:cloud-init-(?:main|local)|systemd-networkd\.|NetworkManager\.|networking\.|wickedd?\b|w\w*agent)"
"""What systemd writes on the console as it starts the first service that reads the disc or asks for an address."""
BEGUN = re.compile(r"Cloud-init v\. |Started (?:cloud-init-local|systemd-networkd\.)")
DHCP_SERVER = 67
MISSED = 4
"""The exit status where no state could be saved in time."""


def main(told: Mapping[str, Any]) -> int:
    """Save the machine that was ordered into the folder. Returns 0, or MISSED where its console does not tell when."""
    order, folder = Order.of(told), Path(told["folder"])
    profile = profile_of(order)
    accelerator = choose_accelerator(processor(profile.arch))
    vm = make_vm(order, profile, make_key())
    with link(told["link"]) as made, overhearing(made.interface) as asks:
        hardware = hardware_of(order, profile, vm, accelerator, made, folder, lasting_in(folder))
        with Machine(replace(hardware, dvd=None), folder) as machine:

            def still_silent() -> None:
                machine.check_alive()
                if asks():
                    raise Gone("the guest asks for an address, and its console told nothing before")

            console = Console(folder / CONSOLE, still_silent)
            try:
                console.wait_for(BEGINS, Deadline.after(BOOT_LIMIT * accelerator.factor))
                save(machine)
            except (Gone, TooLate):
                return MISSED
            return MISSED if BEGUN.search(console.text) or asks() else 0


@contextmanager
def overhearing(interface: str) -> Iterator[Callable[[], bool]]:
    """Gives what tells whether anybody behind the interface has asked for an address by DHCP."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV4)) as ear:
        ear.bind((interface, IPV4))
        ear.setblocking(False)
        heard = False

        def asks() -> bool:
            nonlocal heard
            with suppress(BlockingIOError):
                while not heard:
                    heard = is_dhcp_request(ear.recv(LARGEST_FRAME))
            return heard

        yield asks


def is_dhcp_request(frame: bytes) -> bool:
    """Whether an Ethernet frame holds a datagram for DHCP servers (RFC 2131 section 4.1)."""
    packet = frame[14:]
    if frame[12:14] != struct.pack("!H", IPV4) or len(packet) < 20 or packet[9] != UDP:
        return False
    datagram = packet[(packet[0] & 0x0F) * 4 :]
    return datagram[2:4] == struct.pack("!H", DHCP_SERVER)
