"""What one machine alone may have: ids and keys, new on each machine and the same after each boot."""

import re
import uuid

from harness.checks.check import Complaints, check
from harness.evidence import GuestFacts
from harness.profile import CLOUD_INIT

SOURCE = "docs/azure/image-requirements.md 2.9"
MACHINE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


@check("run.machine-id", source=SOURCE, repair="Leave /etc/machine-id in the image as an empty file")
def the_machine_has_an_id_of_its_own(guest: GuestFacts) -> Complaints:
    """DHCP, the journal and management tools tell machines apart by it."""
    if not MACHINE_ID.fullmatch(guest["machine-id"]):
        yield f"/etc/machine-id holds {guest['machine-id']!r}"


@check("run.host-keys", source=SOURCE, repair="Let the provisioner or a unit make them at first boot")
def the_machine_has_ssh_host_keys(guest: GuestFacts) -> Complaints:
    """They were not in the image, so something must have made them."""
    if not guest.lines("host-keys"):
        yield "there is no /etc/ssh/ssh_host_*_key.pub"


@check(
    "run.identity-stays", source="docs/azure/host-protocol.md 6", repair="Find out what makes them anew at each boot"
)
def id_and_host_keys_stay_the_same_after_a_reboot(guest: GuestFacts, earlier: GuestFacts) -> Complaints:
    """SSH warns of an attack when a machine's keys change."""
    for what in ("machine-id", "host-keys"):
        if guest[what] != earlier[what]:
            yield f"{what} was {earlier[what][:80]!r} and is {guest[what][:80]!r}"


@check("run.instance-new", source="cloud-init", repair="Leave ssh_deletekeys on", when=CLOUD_INIT)
def cloud_init_makes_new_host_keys_for_a_new_machine(guest: GuestFacts, predecessor: GuestFacts) -> Complaints:
    """A disk with another VM id is another instance: its keys must not be those of a machine that somebody trusts."""
    for key in sorted(set(guest.lines("host-keys")) & set(predecessor.lines("host-keys"))):
        yield f"the machine before had the host key {key[:60]}, too"


@check("run.dhcp-identity-differs", source=SOURCE, repair="Empty /etc/machine-id, remove DUIDs and leases in the image")
def two_machines_tell_dhcp_apart(
    guest: GuestFacts, dhcp_ids: tuple[str, ...], twin_dhcp_ids: tuple[str, ...]
) -> Complaints:
    """A DHCP server that goes by the client's identifier gives both machines one lease."""
    for same in sorted(set(dhcp_ids) & set(twin_dhcp_ids)):
        yield f"both call themselves {same}"


@check("run.identity-differs", source=SOURCE, repair="Empty /etc/machine-id and delete the host keys in the image")
def two_machines_have_different_ids_and_host_keys(guest: GuestFacts, twin: GuestFacts) -> Complaints:
    """Who holds one machine's keys could pass for every other."""
    if guest["machine-id"] == twin["machine-id"]:
        yield f"both have the machine id {guest['machine-id']}"
    for key in set(guest.lines("host-keys")) & set(twin.lines("host-keys")):
        yield f"both have the host key {key[:60]}"


@check(
    "run.instance-id",
    severity="recommended",
    source="cloud-init",
    repair="Use cloud-init's Azure datasource",
    when=CLOUD_INIT,
)
def cloud_init_takes_the_vm_for_what_it_is(guest: GuestFacts) -> Complaints:
    """It provisions anew where the id changes: one that is not the VM's changes at the wrong time, or never does.
    Generation 1 writes the first half of it with its bytes swapped (SMBIOS before 2.6)."""
    seen, told = guest["vm-id"].lower(), guest["instance-id"].lower()
    if seen and told and told not in (seen, _swapped(seen)):
        yield f"cloud-init's instance is {told}, the VM's id {seen}"


def _swapped(id: str) -> str:
    """A UUID with the bytes of its first three fields in the other order; as it is where it is none."""
    try:
        return str(uuid.UUID(bytes_le=uuid.UUID(id).bytes))
    except ValueError:
        return id
