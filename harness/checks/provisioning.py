"""cloud-init (catalogue 2.8)."""

import re

from harness import cloudinit
from harness.checks.check import Complaints, check
from harness.cloudinit import CONFIGURATION
from harness.etc import configuration, is_enabled, unit_exists
from harness.grub import Entry
from harness.profile import CLOUD_INIT, ENTERPRISE, GENERALIZED, SUSE, Profile
from harness.tree import Tree

DOCUMENTED = "Microsoft: Prepare a Linux image with cloud-init; cloud-init documentation"
INSTALLERS = (
    "50-curtin-networking.cfg",
    "curtin-preserve-sources.cfg",
    "99-installer.cfg",
    "subiquity-disable-cloudinit-networking.cfg",
)
PROVISIONS = GENERALIZED & CLOUD_INIT
SPARES_CARDS = (19, 4)
"""The first version that leaves the virtual functions of accelerated networking alone."""
NEEDS_NO_DISC = (21, 2)
"""The first version that provisions from the metadata service where the disc cannot be read."""
OWN_NETWORK = (
    "/etc/netplan/*.yaml",
    "/etc/network/interfaces",
    "/etc/network/interfaces.d/*",
    "/etc/systemd/network/*.network",
    "/etc/sysconfig/network-scripts/ifcfg-[!l]*",
    "/etc/sysconfig/network/ifcfg-[!l]*",
)
"""Where an image may configure the network itself; NetworkManager needs no file for DHCP."""


@check("ci.enabled", source=DOCUMENTED, repair="Let nothing switch it off, and enable its units", when=PROVISIONS)
def cloud_init_starts(tree: Tree, entry: Entry) -> Complaints:
    """It is the provisioner of this image: without it nobody gets in, and Azure never hears that the VM is ready."""
    if tree.exists("/etc/cloud/cloud-init.disabled"):
        yield "/etc/cloud/cloud-init.disabled switches it off"
    if "disabled" in entry.values("cloud-init"):
        yield "the command line has cloud-init=disabled"
    stages = [("cloud-init-local.service",), ("cloud-init-network.service", "cloud-init.service")]
    stages += [("cloud-config.service",), ("cloud-final.service",)]
    for units in stages:
        if not is_enabled(tree, *units) and not _pulled_in(tree, *units):
            yield f"{' or '.join(units)} is not enabled"


def _pulled_in(tree: Tree, *units: str) -> bool:
    """Whether cloud-init's generator enables them: units in its own target, which it switches on while booting."""
    target = tree.list("/usr/lib/systemd/system/cloud-init.target.wants")
    return any(unit in target and unit_exists(tree, unit) for unit in units)


@check("ci.datasource", source=DOCUMENTED, repair="Write datasource_list: [ Azure ] to cloud.cfg.d", when=PROVISIONS)
def cloud_init_asks_azure_alone(tree: Tree) -> Complaints:
    """Other sources cost time on each boot, and let whoever attaches a disc or answers an address provision the VM."""
    found: tuple[str, ...] = ()
    where = "no file"
    for path in (path for pattern in CONFIGURATION for path in tree.glob(pattern)):
        if names := datasources(tree.read_text(path)):
            found, where = names, path
    if not found:
        yield "datasource_list is not set, so every known source is asked"
    elif found[0] != "Azure" or set(found) - {"Azure", "None"}:
        yield f"{where}: datasource_list is {', '.join(found)}"
    if tree.exists("/etc/cloud/ds-identify.cfg"):
        text = " ".join(line for _, _, line in configuration(tree, "/etc/cloud/ds-identify.cfg"))
        if ("datasource:" in text and "Azure" not in text) or "policy: disabled" in text:
            yield f"/etc/cloud/ds-identify.cfg says {text}"


def datasources(text: str) -> tuple[str, ...]:
    """The names of a datasource_list, written in one line or one a line."""
    if inline := re.search(r"^datasource_list:\s*\[([^\]]*)\]", text, re.MULTILINE):
        return tuple(re.findall(r"[\w-]+", inline[1]))
    block = re.search(r"^datasource_list:[ \t]*\n((?:[ \t]*-[ \t]*\S+[ \t]*\n?)+)", text, re.MULTILINE)
    return tuple(re.findall(r"-[ \t]*['\"]?(\w+)", block[1])) if block else ()


@check("ci.kvp", severity="recommended", source=DOCUMENTED, repair="Add 10-azure-kvp.cfg", when=PROVISIONS)
def cloud_init_reports_to_the_host(tree: Tree) -> Complaints:
    """Azure's support sees over KVP how far provisioning came; the key must be `reporting` in small letters."""
    texts = [tree.read_text(path) for pattern in CONFIGURATION for path in tree.glob(pattern)]
    if not any(re.search(r"^reporting:(.|\n)*?type:\s*['\"]?hyperv", text, re.MULTILINE) for text in texts):
        yield "no file sets reporting … type: hyperv"


@check("ci.logging", severity="recommended", source=DOCUMENTED, repair="Restore 05_logging.cfg", when=PROVISIONS)
def cloud_init_keeps_its_output(tree: Tree) -> Complaints:
    """/var/log/cloud-init-output.log is the first thing that support asks for."""
    texts = [tree.read_text(path) for pattern in CONFIGURATION for path in tree.glob(pattern)]
    if not any("cloud-init-output.log" in text for text in texts):
        yield "no file sends its output to /var/log/cloud-init-output.log"


@check("ci.installer-leftovers", source="Microsoft: Prepare an Ubuntu VHD", repair="Delete that file", when=CLOUD_INIT)
def no_installer_left_its_settings(tree: Tree) -> Complaints:
    """They pin the build machine's network, users or sources."""
    for name in INSTALLERS:
        if tree.exists(f"/etc/cloud/cloud.cfg.d/{name}"):
            yield f"/etc/cloud/cloud.cfg.d/{name}"


@check("ci.users", severity="recommended", source=DOCUMENTED, repair="Restore the default", when=PROVISIONS)
def cloud_init_makes_fresh_keys_and_locks_root(tree: Tree) -> Complaints:
    """Host keys must differ from VM to VM, and root stays closed."""
    for path, number, line in configuration(tree, *CONFIGURATION):
        if re.match(r"(disable_root|ssh_deletekeys):\s*(false|no|off|0)\b", line, re.IGNORECASE):
            yield f"{path}:{number}: {line}"


@check("ci.yaml", source=DOCUMENTED, repair="Indent with spaces", when=CLOUD_INIT)
def no_configuration_holds_tabs(tree: Tree) -> Complaints:
    """cloud-init skips a file that is not YAML, with a warning that nobody sees."""
    for path in (path for pattern in CONFIGURATION for path in tree.glob(pattern)):
        for number, line in enumerate(tree.read_text(path).splitlines(), 1):
            if re.match(r" *\t", line):
                yield f"{path}:{number} is indented with a tab"


@check(
    "ci.netconf",
    severity="recommended",
    source="Microsoft: Prepare a Red Hat, a SUSE VHD; Debian's Azure images",
    repair="Set datasource: Azure: apply_network_config: False, or give the network a configuration of the image's own",
    when=PROVISIONS,
)
def one_program_configures_the_network(tree: Tree, entry: Entry, profile: Profile) -> Complaints:
    """Where the distribution's own tools look after the network (Red Hat's, SUSE's), cloud-init's settings outlive a
    change of network cards; where cloud-init is told to leave it alone, something else must ask for an address."""
    off = list(cloudinit.left_alone(tree))
    if "disabled" in entry.values("network-config"):
        off.append(("the command line", 0, "network-config=disabled"))
    applies, told = cloudinit.applies(tree)
    if (ENTERPRISE | SUSE).holds(profile) and applies and not off:
        where = f"{told[0]}:{told[1]}: {told[2]}" if told else "no file sets apply_network_config"
        yield f"{where}: cloud-init writes settings for each card that it sees"
    if off and not is_enabled(tree, "NetworkManager.service") and not _asks_for_an_address(tree):
        path, number, line = off[-1]
        yield f"{path}:{number}: {line}: and no file of the image's own asks for an address"


def _asks_for_an_address(tree: Tree) -> bool:
    return any(re.search(r"dhcp", line, re.IGNORECASE) for _, _, line in configuration(tree, *OWN_NETWORK))


@check(
    "ci.version",
    severity="recommended",
    source="Microsoft: Prepare a Linux VHD; accelerated networking",
    repair="Install a newer cloud-init",
    when=CLOUD_INIT,
)
def cloud_init_is_not_too_old(tree: Tree) -> Complaints:
    """Versions before 21.2 need the provisioning disc, those before 19.4 take the cards of accelerated networking for
    more cards of their own."""
    found = cloudinit.version(tree)
    for least, lack in ((SPARES_CARDS, "knows nothing of virtual functions"), (NEEDS_NO_DISC, "needs the disc")):
        if () < found < least:
            yield f"cloud-init {'.'.join(map(str, found))} is older than {'.'.join(map(str, least))}, and {lack}"
