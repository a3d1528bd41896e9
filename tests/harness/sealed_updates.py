"""A machine whose boot files are made anew by its own tools, then booted again by each firmware; for `run_sealed`."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.deadline import Deadline
from harness.lasting import lasting_in
from harness.machines import GEN1, GEN2
from harness.order import Order, profile_of
from harness.play import BOOT_LIMIT, first_boot
from harness.sshkey import make_key
from harness.stage import Setting, staged


def main(request: Mapping[str, Any]) -> int:
    """Write `facts.json` into the request's folder: what the tools said, and how each boot ended."""
    folder, key = Path(request["folder"]), make_key()
    order = Order.of(request)
    told: dict[str, Any] = {"boots": []}
    for number, machine in enumerate((GEN2, GEN1, GEN2)):
        here = replace(order, machine=machine)
        with staged(
            here, profile_of(here), key, folder / f"boot-{number}", Setting(lasting=lasting_in(folder))
        ) as stage:
            boot = first_boot(stage, profile_of(here), True)
            told["boots"].append([boot.ending, boot.facts["firmware"] if boot.facts else ""])
            if boot.facts is None:
                break
            if number == 0:
                done = stage.guest.run("update-grub && update-initramfs -u -k all", sudo=True, timeout=1200)
                told["update"] = [done.status, done.stdout + done.stderr]
            stage.machine.powerdown()
            stage.machine.wait(Deadline.after(BOOT_LIMIT * stage.accelerator.factor))
    (folder / "facts.json").write_text(json.dumps(told))
    return 0
