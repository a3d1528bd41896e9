"""Users whom Azure lets in for a while (just-in-time access): the agent makes them from a document of the goal state.

The document's shape is WALinuxAgent's reading of it (`ga/remoteaccess.py`, Apache-2.0).
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from xml.etree.ElementTree import Element

from harness.azure.certificates import recipient_of
from harness.azure.envelope import seal
from harness.azure.xmltext import element
from harness.vm import VirtualMachine


@dataclass(frozen=True)
class RemoteUser:
    """Somebody who may log in with a password until a moment, in UTC."""

    name: str
    password: str = field(repr=False)
    expires: datetime


def remote_access(vm: VirtualMachine, users: Iterable[RemoteUser], transport: str, cipher: str) -> Element:
    """The document; only the owner of the transport certificate can read the passwords.

    Raises ValueError where certificate or cipher make no sense.
    """
    recipient = recipient_of(transport)

    def user(one: RemoteUser) -> Element:
        hidden = seal(one.password.encode("utf-16-le"), recipient, cipher)
        return element(
            "User",
            element("Name", one.name),
            element("Password", base64.b64encode(hidden).decode()),
            element("Expiration", format_datetime(one.expires, usegmt=True)),
        )

    incarnation = element("Incarnation", str(vm.incarnation))
    return element("RemoteAccess", element("Version", "1"), incarnation, element("Users", [user(one) for one in users]))
