"""Device names and rules (catalogue 2.4)."""

import re
from collections.abc import Iterator

from harness.checks.check import Complaints, check
from harness.etc import configuration
from harness.initrd import Initrd
from harness.profile import CLOUD_INIT, GENERATION_2
from harness.tree import Tree

RULES = ("/etc/udev/rules.d", "/usr/lib/udev/rules.d")
PERSISTENT = (
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/etc/udev/rules.d/75-persistent-net-generator.rules",
    "/usr/lib/udev/rules.d/75-persistent-net-generator.rules",
    "/etc/udev/rules.d/85-persistent-net-cloud-init.rules",
)
DISK_RULES = (
    "/etc/udev/rules.d/*.rules",
    *(f"/usr/lib/udev/rules.d/*{word}*.rules" for word in ("scsi", "disk", "stor", "azure", "timeout")),
)
"""Rules about disks: all that the image's maker wrote, and those of packages that are called so."""
LEAST_TIMEOUT = 300
"""Seconds that Azure's storage may keep a disk waiting, by the agent's own setting."""
TIMEOUT = re.compile(r'ATTRS?\{(?:device/)?timeout\}\s*:?=\s*"(\d+)"')
OTHER_VENDOR = re.compile(r'(vendor|ID_VENDOR)\}\s*==\s*"(?!Msft|\*)')


def _has_rule(tree: Tree, *names: str) -> bool:
    return any(tree.exists(f"{folder}/{name}") for folder in RULES for name in names)


@check("udev.no-persistent-net", source="LISA azure_image_standard; WALinuxAgent", repair="Delete that file")
def no_network_card_is_remembered(tree: Tree) -> Complaints:
    """Each VM has another MAC address: a name that is tied to the build machine's leaves eth0 unused."""
    masked = tree.link("/etc/udev/rules.d/75-persistent-net-generator.rules") == "/dev/null"
    for path in PERSISTENT:
        generator = path.endswith("75-persistent-net-generator.rules")
        if tree.is_file(path) and tree.read_bytes(path, 1) and not (generator and masked):
            yield f"{path} ties names to network cards"
    for path in (*tree.glob("/etc/systemd/network/*.link"), *tree.glob("/usr/lib/systemd/network/*.link")):
        if re.search(r"^\s*(PermanentMAC|MAC)Address\s*=", tree.read_text(path), re.MULTILINE):
            yield f"{path} matches a MAC address"


@check(
    "udev.azure-storage", severity="recommended", source="WALinuxAgent; azure-vm-utils", repair="Install one of them"
)
def azure_disks_get_their_links(tree: Tree) -> Complaints:
    """/dev/disk/azure/… is how scripts and documents name data disks by LUN."""
    if not _has_rule(tree, "66-azure-storage.rules", "80-azure-disk.rules"):
        yield "neither 66-azure-storage.rules nor 80-azure-disk.rules"


@check("udev.ci-ephemeral", source="cloud-init", repair="Install cloud-init's udev rules", when=CLOUD_INIT)
def cloud_init_finds_the_resource_disk(tree: Tree) -> Complaints:
    """`ephemeral0` is a link that this rule makes: without it the resource disk stays unused."""
    if not _has_rule(tree, "66-azure-ephemeral.rules"):
        yield "66-azure-ephemeral.rules is missing"


@check("udev.sriov-unmanaged", source="azure-vm-utils; Red Hat", repair="Install azure-vm-utils or such a rule")
def virtual_functions_are_left_alone(tree: Tree) -> Complaints:
    """The fast network card mirrors the slow one's address: whoever configures it as well breaks both."""
    udev = ("10-azure-unmanaged-sriov.rules", "68-azure-sriov-nm-unmanaged.rules")
    if (
        configures_any_card(tree)
        and not _has_rule(tree, *udev)
        and not any(_spares_mellanox(tree, path) for path in _manager_files(tree))
    ):
        yield "no rule keeps the network manager away from virtual functions"


def configures_any_card(tree: Tree) -> bool:
    """Whether the image has a network manager that takes cards unasked: ifupdown and wicked configure only those that
    they are told by name."""
    return tree.exists("/usr/sbin/NetworkManager") or _networkd_runs(tree)


def _manager_files(tree: Tree) -> Iterator[str]:
    for folder in ("/etc", "/usr/lib"):
        yield from tree.glob(f"{folder}/systemd/network/*.network")
        yield from tree.glob(f"{folder}/NetworkManager/conf.d/*.conf")


def _spares_mellanox(tree: Tree, path: str) -> bool:
    text = tree.read_text(path)
    return "mlx5_core" in text and re.search(r"^\s*(Unmanaged=yes|unmanaged-devices)", text, re.MULTILINE) is not None


def _networkd_runs(tree: Tree) -> bool:
    netplan = tree.exists("/usr/sbin/netplan")
    return netplan or bool(tree.glob("/etc/systemd/system/*.wants/systemd-networkd.service"))


@check("udev.ptp", severity="recommended", source="Microsoft: Time sync", repair="Add the rule for ptp_hyperv")
def the_hosts_clock_has_a_steady_name(tree: Tree) -> Complaints:
    """There may be several PTP clocks; only the one called hyperv is the host's."""
    rules = [path for folder in RULES for path in tree.glob(f"{folder}/*.rules")]
    if not any("ptp_hyperv" in tree.read_text(path) for path in rules if re.search(r"ptp|default|azure|chrony", path)):
        yield "no udev rule makes /dev/ptp_hyperv"


@check(
    "udev.nvme-id",
    severity="recommended",
    source="azure-vm-utils; Microsoft: Azure VM utilities",
    repair="Install azure-vm-utils where the distribution has it, and make the initramfs anew",
    when=GENERATION_2,
)
def nvme_disks_get_their_links(tree: Tree, initrds: dict[str, Initrd]) -> Complaints:
    """On the newest VM sizes only azure-nvme-id knows which NVMe disk is which LUN, and which is the temporary one."""
    rule, program = _has_rule(tree, "80-azure-disk.rules"), _has_program(tree)
    if not rule and not program:
        yield "azure-vm-utils is not installed: no azure-nvme-id, no 80-azure-disk.rules"
    elif not rule or not program:
        yield f"{'80-azure-disk.rules' if program else 'azure-nvme-id'} is missing"
    for version, initrd in initrds.items():
        names = {name.rpartition("/")[2] for name in initrd.names if name.startswith(("usr/", "sbin/", "bin/", "etc/"))}
        if "80-azure-disk.rules" in names and "azure-nvme-id" not in names:
            yield f"the initramfs of kernel {version} has 80-azure-disk.rules without the azure-nvme-id that it calls"


def _has_program(tree: Tree) -> bool:
    return any(tree.exists(f"{folder}/azure-nvme-id") for folder in ("/usr/sbin", "/usr/bin"))


@check("scsi.timeout", severity="recommended", source="LISA storage; WALinuxAgent", repair="Remove that rule")
def no_rule_shortens_the_patience_with_disks(tree: Tree) -> Complaints:
    """The agent gives each disk 300 seconds to answer; a rule that sets less lets the root turn read-only meanwhile."""
    for path, number, line in configuration(tree, *DISK_RULES):
        found = TIMEOUT.search(line)
        if found and int(found[1]) < LEAST_TIMEOUT and not OTHER_VENDOR.search(line):
            yield f"{path}:{number}: {line}"
