"""Firewalls within the guest (catalogue 2.5): what they certainly stop."""

import re
from collections.abc import Iterator

from harness import iptables, nftables
from harness.checks.check import Complaints, check
from harness.etc import configuration, is_enabled, read_settings
from harness.packetfilter import Base, Packet, Rules, blocking
from harness.tree import Tree

WIRESERVER, METADATA = "168.63.129.16", "169.254.169.254"
NEEDED = {
    Packet("input", 22): "no SSH in",
    Packet("output", 80, WIRESERVER): f"nothing out to {WIRESERVER}, which provisions",
    Packet("output", 32526, WIRESERVER): f"nothing out to port 32526 of {WIRESERVER}, by which extensions come",
    Packet("output", 53, WIRESERVER, "udp"): f"no question out to {WIRESERVER}, Azure's name server",
    Packet("output", 80, METADATA): f"nothing out to {METADATA}, the metadata service",
}
"""What a guest lives by. DHCP goes past these firewalls: its clients have sockets of their own."""
IPTABLES = ("/etc/iptables/rules.v4", "/etc/sysconfig/iptables")
NFTABLES = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf")
UFW_RULES, UFW_DEFAULTS = "/etc/ufw/user.rules", "/etc/default/ufw"
UFW_POLICIES = {"input": "DROP", "output": "ACCEPT"}
"""What ufw does where its defaults do not say it."""


@check(
    "net.firewall",
    source="Microsoft: What is IP address 168.63.129.16",
    repair="Let SSH in, and the host's addresses out",
)
def the_firewall_lets_the_host_and_ssh_through(tree: Tree) -> Complaints:
    """A guest that cannot reach its host never reports ready; one that lets no SSH in is lost to its administrator."""
    yield from _firewalld(tree)
    if read_settings(tree.read_text("/etc/ufw/ufw.conf")).get("ENABLED") == "yes":
        yield from _stopped(_ufw(tree))
    if is_enabled(tree, "netfilter-persistent.service", "iptables.service"):
        yield from _stopped(iptables.read(configuration(tree, *IPTABLES)))
    if is_enabled(tree, "nftables.service"):
        path = next((one for one in NFTABLES if tree.is_file(one)), "")
        try:
            yield from _stopped(nftables.read(tree, path))
        except nftables.Unclear:
            return  # booting it proves it


def _stopped(rules: Rules) -> Iterator[str]:
    """The same rule may stop several packets: it is told of the first."""
    told: dict[str, str] = {}
    for packet, what in NEEDED.items():
        if where := blocking(rules, packet):
            told.setdefault(where, what)
    for where, what in told.items():
        yield f"{where}: this lets {what}"


def _ufw(tree: Tree) -> Rules:
    """ufw's own rules stand before the policies of its defaults; what it adds itself lets through what was begun."""
    defaults = read_settings(tree.read_text(UFW_DEFAULTS))
    bases = {}
    for hook, usual in UFW_POLICIES.items():
        key = f"DEFAULT_{hook.upper()}_POLICY"
        policy = defaults.get(key, usual)
        bases[f"ufw-user-{hook}"] = Base("", hook, policy in ("DROP", "REJECT"), f"{UFW_DEFAULTS}: {key}={policy}")
    return iptables.with_bases(iptables.read(configuration(tree, UFW_RULES)), bases)


def _firewalld(tree: Tree) -> Iterator[str]:
    if not is_enabled(tree, "firewalld.service"):
        return
    zone = read_settings(tree.read_text("/etc/firewalld/firewalld.conf")).get("DefaultZone", "public")
    own = [f"{folder}/{zone}.xml" for folder in ("/etc/firewalld/zones", "/usr/lib/firewalld/zones")]
    path = next((one for one in own if tree.is_file(one)), "")
    text = tree.read_text(path) if path else ""
    if path and not re.search(r'service name="ssh"|port="22"|target="ACCEPT"', text):
        yield f"{path} lets no SSH in, and is firewalld's default zone"
