"""What must not be baked into a generalized image (catalogue 2.9)."""

import re
from collections.abc import Iterator

from harness.checks.check import Complaints, check
from harness.etc import Account, makes_host_keys
from harness.profile import GENERALIZED, Profile
from harness.tree import Tree

DEPROVISION = "WALinuxAgent deprovisioning; cloud-init clean"
SECURITY = "Microsoft: Security recommendations for Marketplace images"
LEASES = (
    "/var/lib/dhclient/*",
    "/var/lib/dhcp/*.lease*",
    "/var/lib/dhcpcd/*.lease*",
    "/var/lib/dhcpcd5/*.lease*",
    "/var/lib/NetworkManager/*.lease",
    "/var/lib/NetworkManager/dhclient-*",
    "/var/lib/systemd/network/*lease*",
    "/var/lib/systemd/netif/leases/*",
    "/run/systemd/netif/leases/*",
    "/var/lib/wicked/lease-*",
)
SEEDS = (
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/credential.secret",
    "/var/lib/urandom/random-seed",
    "/var/lib/random-seed",
    "/boot/efi/loader/random-seed",
)
GENERATED = (
    "/etc/netplan/50-cloud-init.yaml",
    "/etc/NetworkManager/system-connections/cloud-init-*.nmconnection",
    "/etc/systemd/network/10-cloud-init-*",
    "/etc/network/interfaces.d/50-cloud-init*",
    "/etc/ssh/sshd_config.d/50-cloud-init.conf",
)
LOGS = (
    "/var/log/wtmp",
    "/var/log/btmp",
    "/var/log/lastlog",
    "/var/log/journal/*/*",
    "/var/log/audit/*",
    "/var/log/anaconda/*",
    "/var/log/installer/*",
    "/var/log/cloud-init*.log",
    "/var/log/syslog",
    "/var/log/messages",
)
CACHES = ("/var/cache/apt/archives/*.deb", "/var/lib/apt/lists/*_Packages*", "/var/cache/dnf/*", "/var/cache/zypp/*/*")
LEFTOVERS = ("/root/anaconda-ks.cfg", "/root/original-ks.cfg", "/root/.lesshst", "/root/.viminfo")
RESOLVERS = re.compile(r"^\s*nameserver\s+(?!127\.)\S+", re.MULTILINE)
CONTAINER_FILES = ("/.dockerenv",)


def _with_content(tree: Tree, *patterns: str) -> Iterator[str]:
    for pattern in patterns:
        for path in tree.glob(pattern):
            if tree.read_bytes(path, 1):
                yield path


@check("clean.machine-id", source="systemd machine-id(5); cloud-init", repair="Empty /etc/machine-id", when=GENERALIZED)
def every_machine_gets_its_own_id(tree: Tree) -> Complaints:
    """Two VMs with one id share DHCP client ids, journals and more; a missing file stops a read-only root."""
    text = tree.read_text("/etc/machine-id").strip()
    if not tree.exists("/etc/machine-id"):
        yield "/etc/machine-id is missing: it must be there and empty"
    elif text not in ("", "uninitialized"):
        yield f"/etc/machine-id holds {text}"
    if not tree.is_link("/var/lib/dbus/machine-id") and tree.read_bytes("/var/lib/dbus/machine-id", 1):
        yield "/var/lib/dbus/machine-id holds an id of its own"


@check("clean.hostkeys", source=DEPROVISION, repair="Delete them, and enable what makes new ones", when=GENERALIZED)
def host_keys_are_not_baked_in(tree: Tree, profile: Profile) -> Complaints:
    """Keys in the image would be shared by every VM made from it; without a way to make new ones nobody gets in."""
    for path in tree.glob("/etc/ssh/ssh_host_*key*"):
        yield f"{path} is part of the image"
    if profile.provisioner == "none" and not makes_host_keys(tree):
        yield "nothing makes host keys on the first boot"


@check("clean.dhcp", source=DEPROVISION, repair="Delete that file", when=GENERALIZED)
def no_dhcp_lease_is_left(tree: Tree) -> Complaints:
    """A client that finds a lease asks for the build machine's address first, and waits."""
    yield from _with_content(tree, *LEASES)


@check("clean.ci-state", source=DEPROVISION, repair="Run `cloud-init clean --logs --seed`", when=GENERALIZED)
def cloud_init_starts_afresh(tree: Tree) -> Complaints:
    """State of another instance, or a seed, makes cloud-init skip what it should do, or do it for another VM."""
    for folder in ("instances", "data", "sem", "seed"):
        for path in tree.files(f"/var/lib/cloud/{folder}"):
            yield path
            break
    if tree.lstat("/var/lib/cloud/instance") is not None:
        yield "/var/lib/cloud/instance"


@check("clean.ci-generated", source=DEPROVISION, repair="Run `cloud-init clean --configs all`", when=GENERALIZED)
def nothing_that_cloud_init_wrote_is_left(tree: Tree) -> Complaints:
    """It names the build machine's network card, or settings of another VM."""
    for pattern in GENERATED:
        yield from tree.glob(pattern)
    for number, line in enumerate(tree.read_text("/etc/fstab").splitlines(), 1):
        if "comment=cloudconfig" in line:
            yield f"/etc/fstab:{number}: {line.strip()}"


@check("clean.agent-lib", source=DEPROVISION, repair="Empty /var/lib/waagent", when=GENERALIZED)
def the_agent_starts_afresh(tree: Tree) -> Complaints:
    """An old ovf-env.xml lets cloud-init provision the old user; an old `provisioned` makes the agent skip it all."""
    yield from tree.files("/var/lib/waagent")


@check("clean.agent-log", severity="recommended", source=DEPROVISION, repair="Delete it", when=GENERALIZED)
def no_agent_log_is_left(tree: Tree) -> Complaints:
    """It tells of another VM, and misleads support."""
    yield from _with_content(tree, "/var/log/waagent.log*", "/var/log/azure/*")


@check("clean.history", source="Microsoft: certification FAQ; LISA", repair="Delete it")
def no_shell_history_is_left(accounts: tuple[Account, ...], tree: Tree) -> Complaints:
    """It may hold passwords; certification refuses it."""
    for home in sorted({one.home for one in accounts} | {"/root"} | {f"/home/{name}" for name in tree.list("/home")}):
        if home not in ("", "/", "/nonexistent"):
            yield from _with_content(tree, f"{home}/.*_history", f"{home}/.history")


@check("clean.random-seed", source="systemd; AlmaLinux's Azure images", repair="Delete it", when=GENERALIZED)
def no_random_seed_is_left(tree: Tree) -> Complaints:
    """VMs that start from one seed may draw the same keys."""
    yield from (path for path in SEEDS if tree.exists(path))


@check("clean.esp-random-seed", source="systemd-boot", repair="Delete it", when=GENERALIZED)
def no_random_seed_is_left_on_the_esp(esp: Tree) -> Complaints:
    """VMs that start from one seed may draw the same keys."""
    if esp.exists("/loader/random-seed"):
        yield "loader/random-seed on the EFI partition"


@check("clean.resolv", source=SECURITY, repair="Make it a link to the resolver's file, or empty it", when=GENERALIZED)
def no_name_server_of_the_build_is_left(tree: Tree) -> Complaints:
    """The build's name servers do not exist on Azure: until DHCP rewrites the file, every name waits for them."""
    if not tree.is_link("/etc/resolv.conf") and RESOLVERS.search(tree.read_text("/etc/resolv.conf")):
        yield "/etc/resolv.conf names the build's servers"


@check("clean.logs", severity="recommended", source=SECURITY, repair="Empty it", when=GENERALIZED)
def no_log_of_the_build_is_left(tree: Tree) -> Complaints:
    """Logs tell of the build machine, and mislead who looks for a fault of the VM."""
    yield from _with_content(tree, *LOGS)


@check("clean.nm", severity="recommended", source="NetworkManager", repair="Delete it", when=GENERALIZED)
def network_manager_starts_afresh(tree: Tree) -> Complaints:
    """Its secret key makes stable addresses equal on every VM."""
    for name in ("secret_key", "timestamps", "seen-bssids"):
        if tree.exists(f"/var/lib/NetworkManager/{name}"):
            yield f"/var/lib/NetworkManager/{name}"


@check("clean.tmp", severity="recommended", source=SECURITY, repair="Delete it", when=GENERALIZED)
def nothing_temporary_is_left(tree: Tree) -> Complaints:
    """Whatever lies there came from the build."""
    for folder in ("/tmp", "/var/tmp"):
        yield from tree.files(folder)
    yield from (path for path in (*LEFTOVERS, *CONTAINER_FILES) if tree.exists(path))


@check(
    "clean.pkg-cache",
    severity="recommended",
    source=SECURITY,
    repair="Run the package manager's clean",
    when=GENERALIZED,
)
def no_package_cache_is_left(tree: Tree) -> Complaints:
    """It makes every upload and every copy larger, and grows old."""
    for pattern in CACHES:
        if found := [path for path in tree.glob(pattern) if tree.is_file(path)]:
            yield f"{found[0]} and {len(found) - 1} more" if len(found) > 1 else found[0]


@check("clean.hosts", severity="recommended", source=SECURITY, repair="Keep localhost alone", when=GENERALIZED)
def no_host_of_the_build_is_named(tree: Tree) -> Complaints:
    """A name that resolves to the build machine's address breaks sudo and mail on the VM."""
    for number, line in enumerate(tree.read_text("/etc/hosts").splitlines(), 1):
        words = line.partition("#")[0].split()
        if words and not re.match(r"(127\.|::1$|f[ef]0\d::|fe00::)", words[0]):
            yield f"/etc/hosts:{number}: {line.strip()}"


@check("clean.secrets", source=SECURITY, repair="Delete it")
def no_proxy_or_credential_of_the_build_is_left(tree: Tree) -> Complaints:
    """A proxy that only the build knows stops every update; a credential is everybody's."""
    for path in (*tree.glob("/etc/apt/apt.conf"), *tree.glob("/etc/apt/apt.conf.d/*")):
        if re.search(r"^\s*Acquire::https?::Proxy\s+\"(?!DIRECT)", tree.read_text(path), re.MULTILINE | re.IGNORECASE):
            yield f"{path} sets a proxy"
    if re.search(r"^\s*(export\s+)?https?_proxy\s*=", tree.read_text("/etc/environment"), re.MULTILINE | re.IGNORECASE):
        yield "/etc/environment sets a proxy"
    for path in (
        "/root/.aws/credentials",
        "/root/.azure/accessTokens.json",
        "/root/.netrc",
        "/root/.docker/config.json",
    ):
        if tree.exists(path):
            yield path


@check(
    "clean.initiator", severity="recommended", source="AlmaLinux's Azure images", repair="Delete it", when=GENERALIZED
)
def storage_ids_are_not_shared(tree: Tree) -> Complaints:
    """Two VMs with one initiator name cut each other off from shared storage."""
    paths = ("/etc/nvme/hostnqn", "/etc/nvme/hostid", "/etc/machine-info")
    yield from _with_content(tree, *paths)
    text = tree.read_text("/etc/iscsi/initiatorname.iscsi")
    if re.search(r"^InitiatorName=iqn", text, re.MULTILINE) and "GenerateName=yes" not in text:
        yield "/etc/iscsi/initiatorname.iscsi"
