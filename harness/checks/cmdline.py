"""The kernel's command line, as the default entry of GRUB's menu has it (catalogue 2.2)."""

import re

from harness.checks.check import Complaints, check
from harness.etc import configuration
from harness.grub import Entry
from harness.initrd import Initrd
from harness.profile import AARCH64, GENERATION_2, X86_64, Profile
from harness.tree import Tree

GENERIC = "Microsoft: Prepare a Linux VHD for upload (generic steps)"
NAMED_CARDS = (
    "/etc/netplan/*.yaml",
    "/etc/network/interfaces",
    "/etc/network/interfaces.d/*",
    "/etc/systemd/network/*.network",
    "/etc/NetworkManager/system-connections/*.nmconnection",
    "/etc/sysconfig/network-scripts/ifcfg-eth0",
    "/etc/sysconfig/network/ifcfg-eth0",
)
"""Where a network card may be configured by its name."""


@check("cmdline.console", source=GENERIC, repair="Put console=ttyS0 last on the kernel's command line")
def the_kernel_speaks_on_the_serial_port(entry: Entry, profile: Profile) -> Complaints:
    """Azure's boot diagnostics and serial console see that port and nothing else."""
    port = "ttyAMA0" if profile.arch == "aarch64" else "ttyS0"
    if port not in [value.partition(",")[0] for value in entry.values("console")]:
        yield f"the default entry has no console={port}: {' '.join(entry.args)}"


@check("cmdline.earlyprintk", severity="recommended", source=GENERIC, repair="Add earlyprintk=ttyS0", when=X86_64)
def the_kernel_speaks_early(entry: Entry) -> Complaints:
    """Without it a kernel that dies before its console driver starts leaves no trace in boot diagnostics."""
    if not any(value.startswith("ttyS0") for value in entry.values("earlyprintk")):
        yield "the default entry has no earlyprintk=ttyS0"


@check(
    "cmdline.earlycon",
    severity="recommended",
    source="Debian's, Ubuntu's and Red Hat's Azure images",
    repair="Add earlycon=pl011,0xeffec000",
    when=AARCH64,
)
def the_kernel_speaks_early_on_aarch64(entry: Entry) -> Complaints:
    """As earlyprintk on x86_64; the address is that of Azure's port."""
    if "pl011,0xeffec000" not in entry.values("earlycon"):
        yield "the default entry has no earlycon=pl011,0xeffec000"


@check("cmdline.rootdelay", severity="recommended", source="measured; initramfs-tools", repair="See the command line")
def the_root_delay_suits_the_initramfs(entry: Entry, initrds: dict[str, Initrd]) -> Complaints:
    """initramfs-tools sleeps a root delay out on every boot (five minutes); dracut ends it when the root appears."""
    tools = any(
        "scripts/functions" in initrd.names or "conf/initramfs.conf" in initrd.names for initrd in initrds.values()
    )
    delays = entry.values("rootdelay")
    if tools and delays:
        yield f"rootdelay={delays[-1]} with initramfs-tools: take it off the command line"


@check("cmdline.root-uuid", source="Microsoft: storage names change", repair="Use root=UUID= or root=PARTUUID=")
def the_root_is_named_for_good(entry: Entry) -> Complaints:
    """Disk names depend on the controller and on the order of discovery; they change from one VM size to the next."""
    roots = entry.values("root")
    if not roots:
        yield f"the default entry names no root: {' '.join(entry.args)}"
    elif re.match(r"/dev/(sd|vd|hd|xvd|nvme)", roots[-1]):
        yield f"root={roots[-1]}"


@check("cmdline.no-quiet", severity="recommended", source=GENERIC, repair="Take it off the kernel's command line")
def the_kernel_is_not_hushed(entry: Entry) -> Complaints:
    """All that Azure shows of a boot that fails is what the kernel prints."""
    for word in ("quiet", "rhgb", "splash", "splash=silent"):
        if word in entry.args:
            yield f"the default entry has {word}"


@check("cmdline.forbidden", source="Microsoft; LISA verify_grub", repair="Take it off the kernel's command line")
def nothing_on_the_command_line_breaks_provisioning(entry: Entry) -> Complaints:
    """They switch the IDE controller or its CD drive off, which brings the provisioning disc on generation 1."""
    for word in ("libata.atapi_enabled=0", "reserve=0x1f0,0x8"):
        if word in entry.args:
            yield f"the default entry has {word}"


@check("cmdline.nvme-timeout", source="Microsoft: NVMe FAQ", repair="Add nvme_core.io_timeout=240", when=GENERATION_2)
def nvme_disks_get_time_to_answer(entry: Entry, tree: Tree) -> Complaints:
    """Remote NVMe disks may pause longer than Linux's 30 seconds, after which the root turns read-only."""
    rules = tree.glob("/usr/lib/udev/rules.d/80-azure-disk.rules")
    if not rules and "240" not in entry.values("nvme_core.io_timeout"):
        yield "neither nvme_core.io_timeout=240 nor azure-vm-utils' 80-azure-disk.rules"


@check(
    "cmdline.ifnames",
    severity="recommended",
    source="Microsoft: Prepare a Red Hat, an Oracle Linux VHD",
    repair="Add net.ifnames=0, or configure the card by something else than its name",
)
def the_card_that_is_configured_keeps_its_name(tree: Tree, entry: Entry) -> Complaints:
    """Settings for eth0 are for nobody where systemd calls the card otherwise: the VM has no network then."""
    if "0" in entry.values("net.ifnames"):
        return
    for path, number, line in configuration(tree, *NAMED_CARDS):
        if path.endswith("/ifcfg-eth0"):
            yield f"{path} configures eth0, and the default entry has no net.ifnames=0"
            return
        # netplan's name for a card that it finds by something else (match) is a word of its own.
        if re.search(r"\beth0\b", line) and not ("/netplan/" in path and "match:" in tree.read_text(path)):
            yield f"{path}:{number}: {line}: the default entry has no net.ifnames=0"
