"""The network cards of a guest as its kernel has them: the addresses of each, and where its default routes lead."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.guest import Guest
from harness.vm import NetworkInterface, VirtualMachine

QUESTION = "ip -j address; echo; ip -j -4 route show default"


@dataclass(frozen=True)
class Cards:
    """What the guest has: `addresses` are the IPv4 ones of each card, by its MAC; `routes` are its default routes, each
    the MAC of the card that it leads through and its metric, the one that counts first."""

    addresses: Mapping[str, tuple[str, ...]]
    routes: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class CardsSeen:
    """The cards that Azure gave a machine, the first one first, and what its guest made of them."""

    given: tuple[NetworkInterface, ...]
    found: Cards


def seen(guest: Guest, vm: VirtualMachine) -> CardsSeen:
    """The cards of a VM whose guest answers SSH. Raises Gone or TooLate."""
    return CardsSeen(vm.interfaces, parse(guest.run(QUESTION, fresh=True).stdout))


def parse(printed: str) -> Cards:
    """The answer to QUESTION; nothing where it is none."""
    answers = [_rows(line) for line in printed.splitlines() if line.strip()]
    links, routes = [*answers, [], []][:2]
    macs = {one.get("ifname"): str(one.get("address", "")) for one in links}
    addresses = {
        macs[one.get("ifname")]: tuple(
            str(each["local"]) for each in one.get("addr_info", ()) if each.get("family") == "inet"
        )
        for one in links
    }
    leading = [(macs.get(one.get("dev"), ""), int(one.get("metric", 0))) for one in routes]
    return Cards(addresses, tuple(sorted(leading, key=lambda route: route[1])))


def _rows(line: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(line)
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
