"""The name, which Azure gives and learns back from DHCP alone: it must be the same everywhere."""

import re

from harness.azure.host import AzureHost
from harness.checks.check import Complaints, check
from harness.evidence import GuestFacts
from harness.expected import Expected
from harness.profile import GENERALIZED

CONTRACT = "docs/azure/host-protocol.md 6"
PROVISIONER = "Find out which provisioner sets the name, and when"
LOOPBACK_NAMES = re.compile(r"localhost[46]?(\.localdomain[46]?)?|ipv?6-\w+|broadcasthost")


def imds_name(guest: GuestFacts) -> str:
    """The computer name that the metadata service told the guest."""
    profile = guest.json("imds").get("osProfile")
    return str(profile.get("computerName", "")) if isinstance(profile, dict) else ""


def names_in_hosts(guest: GuestFacts) -> tuple[str, ...]:
    """The names in /etc/hosts but those of every machine."""
    lines = [line.partition("#")[0].split()[1:] for line in guest.lines("hosts")]
    return tuple(dict.fromkeys(name for names in lines for name in names if not LOOPBACK_NAMES.fullmatch(name)))


def _differs(what: str, found: str, expected: Expected) -> Complaints:
    if expected.name and found != expected.name:
        yield f"{what} is {found!r}, and the machine is called {expected.name!r}"


@check("hostname.given", source=CONTRACT, repair="Is the guest's copy of an older machine?", when=GENERALIZED)
def metadata_service_and_disc_give_the_name(guest: GuestFacts, expected: Expected, host: AzureHost) -> Complaints:
    """These two are where a provisioner learns the name; the disc's copy in the guest must be this machine's."""
    sources = [("metadata service", imds_name(guest), expected.given)]
    if guest["disc-name"]:
        sources.append(("provisioning disc", guest["disc-name"], expected.on_disc))
    for source, found, given in sources:
        if given and found != given:
            yield f"the name from the {source} is {found!r}, and Azure gave {given!r}"


@check("hostname.kernel", source=CONTRACT, repair=PROVISIONER)
def the_kernel_has_the_name(guest: GuestFacts, expected: Expected) -> Complaints:
    """It is what prompts, logs and DHCP clients use."""
    yield from _differs("the kernel's name", guest["kernel-name"], expected)


@check("hostname.static", source=CONTRACT, repair=PROVISIONER)
def the_name_is_kept_for_the_next_boot(guest: GuestFacts, expected: Expected) -> Complaints:
    """A name that only the kernel has is gone after a reboot."""
    yield from _differs("the static name", guest["static-name"], expected)


@check("hostname.transient", source=CONTRACT, repair="Let DHCP set no name: Azure never sends one")
def no_other_name_is_in_force(guest: GuestFacts, expected: Expected) -> Complaints:
    """A transient name hides the static one until it is gone."""
    if guest["transient-name"]:
        yield from _differs("the transient name", guest["transient-name"], expected)


@check("hostname.hosts", source=CONTRACT, repair="Write /etc/hosts without the build machine's name")
def the_hosts_file_holds_no_other_name(guest: GuestFacts, expected: Expected) -> Complaints:
    """A stale name in /etc/hosts answers for a machine that does not exist."""
    # Where cloud-init manages the file, it keeps the name that Azure gave, whatever the administrator chose since.
    known = (expected.name, expected.former)
    for name in names_in_hosts(guest):
        if expected.name and name.partition(".")[0] not in known:
            yield f"/etc/hosts names {name!r}"


@check("hostname.resolves", source=CONTRACT, repair="Install libnss-myhostname, or let cloud-init manage /etc/hosts")
def the_guest_resolves_its_own_name(guest: GuestFacts) -> Complaints:
    """sudo, mail and databases wait for a timeout where it does not."""
    if not guest["resolved-name"]:
        yield f"getent hosts {guest['kernel-name']} finds nothing"


@check("hostname.dhcp", source=CONTRACT, repair="Set the name before the network's DHCP client starts")
def the_last_dhcp_request_carries_the_name(
    hostnames: tuple[str, ...], expected: Expected, guest: GuestFacts
) -> Complaints:
    """Azure's DNS learns a name from the DHCP client alone, and its leases never end: what came last stays."""
    if not hostnames:
        yield "no DHCP client of the guest ever sent a name"
    else:
        yield from _differs("the last name sent by DHCP", hostnames[-1], expected)


@check(
    "hostname.stale-first",
    severity="recommended",
    source=CONTRACT,
    repair="Leave no name in the image: empty /etc/hostname, remove old leases and DHCP client settings",
    when=GENERALIZED,
)
def no_other_machines_name_is_sent_first(first_names: tuple[str, ...], expected: Expected) -> Complaints:
    """Azure's leases never end: a name that is corrected too late, or not at all, stays in DNS for good."""
    for name in first_names:
        if expected.name and name != expected.name and not LOOPBACK_NAMES.fullmatch(name):
            yield f"the first DHCP request carried the name {name!r}"


@check("hostname.agent", source=CONTRACT, repair="Restart the agent when the name changes")
def the_agent_tells_the_name(agent_name: str, expected: Expected, guest: GuestFacts) -> Complaints:
    """Azure shows the name that the agent's status tells as the machine's computer name."""
    yield from _differs("the name in the agent's status", agent_name, expected)


@check("hostname.reverse", source=CONTRACT, repair="See hostname.dhcp: names reach Azure's DNS that way")
def its_address_leads_back_to_its_name(
    reversed_name: tuple[str, ...], expected: Expected, guest: GuestFacts
) -> Complaints:
    """Kerberos, mail and logs look up who an address is."""
    if expected.name and [name.partition(".")[0] for name in reversed_name] != [expected.name]:
        yield f"DNS knows {', '.join(reversed_name) or 'no name'} for {expected.address}, not {expected.name}"


@check("hostname.dns", source=CONTRACT, repair="See hostname.dhcp: names reach Azure's DNS that way")
def other_machines_find_it_by_its_name(published: tuple[str, ...], expected: Expected, guest: GuestFacts) -> Complaints:
    """A machine without a name in DNS is found by nobody in its network."""
    if expected.name and published != (expected.address,):
        yield f"DNS knows {', '.join(published) or 'no address'} for {expected.name}, not {expected.address}"
