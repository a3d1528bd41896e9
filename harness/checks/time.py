"""Time synchronisation (catalogue 2.11)."""

import re

from harness.checks.check import Complaints, check
from harness.etc import configuration, is_enabled
from harness.grub import Entry
from harness.kernels import Kernel, release_numbers
from harness.tree import Tree

DOCUMENTED = "Microsoft: Time sync for Linux VMs"
PTP, PTP_BACKPORT = (4, 11), (3, 10, 0, 693)
"""The first kernel that shows the host's clock, and that of RHEL 7, which took it over."""
CLOCKS = ("hyperv_clocksource_tsc_page", "hyperv_clocksource", "tsc", "arch_sys_counter")
"""What the kernel may count time by on Azure; it chooses among them by itself."""
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


@check("time.ptp-kernel", severity="recommended", source=DOCUMENTED, repair="Use a newer kernel, with PTP_1588_CLOCK")
def the_kernel_shows_the_hosts_clock(kernels: dict[str, Kernel]) -> Complaints:
    """chrony reads the host's time from a PTP clock that hv_utils makes: without one it has no exact source at all."""
    for version, kernel in kernels.items():
        numbers = release_numbers(version)
        backported = ".el" in version and numbers[:3] == PTP_BACKPORT[:3] and numbers >= PTP_BACKPORT
        if () < numbers < PTP and not backported:
            yield f"kernel {version} is older than 4.11: its hv_utils makes no PTP clock"
        elif kernel.config and kernel.config.get("PTP_1588_CLOCK") not in ("y", "m"):
            yield f"kernel {version} has no PTP_1588_CLOCK"


@check("time.clocksource", severity="recommended", source="LISA timesync", repair="Take it off the command line")
def the_kernel_chooses_its_clock_by_itself(entry: Entry) -> Complaints:
    """Hyper-V's own clock is read within the guest; one that was forced for another host is slow, or missing."""
    for name in entry.values("clocksource")[-1:]:
        if name not in CLOCKS:
            yield f"the command line has clocksource={name}"
