"""What the small good tree becomes for other kinds of images than a generalized one that cloud-init provisions."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.images import ARGS, VERSION, put
from tests.harness.planted import Change, add, swap

ELF = b"\x7fELF".ljust(18, b"\0")
ARM, I386 = 0xB7, 0x03
"""e_machine of ELF files."""
PL011 = "console=ttyAMA0 earlycon=pl011,0xeffec000"
KEY = "ssh-ed25519 AAAA ada\n"


@dataclass(frozen=True)
class Kind:
    """A kind of image: how the good tree becomes one, and what `inspect` is told of it."""

    make: Change
    told: Mapping[str, Any] = field(default_factory=dict)


def shell_for(machine: int) -> Change:
    """Make /usr/bin/sh a program for this processor, as far as anybody looks."""

    def change(root: Path) -> None:
        (root / "usr/bin/sh").write_bytes(ELF + machine.to_bytes(2, "little"))

    return change


def _by_waagent(root: Path) -> None:
    swap("etc/waagent.conf", "Agent=auto", "Agent=waagent\nProvisioning.RegenerateSshHostKeyPair=y")(root)
    (root / "usr/bin/cloud-init").unlink()
    shutil.rmtree(root / "etc/cloud")
    for unit in root.glob("etc/systemd/system/*/cloud-*"):
        unit.unlink()


def _specialized(root: Path) -> None:
    swap("etc/waagent.conf", "Agent=auto", "Agent=disabled")(root)
    put(root, "etc/cloud/cloud-init.disabled", "")
    add("etc/passwd", "ada:x:1000:1000::/home/ada:/bin/bash\n")(root)
    put(root, "home/ada/.ssh/authorized_keys", KEY)
    put(root, "etc/ssh/ssh_host_ed25519_key")
    put(root, "etc/hostname", "db1\n")


def _for_arm(root: Path) -> None:
    shell_for(ARM)(root)
    swap("boot/grub/grub.cfg", ARGS, ARGS.replace("console=ttyS0,115200 earlyprintk=ttyS0", PL011))(root)
    add(f"boot/config-{VERSION}", "CONFIG_SERIAL_AMBA_PL011_CONSOLE=y\n")(root)


KINDS = {
    "waagent": Kind(_by_waagent, {"kind": "generalized", "provisioner": "waagent"}),
    "specialized": Kind(_specialized, {"kind": "specialized", "provisioner": "cloud-init"}),
    "aarch64": Kind(_for_arm),
}
