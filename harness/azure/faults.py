"""Faults of the host's services: layers between a message and the service that answers it, which knows nothing of them.

Each fault is a value. Which messages it meets is decided by their order, by the time since the first that it met, and,
where it is to meet a share of them, by a seed: the same messages at the same times meet the same faults.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Final

from harness.azure import dhcp
from harness.azure.dhcp import Message
from harness.azure.dhcp_relay import NODE, Answer
from harness.azure.edits import EDITS
from harness.azure.http import App, Ending, Request, Response
from harness.azure.journal import Journal

Clock = Callable[[], float]
FOREVER: Final = float("inf")


@dataclass(frozen=True)
class Window:
    """When a fault is in force: from `begins` seconds after the machine was switched on, or once the journal has an
    entry `since` (source and event); then for `seconds` after the first message that it met, and `times` messages at
    most, of those that it could meet a `share`."""

    begins: float = 0.0
    since: tuple[str, str] | None = None
    seconds: float = FOREVER
    times: float = FOREVER
    share: float = 1.0


@dataclass(frozen=True)
class HttpFault:
    """What goes wrong at the `service` (imds, wireserver, hostplugin) for requests with `path` in path and query.

    `status` None leaves the service's own answer, which `edit` changes, a name in `harness.azure.edits`. The answer
    comes `after` so many seconds and ends as `ending` says.
    """

    service: str
    path: str = ""
    window: Window = Window()
    status: int | None = None
    body: bytes = b""
    edit: str = ""
    after: float = 0.0
    ending: Ending = Ending.WHOLE


@dataclass(frozen=True)
class DhcpFault:
    """What goes wrong with leases: no answer at all, a NAK instead, answers without some options or with other ones.

    `naks` are given to requests alone. `options` are put into each answer in place of its own, None takes one out.
    """

    window: Window = Window()
    silent: bool = False
    naks: bool = False
    options: tuple[tuple[int, bytes | None], ...] = ()


class Force:
    """Whether a fault is in force, message by message: it remembers how many it met, and since when."""

    def __init__(self, window: Window, journal: Journal, clock: Clock, seed: str) -> None:
        self._window, self._journal, self._clock = window, journal, clock
        self._dice = random.Random(seed)
        self._met, self._first = 0, FOREVER

    def meets(self) -> bool:
        """Whether the message that has just come meets the fault."""
        window, now = self._window, self._clock()
        if now < window.begins or (window.since and not self._journal.find(*window.since)):
            return False
        if self._met >= window.times or now >= self._first + window.seconds:
            return False
        self._first = min(self._first, now)
        if window.share < 1 and self._dice.random() >= window.share:
            return False
        self._met += 1
        return True


def troubled(
    app: App, service: str, faults: Sequence[HttpFault], journal: Journal, clock: Clock | None = None, seed: int = 0
) -> App:
    """A service behind those of these faults that are its own; the first in force is met, and goes into the journal."""
    forces = [
        (one, Force(one.window, journal, clock or (lambda: journal.now), f"{seed}/{service}/{number}"))
        for number, one in enumerate(faults)
        if one.service == service
    ]

    def answer(request: Request) -> Response:
        for fault, force in forces:
            if fault.path in request.target and force.meets():
                journal.add("fault", service, path=request.target, does=_words(fault))
                return _spoiled(fault, app, request)
        return app(request)

    return answer if forces else app


def _spoiled(fault: HttpFault, app: App, request: Request) -> Response:
    if fault.status is None:
        response = app(request)
    else:
        response = Response(fault.status, fault.body, {"Content-Type": "text/plain"})
    if fault.edit:
        response = replace(response, body=EDITS[fault.edit](response.body))
    return replace(response, after=fault.after, ending=fault.ending)


def _words(fault: HttpFault) -> str:
    told = (
        f"status {fault.status}" if fault.status is not None else "",
        fault.edit,
        f"{fault.after:g} s late" if fault.after else "",
        fault.ending.value if fault.ending is not Ending.WHOLE else "",
    )
    return ", ".join(filter(None, told))


def troubled_dhcp(answer: Answer, faults: Sequence[DhcpFault], journal: Journal, clock: Clock | None = None) -> Answer:
    """The path of DHCP messages behind these faults."""
    now = clock or (lambda: journal.now)
    forces = [(one, Force(one.window, journal, now, f"dhcp/{number}")) for number, one in enumerate(faults)]

    def path(message: Message) -> Message | None:
        met = [fault for fault, force in forces if _concerns(fault, message) and force.meets()]
        if any(fault.silent for fault in met):
            journal.add("fault", "dhcp", does="silence", to=message.type)
            return None
        if any(fault.naks for fault in met):
            journal.add("fault", "dhcp", does="NAK", to=message.type)
            return _nak(message)
        reply = answer(message)
        if reply is None or not (changed := tuple(one for fault in met for one in fault.options)):
            return reply
        journal.add("fault", "dhcp", does="other options", options=sorted({code for code, _ in changed}))
        return replace(reply, options=reply.with_options(*changed))

    return path


def _concerns(fault: DhcpFault, message: Message) -> bool:
    return message.type == "REQUEST" if fault.naks else message.type not in ("RELEASE", "DECLINE")


def _nak(request: Message) -> Message:
    """The refusal that sends a client back to its beginning (RFC 2131 section 4.3.2)."""
    options = ((dhcp.TYPE, b"\x06"), (dhcp.SERVER_ID, NODE.packed))
    return replace(request, op=2, giaddr=NODE, ciaddr=IPv4Address(0), yiaddr=IPv4Address(0), options=options)
