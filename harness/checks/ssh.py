"""The SSH server and sudo (catalogue 2.6)."""

import re

from harness.checks.check import Complaints, check
from harness.etc import configuration, is_enabled, read_sshd
from harness.tree import Tree


@check("ssh.enabled", source="Microsoft: Prepare a Linux VHD", repair="Install openssh-server and enable it")
def an_ssh_server_starts(tree: Tree) -> Complaints:
    """It is the only way in: a VM without it can be created and never be used."""
    if not tree.exists("/usr/sbin/sshd"):
        yield "/usr/sbin/sshd is missing"
    elif not is_enabled(tree, "ssh.service", "sshd.service", "ssh.socket", "sshd.socket"):
        yield "neither ssh.service nor sshd.service nor a socket is enabled"


@check("ssh.alive", source="Microsoft: certification FAQ; LISA", repair="Set ClientAliveInterval 180")
def idle_sessions_are_kept_alive(tree: Tree) -> Complaints:
    """Azure's load balancer drops connections idle for four minutes; certification asks for 1 to 235 seconds."""
    value, path = read_sshd(tree).get("clientaliveinterval", ("0", "the built-in default"))
    seconds = _seconds(value)
    if not 0 < seconds < 236:
        yield f"{path}: ClientAliveInterval {value}"


def _seconds(value: str) -> int:
    units = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    return sum(int(number) * units[unit.lower()] for number, unit in re.findall(r"(\d+)([smhdwSMHDW]?)", value))


@check("ssh.root", severity="recommended", source="AlmaLinux's Azure images", repair="Set PermitRootLogin no")
def root_has_no_password_login(tree: Tree) -> Complaints:
    """Every address of Azure is tried for weak root passwords within minutes."""
    value, path = read_sshd(tree).get("permitrootlogin", ("prohibit-password", ""))
    if value.lower() == "yes":
        yield f"{path}: PermitRootLogin yes"


@check("sudo.targetpw", source="SUSE; LISA verify_default_targetpw", repair="Remove targetpw and its companion rule")
def sudo_asks_for_ones_own_password(tree: Tree) -> Complaints:
    """With targetpw the administrator would need root's password, and root has none."""
    for path, number, line in configuration(tree, "/etc/sudoers", "/etc/sudoers.d/*", "/usr/etc/sudoers"):
        if re.match(r"Defaults\s+(.*\s|.*,)?targetpw\b", line) or re.match(r"ALL\s+ALL\s*=\s*\(ALL\)\s*ALL", line):
            yield f"{path}:{number}: {line}"
