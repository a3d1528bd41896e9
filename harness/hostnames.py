"""The machine's name wherever it shows after each boot, as rows of a table: they must all agree."""

from collections.abc import Iterator

from harness.chapters import Chapter
from harness.checks.hostname import imds_name, names_in_hosts
from harness.evidence import GuestFacts
from harness.report import NameSeen


def names_seen(chapters: tuple[Chapter, ...]) -> tuple[NameSeen, ...]:
    """The table's rows, boot after boot; none of a boot whose guest nobody could ask, but what DHCP heard."""
    return tuple(row for chapter in chapters for row in _rows(chapter))


def _rows(chapter: Chapter) -> Iterator[NameSeen]:
    facts, expected = chapter.facts, chapter.facts["expected"]
    boot = chapter.words or "at first boot"

    def row(where: str, name: str, wanted: str = expected.name) -> NameSeen:
        return NameSeen(boot, where, name, not wanted or name == wanted)

    heard = facts["hostnames"]
    if heard is not None:
        yield from (row(f"DHCP option 12, {number} of {len(heard)}", name) for number, name in enumerate(heard, 1))
        yield row("DNS, forward", expected.name if facts["published"] == (expected.address,) else "unknown")
        yield row("DNS, reverse", ", ".join(name.partition(".")[0] for name in facts["reversed_name"]) or "unknown")
    if facts["agent_name"] is not None:
        yield row("agent's status", facts["agent_name"])
    if (guest := facts["guest"]) is not None:
        yield from (row(*told) for told in _in_the_guest(guest, expected.name, expected.given, expected.on_disc))


def _in_the_guest(guest: GuestFacts, name: str, given: str, on_disc: str) -> Iterator[tuple[str, str, str]]:
    """Where, what, and what it had to be; a place that holds no name is left out where it may hold none."""
    if found := imds_name(guest):
        yield "metadata service", found, given
    if found := guest["disc-name"]:
        yield "provisioning disc", found, on_disc
    yield "kernel", guest["kernel-name"], name
    yield "hostnamectl, static", guest["static-name"], name
    if found := guest["transient-name"]:
        yield "hostnamectl, transient", found, name
    yield from (("/etc/hosts", one.partition(".")[0], name) for one in names_in_hosts(guest))
