"""Network settings as each family of distributions has them, and accelerated networking (catalogue 2.5)."""

import re

from harness import cloudinit
from harness.checks.check import Complaints, check
from harness.checks.udev import configures_any_card
from harness.etc import configuration, is_enabled, read_settings
from harness.profile import CLOUD_INIT, ENTERPRISE, GENERALIZED, SPECIALIZED, SUSE, UBUNTU, Profile
from harness.tree import Tree

MICROSOFT = "Microsoft: Prepare a Linux VHD for upload"
UNMANAGED = (
    "/etc/NetworkManager/conf.d/*.conf",
    "/usr/lib/NetworkManager/conf.d/*.conf",
    "/etc/systemd/network/*.network",
    "/usr/lib/systemd/network/*azure*.network",
)
RULES = ("10-azure-unmanaged-sriov.rules", "68-azure-sriov-nm-unmanaged.rules")
INSTALLER = ("/etc/netplan/00-installer-config*.yaml", "/etc/netplan/01-netcfg.yaml", "/etc/netplan/01-network-*.yaml")
IFCFG = "/etc/sysconfig/network-scripts/ifcfg-eth0"
WANTED = {"ONBOOT": "yes", "BOOTPROTO": "dhcp"}
DHCP = ("dhcp", "dhcp4", "dhcp+autoip")
PROVISIONS = GENERALIZED & CLOUD_INIT


@check(
    "net.unmanaged-vf",
    severity="recommended",
    source="Microsoft: accelerated networking",
    repair="Install azure-vm-utils, or have NetworkManager leave mlx4_core and mlx5_core alone",
    # cloud-init's own settings name the one card (`ci.version`).
    when=SPECIALIZED | ~CLOUD_INIT,
)
def the_fast_card_below_the_first_one_is_left_alone(tree: Tree) -> Complaints:
    """With accelerated networking each card has a twin without an address of its own: who configures that one too
    takes the machine off the network."""
    if not configures_any_card(tree):
        return
    rules = any(
        tree.exists(f"{folder}/{one}") for folder in ("/etc/udev/rules.d", "/usr/lib/udev/rules.d") for one in RULES
    )
    said = any(re.search(r"mlx[45]_core|AZURE_UNMANAGED_SRIOV", line) for _, _, line in configuration(tree, *UNMANAGED))
    if not rules and not said:
        yield "nothing says that cards of mlx4_core, mlx5_core and mana are not to be configured"


def _major(profile: Profile) -> int:
    found = re.match(r"\d+", profile.version)
    return int(found[0]) if found else 0


@check(
    "net.el7",
    source=MICROSOFT,
    repair="Set NETWORKING=yes, and ONBOOT=yes and BOOTPROTO=dhcp for eth0",
    when=ENTERPRISE,
)
def network_scripts_bring_up_the_first_card(tree: Tree, profile: Profile) -> Complaints:
    """Release 7 has network scripts: without these lines no card comes up, and nobody can say why."""
    if _major(profile) != 7:
        return
    if read_settings(tree.read_text("/etc/sysconfig/network")).get("NETWORKING") != "yes":
        yield "/etc/sysconfig/network does not say NETWORKING=yes"
    own = read_settings(tree.read_text(IFCFG))
    for key, value in WANTED.items():
        if own.get(key, "").lower() != value:
            yield f"{IFCFG} does not say {key}={value}"


@check(
    "net.el8",
    source=MICROSOFT,
    repair="Enable NetworkManager, and delete what it was told on the build machine",
    when=ENTERPRISE,
)
def network_manager_brings_up_the_first_card(tree: Tree, profile: Profile) -> Complaints:
    """From release 8 on it is what configures the network; a profile of the build machine's keeps it from doing so."""
    if _major(profile) < 8:
        return
    if not is_enabled(tree, "NetworkManager.service"):
        yield "NetworkManager.service is not enabled"
    for path in tree.glob("/etc/NetworkManager/system-connections/*.nmconnection"):
        told = read_settings(tree.read_text(path))
        if told.get("autoconnect") == "false" or ("uuid" in told and GENERALIZED.holds(profile)):
            yield f"{path} is a profile of the machine that the image was made on"


@check(
    "net.nm-cloud-setup",
    severity="recommended",
    source="RHEL's and AlmaLinux's Azure images",
    repair="Enable nm-cloud-setup.timer with NM_CLOUD_SETUP_AZURE=yes",
    when=ENTERPRISE,
)
def secondary_addresses_are_fetched(tree: Tree, profile: Profile) -> Complaints:
    """Further addresses of a card are not given by DHCP: they are asked for at the metadata service."""
    if _major(profile) < 8 or (PROVISIONS.holds(profile) and _cloud_init_asks(tree)):
        return
    drop_ins = configuration(tree, "/etc/systemd/system/nm-cloud-setup.service.d/*.conf")
    if not is_enabled(tree, "nm-cloud-setup.timer", "nm-cloud-setup.service"):
        yield "neither nm-cloud-setup.timer nor nm-cloud-setup.service is enabled"
    elif not any("NM_CLOUD_SETUP_AZURE=yes" in line for _, _, line in drop_ins):
        yield "nm-cloud-setup is not told NM_CLOUD_SETUP_AZURE=yes"


def _cloud_init_asks(tree: Tree) -> bool:
    """Whether cloud-init looks after the network: then it asks for all addresses itself."""
    return cloudinit.applies(tree)[0] and not cloudinit.left_alone(tree)


@check("net.ubuntu", source=MICROSOFT, repair="Install netplan.io, and delete what the installer wrote", when=UBUNTU)
def netplan_configures_the_network(tree: Tree, profile: Profile) -> Complaints:
    """cloud-init hands over the network to netplan; the installer's own file ties it to one card."""
    if not any(
        tree.exists(path) for path in ("/usr/sbin/netplan", "/usr/lib/netplan/generate", "/usr/libexec/netplan")
    ):
        yield "netplan is missing"
    for pattern in INSTALLER if GENERALIZED.holds(profile) else ():
        for path in tree.glob(pattern):
            yield f"{path} is the installer's"


@check("net.suse", source=MICROSOFT, repair='Set DHCLIENT_SET_HOSTNAME="no", and leave eth0 to DHCP', when=SUSE)
def wicked_leaves_the_name_alone(tree: Tree) -> Complaints:
    """wicked's DHCP client takes a name from the network, over the one that Azure gave; it has no say elsewhere."""
    if not is_enabled(tree, "wicked.service"):
        return
    told = read_settings(tree.read_text("/etc/sysconfig/network/dhcp"))
    if told.get("DHCLIENT_SET_HOSTNAME", "yes").strip("'") != "no":
        yield '/etc/sysconfig/network/dhcp does not say DHCLIENT_SET_HOSTNAME="no"'
    for path in tree.glob("/etc/sysconfig/network/ifcfg-eth*"):
        if read_settings(tree.read_text(path)).get("BOOTPROTO", "dhcp").strip("'") not in DHCP:
            yield f"{path} is not for DHCP"
