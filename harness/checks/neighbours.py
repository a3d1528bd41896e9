"""Two machines of one network: each finds the other by its name, and reaches it."""

from harness.checks.check import Complaints, check
from harness.neighbours import Seen

SOURCE = "docs/azure/host-protocol.md 4.10, 6"
NAMES = "See hostname.dhcp: names reach Azure's DNS that way"

Meeting = tuple[Seen, ...]


@check("network.names", source=SOURCE, repair=NAMES)
def each_machine_finds_the_other_by_its_full_name(meeting: Meeting) -> Complaints:
    """Machines of one virtual network know each other by the names that Azure's DNS has from their DHCP clients."""
    for seen in meeting:
        if not seen.is_it(seen.full):
            yield f"{seen.asker} finds {_told(seen.full)} for {seen.full_name}, not {seen.address}"


@check("network.reverse", source=SOURCE, repair=NAMES)
def each_machine_knows_who_has_the_others_address(meeting: Meeting) -> Complaints:
    """Kerberos, mail and logs look up who an address is."""
    for seen in meeting:
        if seen.full_name not in seen.back.split()[1:]:
            yield f"{seen.asker} finds {_told(seen.back)} for {seen.address}, not {seen.full_name}"


@check("network.reach", source=SOURCE, repair="Let SSH through the image's own firewall")
def each_machine_reaches_the_other(meeting: Meeting) -> Complaints:
    """What is not forbidden by a rule of Azure's may pass between machines of one virtual network."""
    for seen in meeting:
        if not seen.banner.startswith("SSH-"):
            yield f"{seen.asker} hears {_told(seen.banner)} on port 22 of {seen.name} at {seen.address}"


def _told(answer: str) -> str:
    return repr(answer) if answer else "nothing"
