"""The machines behind one set of Azure's addresses. Each has a host of its own, which answers it and nobody else.

DHCP tells them apart by network card, everything else by the address that a message comes from.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from harness.azure.host import AzureHost
from harness.azure.http import App, Request, Response
from harness.azure.journal import Journal
from harness.vm import NetworkInterface

STRANGER = Response(404, b"no machine of this network has your address")


@dataclass(frozen=True)
class Member:
    """A machine's host, its first card's MAC and address, and the addresses that it was leased `before`.

    `apps` are the services of its host, by their names.
    """

    host: AzureHost
    mac: str
    address: str
    before: tuple[str, ...] = ()
    apps: Mapping[str, App] = field(default_factory=dict)

    @property
    def cards(self) -> tuple[NetworkInterface, ...]:
        """Its network cards, the first one first, with all their addresses."""
        return replace(self.host.vm, mac=self.mac, address=self.address).interfaces

    @property
    def addresses(self) -> frozenset[str]:
        """Every address that it may speak from."""
        own = (address for card in self.cards for address in card.addresses)
        return frozenset((*own, *self.before))


class Members:
    """The machines of one network, at least one. Thread-safe: services ask in threads of their own."""

    def __init__(self, first: AzureHost) -> None:
        self._lock = threading.Lock()
        self._members: tuple[Member, ...] = (_new(first),)

    @contextmanager
    def joined(self, host: AzureHost) -> Iterator[None]:
        """A further machine is there until the block is left."""
        with self._lock:
            self._members = (*self._members, _new(host))
        try:
            yield
        finally:
            with self._lock:
                self._members = tuple(one for one in self._members if one.host is not host)

    def lease(self, host: AzureHost, mac: str, address: str) -> None:
        """From now on this machine's first card is `mac`, and gets this address."""
        self._change(host, lambda one: replace(one, mac=mac, address=address, before=(*one.before, one.address)))

    def open(self, host: AzureHost, apps: Mapping[str, App]) -> None:
        """Have a machine answered by these services."""
        self._change(host, lambda one: replace(one, apps=apps))

    def _change(self, host: AzureHost, change: Callable[[Member], Member]) -> None:
        with self._lock:
            self._members = tuple(change(one) if one.host is host else one for one in self._members)

    @property
    def cards(self) -> tuple[tuple[NetworkInterface, ...], ...]:
        """The network cards of each machine."""
        return tuple(one.cards for one in self._members)

    def of_card(self, mac: str) -> AzureHost:
        """Whose card it is; what nobody's card sends is heard by the first machine's host, which leases it nothing."""
        owners = (one.host for one in self._members if mac in {card.mac for card in one.cards})
        return next(owners, self._members[0].host)

    def journal_of(self, address: str) -> Journal:
        """Where it is kept what comes from an address: with the first machine's where nobody has it."""
        return (self._at(address) or self._members[0]).host.journal

    def desk(self, service: str) -> App:
        """The service as each machine's own host has it."""

        def answer(request: Request) -> Response:
            member = self._at(request.client)
            return member.apps[service](request) if member else STRANGER

        return answer

    def _at(self, address: str) -> Member | None:
        """Who speaks from this address. A machine that is alone is whoever speaks."""
        members = self._members
        if len(members) == 1:
            return members[0]
        return next((one for one in members if address in one.addresses), None)


def _new(host: AzureHost) -> Member:
    return Member(host, host.vm.mac, host.vm.address)
