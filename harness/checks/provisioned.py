"""What the provisioner had to do: report, take over what Azure passed, and no more."""

import base64
import binascii

from harness.azure.host import AzureHost, HealthReport
from harness.checks.check import Complaints, check
from harness.evidence import AGENTS, GuestFacts
from harness.expected import RAN, Expected
from harness.ignition import MARK
from harness.profile import CLOUD_INIT, GENERALIZED, PROVISIONED, SPECIALIZED, WAAGENT, Profile
from harness.vm import IMDS

CATALOGUE = "docs/azure/image-requirements.md 2.14"
PROTOCOL = "docs/azure/host-protocol.md 7"


@check("run.report-ready", source=PROTOCOL, repair="See the provisioner's log on the console", when=GENERALIZED)
def the_host_sees_ready(host: AzureHost) -> Complaints:
    """Without it Azure lets the deployment run into its timeout of 20 minutes, and may restart the machine."""
    if host.failure:
        yield f"{host.failure.client} reported failed provisioning: {host.failure.description}"
    if not host.ready:
        seen = [f"{report.client} said {report.state}" for report in host.health]
        yield f"no Ready that fits the goal state came; {'; '.join(seen) or 'no health report at all'}"
    elif host.latest_health and host.latest_health.state != "Ready":
        yield f"the last report says {host.latest_health.state} ({host.latest_health.substatus})"


@check(
    "run.dvd-ejected",
    severity="recommended",
    source="docs/azure/host-protocol.md 2.1",
    repair="Install eject",
    when=GENERALIZED & PROVISIONED,
)
def the_provisioning_disc_is_given_back(host: AzureHost, guest: GuestFacts) -> Complaints:
    """Azure takes the disc away; a guest that holds it mounted delays that."""
    if not host.ejected:
        yield "the disc still lies in the drive"


@check("run.datasource", source=CATALOGUE, repair="See /var/log/cloud-init.log", when=GENERALIZED & CLOUD_INIT)
def cloud_init_is_done_without_an_error(guest: GuestFacts, expected: Expected) -> Complaints:
    """What cloud-init could not do is missing on every machine."""
    # What `cloud-init status` tells it reads from these two files, as a program in Python, slow to start.
    status, result = (guest.json(name).get("v1", {}) for name in ("status", "result"))
    if not result:
        yield f"cloud-init is not done: its stage is {status.get('stage', 'not known')}"
    for error in result.get("errors", []):
        yield f"cloud-init met an error: {error}"
    wanted = {"azure": "Azure", "nocloud": "NoCloud"}[expected.seed]
    if result and wanted not in str(result.get("datasource")):
        yield f"cloud-init took its data from {result.get('datasource')}, not from {wanted}"


@check(
    "run.custom-data",
    source="docs/azure/host-protocol.md 2.3",
    repair="Is udf usable, and the disc read?",
    when=GENERALIZED,
)
def custom_data_arrives(guest: GuestFacts, expected: Expected, profile: Profile) -> Complaints:
    """It is how people configure their machines; Azure passes it on the disc alone."""
    if profile.provisioner == "ignition":
        # It keeps no copy: what the config asked for is what tells.
        if expected.marks and guest.lines("ran") != [MARK.strip()]:
            yield f"the custom data, an Ignition config, writes {RAN}, which holds {guest['ran'][:80]!r}"
        return
    sent = expected.custom_data if expected.seed == "azure" else b""  # a NoCloud disc wraps it
    if sent not in _decoded(guest["custom-data"]):
        yield f"the {len(sent)} bytes of custom data are not in the guest"
    if profile.provisioner == "cloud-init" and expected.marks and len(guest.lines("ran")) != 1:
        yield f"the custom data, a script, must run once: {RAN} tells {len(guest.lines('ran'))} times"


@check(
    "run.user-data",
    source="docs/azure/host-protocol.md 2.3",
    repair=f"Is {IMDS} reachable from the guest?",
    when=GENERALIZED,
)
def user_data_can_be_had(guest: GuestFacts, expected: Expected, host: AzureHost) -> Complaints:
    """Unlike custom data it can be changed later, and is read from the metadata service at any time."""
    told = guest.json("imds")
    if told.get("vmId") != str(host.vm.vm_id):
        yield f"the guest reached no metadata service, or another machine's: it read {guest['imds'][:80]!r}"
    elif base64.b64decode(str(told.get("userData"))) != expected.user_data:
        yield f"the metadata service told the guest other user data: {str(told.get('userData'))[:80]!r}"


@check("run.agent", source=CATALOGUE, repair="Enable the agent's unit", when=PROVISIONED)
def the_azure_agent_runs(guest: GuestFacts, host: AzureHost) -> Complaints:
    """Extensions, and with them backup and monitoring, are the agent's work."""
    states = [guest.units[name]["ActiveState"] for name in AGENTS if name in guest.units]
    if "active" not in states:
        yield f"the agent's unit is {' and '.join(states) or 'not there'}: {guest['agent-log'][-300:]}"


@check("run.agent-provisioned", source=PROTOCOL, repair="See /var/log/waagent.log", when=GENERALIZED & WAAGENT)
def the_agent_has_provisioned_the_machine(guest: GuestFacts, host: AzureHost) -> Complaints:
    """An agent that reports ready without having made the user is a false success."""
    if "/var/lib/waagent/provisioned" not in guest.lines("provisioned"):
        # What it told the host is the reason; its log goes on with other matters.
        told = host.failure.description if host.failure else guest["agent-log"][-300:]
        yield f"/var/lib/waagent/provisioned is missing: {told}"


@check("run.extension", source="Azure: virtual machine extensions for Linux", repair="See /var/log/waagent.log")
def an_extension_gets_its_settings_and_answers(probed: tuple[str, str], guest: GuestFacts) -> Complaints:
    """Backup, monitoring and whatever else comes to a machine later come as extensions."""
    wanted, told = probed
    if told != wanted:
        yield f"the extension says {told!r} and should say {wanted!r}: {guest['agent-log'][-300:]}"


@check("run.pool", source="cloud-init: DataSourceAzure", repair="See /var/log/cloud-init.log", when=CLOUD_INIT)
def a_machine_of_a_pool_reports_to_its_owner_too(reports: tuple[HealthReport, ...], guest: GuestFacts) -> Complaints:
    """Azure keeps machines ready ahead: one that does not report again after its hand-over is lost to its owner."""
    ready = [one for one in reports if one.ready and one.client == "cloud-init"]
    if len(ready) < 2:
        yield f"cloud-init reported ready {len(ready)} times, and should do so before and after the hand-over"


@check("run.no-provisioner", source="docs/azure/host-protocol.md 8", repair="Disable it in the image", when=SPECIALIZED)
def nothing_provisions_a_specialized_machine(guest: GuestFacts, host: AzureHost, expected: Expected) -> Complaints:
    """It has its name and its users already; a provisioner would overwrite them with stale ones."""
    if "/var/lib/cloud/instance" in guest.lines("provisioned"):
        yield "cloud-init made this machine an instance of its own"
    for report in host.health:
        if report.client in ("cloud-init", "azure-init", "report-ready"):
            yield f"{report.client} reported {report.state}"
    for user in guest.lines("users"):
        if user != expected.admin:
            yield f"there is a user {user} besides {expected.admin}"


def _decoded(text: str) -> bytes:
    """Everything in the text that is Base64 of its own, decoded, and the text itself."""
    found = [text.encode()]
    for word in text.split():
        try:
            found.append(base64.b64decode(word, validate=True))
        except (binascii.Error, ValueError):
            continue
    return b"\n".join(found)
