"""Time synchronisation (catalogue 2.11)."""

import re

from harness.checks.check import Complaints, check
from harness.etc import configuration, is_enabled
from harness.tree import Tree

DOCUMENTED = "Microsoft: Time sync for Linux VMs"
FILES = ("/etc/chrony.conf", "/etc/chrony/chrony.conf", "/etc/chrony.d/*.conf", "/etc/chrony/conf.d/*.conf")


@check(
    "time.chrony-ptp", severity="recommended", source=DOCUMENTED, repair="Add refclock PHC /dev/ptp_hyperv to chrony"
)
def the_clock_follows_the_host(tree: Tree) -> Complaints:
    """Azure has no NTP server of its own: the host's PTP clock is the exact one, and needs no network."""
    clocks = [line for _, _, line in configuration(tree, *FILES) if line.startswith("refclock PHC")]
    if not clocks:
        yield "chrony has no refclock PHC"
    for line in clocks:
        if "/dev/ptp_hyperv" not in line:
            yield f"{line}: there may be several PTP clocks, ptp_hyperv is the host's"
    if not is_enabled(tree, "chrony.service", "chronyd.service"):
        yield "chrony is not enabled"


@check("time.no-ntp-race", severity="recommended", source=DOCUMENTED, repair="Disable systemd-timesyncd")
def one_program_sets_the_clock(tree: Tree) -> Complaints:
    """Two programs that set the clock pull it to and fro."""
    chrony = is_enabled(tree, "chrony.service", "chronyd.service")
    if chrony and is_enabled(tree, "systemd-timesyncd.service"):
        yield "chrony and systemd-timesyncd are both enabled"


@check("time.utc", severity="recommended", source="vendors' images", repair="Link /etc/localtime to UTC")
def the_time_zone_is_utc(tree: Tree) -> Complaints:
    """Logs of VMs in several regions can only be compared in one zone."""
    zone = tree.link("/etc/localtime").rpartition("/zoneinfo/")[2]
    if zone and not re.fullmatch(r"(Etc/)?(UTC|UCT|Zulu|Universal|GMT)", zone):
        yield f"/etc/localtime leads to {zone}"
