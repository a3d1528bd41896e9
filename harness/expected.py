"""What a guest was given, and must therefore show."""

from dataclasses import dataclass

from harness.machines import MachineProfile

RAN = "/var/lib/kiln-custom-data-ran"
CUSTOM_DATA = f"#!/bin/sh\nuname -n >>{RAN}\n".encode()
"""Sent where the caller sends none: a script, whose trace tells how often it was run and under which name."""
USER_DATA = b"user data of the pretend host\n"


@dataclass(frozen=True)
class Expected:
    """Name, administrator and data as Azure passed them; `marks` tells whether the custom data leaves its mark.

    `name` is what the machine must be called now, `given` what the metadata service tells and `on_disc` what the
    provisioning disc told: the same unless it was renamed since. `former` is its name before its administrator chose
    another, "" where nobody did.
    `disk_size` is in bytes; `seed` is "azure" or "nocloud". A foreign specialized image has no name that we know.
    """

    name: str
    admin: str
    address: str
    custom_data: bytes
    user_data: bytes
    marks: bool
    disk_size: int
    machine: MachineProfile
    seed: str
    given: str = ""
    on_disc: str = ""
    former: str = ""
