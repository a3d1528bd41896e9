"""Provisioning discs that are wrong in one respect, by name: what they hold, and how they are read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.azure.ovf import ovf_environment
from harness.vm import VirtualMachine

LONG_PASSWORD = "Kiln-" + "x" * 75
"""Longer than the 72 characters that bcrypt takes, and cloud-init since 26.2."""


@dataclass(frozen=True)
class Disc:
    """`edit` changes the document ovf-env.xml; without `udf` the disc is ISO 9660 alone; one that is not `readable`
    answers every read with an error; one that is not `there` leaves the drive empty."""

    edit: Callable[[str], str] = lambda text: text
    udf: bool = True
    readable: bool = True
    there: bool = True


def _set(element: str, value: str) -> Callable[[str], str]:
    return lambda text: re.sub(rf"(<{element}>)[^<]*(</{element}>)", rf"\g<1>{value}\g<2>", text)


def _add(before: str, words: str) -> Callable[[str], str]:
    return lambda text: text.replace(f"<{before}>", f"{words}<{before}>", 1)


def _without(element: str) -> Callable[[str], str]:
    return lambda text: re.sub(rf"<{element}>[^<]*</{element}>", "", text)


DISCS: Mapping[str, Disc] = {
    "missing": Disc(there=False),
    "unreadable": Disc(readable=False),
    "iso9660": Disc(udf=False),
    "bad xml": Disc(lambda text: text[: len(text) // 2]),
    "empty": Disc(lambda text: ""),
    "two names": Disc(_add("UserName", "<HostName>second-name</HostName>")),
    "bad base64": Disc(_set("CustomData", "not*base64*at=all")),
    "no user": Disc(_without("UserName")),
    "long password": Disc(_add("DisableSshPasswordAuthentication", f"<UserPassword>{LONG_PASSWORD}</UserPassword>")),
    "no guest agent": Disc(_set("ProvisionGuestAgent", "false")),
    "proxy agent": Disc(_add("KmsServerHostname", "<ProvisionGuestProxyAgent>true</ProvisionGuestProxyAgent>")),
}


def document(disc: Disc, vm: VirtualMachine) -> str:
    """What such a disc says of this machine. Raises CallerError for a specialized one, which has none."""
    return disc.edit(ovf_environment(vm))
