"""The boot that several runs share: a machine is brought to where provisioning begins, and saved there.

Until then it has neither a host nor a disc: no packet of its was answered and nothing was read, so that each run that
goes on from here meets its own name, data and faults.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.accelerator import choose_accelerator
from harness.assembly import hardware_of
from harness.console import Console
from harness.deadline import Deadline, Gone, TooLate
from harness.fork import DISK
from harness.guest import make_key
from harness.order import Order, make_vm, profile_of
from harness.play import BOOT_LIMIT
from harness.processor import processor
from harness.qemu import CONSOLE, Machine
from harness.snapshot import save
from harness.wire import link

BEGINS = r"Starting (?:cloud-init-(?:main|local)|systemd-networkd\.|NetworkManager\.|networking\.|wickedd?\b|w\w*agent)"
"""What systemd writes on the console as it starts the first service that reads the disc or asks for an address."""
BEGUN = re.compile(r"Cloud-init v\. |Started (?:cloud-init-local|systemd-networkd\.)")
MISSED = 4
"""The exit status where no state could be saved in time."""


def main(told: Mapping[str, Any]) -> int:
    """Save the machine that was ordered into the folder. Returns 0, or MISSED where its console does not tell when."""
    order, folder = Order.of(told), Path(told["folder"])
    profile = profile_of(order)
    accelerator = choose_accelerator(processor(profile.arch))
    vm = make_vm(order, profile, make_key())
    with link(told["link"]) as made:
        hardware = hardware_of(order, profile, vm, accelerator, made, folder, folder / DISK)
        with Machine(replace(hardware, dvd=None), folder) as machine:
            console = Console(folder / CONSOLE, machine.check_alive)
            try:
                console.wait_for(BEGINS, Deadline.after(BOOT_LIMIT * accelerator.factor))
                save(machine)
            except (Gone, TooLate):
                return MISSED
            return MISSED if BEGUN.search(console.text) else 0
