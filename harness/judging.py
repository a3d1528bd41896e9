"""Judging a performance: the verdicts on each boot, and what a reader must know beside them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.chapters import Chapter
from harness.checks import all_checks
from harness.checks.check import judge
from harness.evidence import GuestFacts
from harness.inspect import FACTS
from harness.neighbours import unfound
from harness.performance import NOT_EXERCISED, Performance
from harness.report import Status, Verdict
from harness.shared import shared

LACKS = {
    "guest": "nobody could log in to the guest",
    "host": "a NoCloud run reports to nobody",
    "earlier": "the boot before this one failed",
    "twin": "the other machine did not come up",
    "agent_name": "the agent has sent no status yet",
    "predecessor": "the machine before this one did not come up",
    "cards": "nobody could log in to the guest",
    **dict.fromkeys(
        ("hostnames", "published", "reversed_name"),
        "cloud-init asks again once the network is up: DHCP and DNS learn the new name at the boot after",
    ),
    "meeting": "one of the two machines no longer answered",
}
SOMETIMES = frozenset(
    {
        *("earlier", "twin", "twin_dhcp_ids", "predecessor"),
        *("first_names", "data_disks", "resource_disk", "reports", "probed", "cards", "meeting"),
    }
)
"""Facts that only some boots have: another boot's, or those of a machine that something was done to."""


def verdicts(chapters: tuple[Chapter, ...]) -> Iterator[Verdict]:
    """The verdicts on each boot; the ids of all but a machine's first tell which boot it is."""
    for chapter in chapters:
        for verdict in _judged(chapter.facts):
            yield _told_of(chapter, verdict) if chapter.label else verdict


def _told_of(chapter: Chapter, verdict: Verdict) -> Verdict:
    return replace(verdict, id=f"{chapter.label}.{verdict.id}", title=f"{chapter.words}, {verdict.title}")


def _judged(facts: Mapping[str, Any]) -> Iterator[Verdict]:
    """What the checks of a booted guest say; one that compares two boots, say, is asked where there are two."""
    lacking = SOMETIMES - set(facts)
    online = [one for one in all_checks() if not set(one.needs) <= FACTS and not lacking & set(one.needs)]
    return judge(online, facts, LACKS)


def has_failed(found: Iterable[Verdict]) -> bool:
    """Whether a required check has."""
    return any(one.status is Status.FAILED and one.severity == "required" for one in found)


def notes(played: Performance) -> tuple[str, ...]:
    """What bounds the proof, and what was seen that is neither good nor bad."""
    told = ["QEMU has no VMBus: hv_storvsc and hv_netvsc did not drive this machine; `inspect` looks for them."]
    if played.machine.get("boot_loader") == NOT_EXERCISED:
        told.append("The kernel was started by QEMU with an argument of ours: the boot loader was not exercised.")
    told += shared(played.chapters)
    for chapter in played.chapters:
        told += unfound(chapter.facts.get("meeting") or ())
    guest: GuestFacts | None = played.chapters[-1].boot.facts
    if guest:
        told.append(
            f"By its own clock the guest needed {guest.settled:.1f} s until SSH was up and cloud-init done, "
            f"and {guest['uptime'].partition(' ')[0]} s until all was asked."
        )
    return tuple(told)
