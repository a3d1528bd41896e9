"""Network and host name (catalogue 2.5)."""

import re

from harness.checks.check import Complaints, check
from harness.etc import can_start, configuration, is_enabled
from harness.profile import GENERALIZED
from harness.tree import Tree

FILES = (
    "/etc/netplan/*.yaml",
    "/etc/network/interfaces",
    "/etc/network/interfaces.d/*",
    "/etc/systemd/network/*.network",
    "/etc/NetworkManager/system-connections/*.nmconnection",
    "/etc/sysconfig/network-scripts/ifcfg-[!l]*",
    "/etc/sysconfig/network/ifcfg-[!l]*",
)
STATIC = re.compile(
    r"^(.*match:.*macaddress:|address\s+\d|gateway\s|dns-nameservers\s|hwaddress\s|Address=\d|Gateway=|HWADDR=|MACAddress=|mac-address="
    r"|UUID=|IPADDR\d*=.|BOOTPROTO=.?(static|none)|address\d=|macaddress:|addresses:|gateway4:|method=manual"
    r"|iface\s+\S+\s+inet6?\s+static)",
    re.IGNORECASE,
)
STACKS = {
    "NetworkManager": ("NetworkManager.service",),
    "systemd-networkd": ("systemd-networkd.service",),
    "ifupdown": ("networking.service",),
    "wicked": ("wicked.service",),
    "network scripts": ("network.service",),
}
NEUTRAL_NAMES = ("", "localhost", "localhost.localdomain", "localhost.localdomain.localdomain")


@check("net.no-static", source="Microsoft: Marketplace security; Hyper-V issues", repair="Leave it to DHCP")
def no_address_is_fixed(tree: Tree) -> Complaints:
    """Azure hands out addresses by DHCP: what the build machine had is wrong on every VM."""
    for path, number, line in configuration(tree, *FILES):
        if STATIC.match(line):
            yield f"{path}:{number}: {line}"


@check("net.dhcp", source="Microsoft: Images without an agent", repair="Enable one network stack with a DHCP client")
def one_network_stack_is_enabled(tree: Tree) -> Complaints:
    """The first network card must come up by DHCP; two programs that both do it fight for the one address."""
    enabled = [name for name, units in STACKS.items() if is_enabled(tree, *units)]
    generated = tree.exists("/usr/sbin/netplan") or tree.exists("/usr/lib/netplan/generate")
    if "systemd-networkd" not in enabled and generated and can_start(tree, "systemd-networkd.service"):
        enabled.append("systemd-networkd")  # netplan enables it while booting
    if not enabled:
        yield "no network stack is enabled"
    if {"ifupdown", "systemd-networkd"} <= set(enabled) and _ifupdown_does_something(tree):
        yield "ifupdown and systemd-networkd are both enabled"


def _ifupdown_does_something(tree: Tree) -> bool:
    lines = configuration(tree, "/etc/network/interfaces", "/etc/network/interfaces.d/*")
    return any(re.match(r"iface\s+(?!lo\b)", line) for _, _, line in lines)


@check("net.hostname", source="WALinuxAgent", repair="Empty /etc/hostname, or write localhost", when=GENERALIZED)
def no_host_name_is_built_in(tree: Tree) -> Complaints:
    """Azure names each VM; one that keeps the build machine's name registers that in DNS."""
    name = tree.read_text("/etc/hostname").strip()
    if name not in NEUTRAL_NAMES:
        yield f"/etc/hostname says {name}"


@check("net.preserve-hostname", source="cloud-init", repair="Set preserve_hostname: false", when=GENERALIZED)
def cloud_init_may_set_the_host_name(tree: Tree) -> Complaints:
    """With it true the VM never takes the name that Azure gave it."""
    found = ""
    for path, number, line in configuration(tree, "/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/*.cfg"):
        if match := re.match(r"preserve_hostname:\s*(\w+)", line):
            found = f"{path}:{number}: {line}" if match[1].lower() in ("true", "yes", "on") else ""
    if found:
        yield found


@check("net.dhcp-timeout", severity="recommended", source="LISA dhcp", repair="Let it wait 300 seconds")
def the_dhcp_client_is_patient(tree: Tree) -> Complaints:
    """DHCP may answer late when many VMs start at once; a client that gives up leaves the VM without network."""
    for path, number, line in configuration(tree, "/etc/dhcp/dhclient.conf", "/etc/dhcp/dhclient.d/*.conf"):
        if (found := re.match(r"timeout\s+(\d+)", line)) and int(found[1]) < 300:
            yield f"{path}:{number}: {line}"
