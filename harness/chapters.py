"""One boot as the checks see it: what was expected of it, what the guest said, and what was seen from outside."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from build.manifest import Manifest
from harness import cards, neighbours
from harness.azure.extensions import told_by_probe
from harness.azure.host import AzureHost
from harness.azure.journal import Journal
from harness.deadline import Gone, TooLate
from harness.evidence import GuestFacts
from harness.expected import Expected
from harness.injection import SWITCHED_ON
from harness.names import resolve, reverse
from harness.order import Order
from harness.play import Boot
from harness.profile import Profile
from harness.stage import Stage
from harness.stint import CHOSEN, PROBED, RENAMED, Act, Deed, Stint
from harness.vm import WIRESERVER

STARTS = (SWITCHED_ON, ("qmp", "RESET"))
"""Sources and events with which a machine starts anew."""


@dataclass(frozen=True)
class Chapter:
    """One boot: `label` stands before the ids of its verdicts and `words` before their titles; `facts` are what the
    checks may ask for, by parameter name."""

    label: str
    words: str
    boot: Boot
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the machine had to be called, "" where nobody knows."""
        return str(self.facts["expected"].name)


def chapter(
    stage: Stage,
    order: Order,
    profile: Profile,
    stint: Stint,
    act: Act | None,
    boot: Boot,
    before: Chapter | None,
    beside: Stage | None = None,
) -> Chapter:
    """What a boot showed, now that it is done; `before` is the boot before it, `act` what was done between them, and
    `beside` the machine that still runs in its network, whose last boot `before` is then."""
    same_stint = before if act else None
    deed = act.deed if act else None
    former = same_stint.name if same_stint else _given_name(order, profile)
    name = _name_after(deed, former, profile, boot.facts)
    expected = _expected(name, former if deed is Deed.CHOOSE else "", stage, order)
    facts = {
        "profile": profile,
        "expected": expected,
        "ending": boot.ending,
        "console": stage.console.text,
        "host": stage.host if order.seed == "azure" else None,
        "dhcp_ids": _dhcp_ids(stage.host),
        **_name_outside(stage, expected, late=deed is Deed.RENAME and name == RENAMED),
        "agent_name": _agent_name(stage.host.journal),
        "guest": boot.facts,
        **({"first_names": stage.host.hostnames[:1]} if stint.fresh and not act else {}),
        **({"reports": stage.host.health} if stint.pool != "None" else {}),
        **({"probed": _probed(stage.host, act.deed)} if act and act.deed in PROBED else {}),
        **({"data_disks": stint.data_disks} if stint.data_disks else {}),
        **({"resource_disk": stint.resource_disk} if stint.resource_disk else {}),
        **(_cards(stage) if stint.more_cards else {}),
        **(_meeting(stage, beside, expected.name, before.name) if beside and before and boot.facts else {}),
        **_compared(stint, act, before),
    }
    label = ".".join(filter(None, (stint.label, act.label if act else "")))
    words = ", ".join(filter(None, (stint.words, act.words if act else "")))
    return Chapter(label, words, boot, facts)


def _compared(stint: Stint, act: Act | None, before: Chapter | None) -> Mapping[str, Any]:
    """The boot before, by the name of what it is to this one: the same machine earlier, its twin, or the machine whose
    disk it took over."""
    if before is None:
        return {}
    if act is None and stint.is_twin:
        return {"twin": before.facts["guest"], "twin_dhcp_ids": before.facts["dhcp_ids"]}
    return {"predecessor" if act is None and stint.attached else "earlier": before.facts["guest"]}


def _cards(stage: Stage) -> Mapping[str, Any]:
    """What a guest that still answers has of its network cards."""
    with suppress(Gone, TooLate):
        return {"cards": cards.seen(stage.guest, stage.vm)}
    return {"cards": None}


def _meeting(stage: Stage, beside: Stage, name: str, other: str) -> Mapping[str, Any]:
    """What the guests of two machines of these names find of each other."""
    domain = stage.vm.domain
    with suppress(Gone, TooLate):
        there = neighbours.look(stage.guest, name, other, domain, beside.address)
        back = neighbours.look(beside.guest, other, name, domain, stage.address)
        return {"meeting": (there, back)}
    return {"meeting": None}


def _name_after(deed: Deed | None, before: str, profile: Profile, guest: GuestFacts | None) -> str:
    """What the machine must be called: only cloud-init takes over a name that the metadata service tells later, and
    only where it configures the network: else it has no reason to ask again (its stages.py, apply_network_config)."""
    if deed is Deed.CHOOSE:
        return CHOSEN
    asks_again = profile.provisioner == "cloud-init" and not (guest and guest["network-left"])
    return RENAMED if deed is Deed.RENAME and asks_again else before


def _given_name(order: Order, profile: Profile) -> str:
    if profile.kind == "specialized":
        return Manifest.load(order.container).hostname if order.container.is_dir() else ""
    return order.name


def _expected(name: str, former: str, stage: Stage, order: Order) -> Expected:
    data, now = stage.vm.os_profile, stage.host.vm.os_profile
    return Expected(
        name=name,
        former=former,
        admin=order.admin,
        address=stage.address,
        custom_data=data.custom_data if data else order.custom_data,
        user_data=data.user_data if data else order.user_data,
        marks=not order.own_data,
        disk_size=order.disk_size,
        machine=order.machine,
        seed=order.seed,
        given=now.computer_name if now else "",
        on_disc=data.computer_name if data else "",
    )


def _probed(host: AzureHost, deed: Deed) -> tuple[str, str]:
    """What the extension should say and what it said, "" where it said nothing."""
    word, secret, number = PROBED[deed]
    return f"word {word}, secret {secret}", told_by_probe(host.status, number)


def _dhcp_ids(host: AzureHost) -> tuple[str, ...]:
    """How the guest's DHCP clients identified themselves (option 61), each once, in order."""
    told = (str(entry.details.get("client_id", "")) for entry in host.journal.find("dhcp"))
    return tuple(dict.fromkeys(one for one in told if one))


def _agent_name(journal: Journal) -> str | None:
    """The machine's name as the agent's status has told it since the guest's last restart, None while it has told none:
    until it restarts, the agent of the boot before may still send one."""
    since = takewhile(lambda entry: (entry.source, entry.event) not in STARTS, reversed(journal.entries))
    return next((str(entry.details["computer_name"]) for entry in since if entry.source == "status"), None)


def _reversed(address: str) -> tuple[str, ...]:
    try:
        return reverse(WIRESERVER, address)
    except OSError:
        return ()


def _name_outside(stage: Stage, expected: Expected, *, late: bool) -> Mapping[str, Any]:
    """The name as DHCP and DNS have it; nothing of it where the guest took it over `late`, once its network was up."""
    if late:
        return dict.fromkeys(("hostnames", "published", "reversed_name"))
    return {
        "hostnames": stage.host.hostnames,
        "published": _published(f"{expected.name}.{stage.vm.domain}"),
        "reversed_name": _reversed(expected.address),
    }


def _published(name: str) -> tuple[str, ...]:
    try:
        return resolve(WIRESERVER, name)
    except OSError:
        return ()
