"""The Azure Linux Agent and its configuration (catalogue 2.7)."""

import re

from harness import cloudinit
from harness.checks.check import Complaints, check
from harness.etc import configuration, is_enabled, makes_host_keys, setting_at
from harness.grub import Entry
from harness.profile import CLOUD_INIT, GENERALIZED, PROVISIONED, SPECIALIZED, WAAGENT, Profile
from harness.tree import Tree

AGENT = "Azure/WALinuxAgent: README and source"
CONFIGURATION = "/etc/waagent.conf"
UNITS = ("walinuxagent.service", "waagent.service")
PROGRAMS = ("/usr/sbin/waagent", "/usr/bin/waagent")
SWITCHES = re.compile(
    r"^(Extensions\.Enabled|Provisioning\.(DeleteRootPassword|RegenerateSshHostKeyPair|MonitorHostName|DecodeCustomData"
    r"|ExecuteCustomData|AllowResetSysUser)|ResourceDisk\.(Format|EnableSwap|EnableSwapEncryption)|Logs\.(Verbose|Collect)"
    r"|OS\.(EnableFIPS|EnableFirewall|EnableRDMA|UpdateRdmaDriver|CheckRdmaDriver|AllowHTTP)|AutoUpdate\.(Enabled"
    r"|UpdateToLatestVersion)|HttpProxy\.Enabled)$"
)
AGENT_PACKAGE = re.compile(r"waagent|walinuxagent|WALinuxAgent|python\d*-azure-agent")
"""What Debian, Ubuntu, Red Hat and SUSE call it."""
OLDEST = (2, 2, 53, 1)
"""The oldest agent that Azure supports."""
OLDEST_PYTHON = (2, 6)
OLDEST_OPENSSL = (1,)
"""What the agent itself needs."""
CERTIFIED_PYTHON = (3, 9)
CERTIFIED_OPENSSL = (3,)
CERTIFIED_OLDER = ("1.1.1", "1.0.2")
LARGEST_LIBRARY = 16 << 20


def cloud_init_is_enabled(tree: Tree) -> bool:
    """Whether cloud-init would provision, as waagent asks systemctl."""
    units = ("cloud-init-local.service", "cloud-init-network.service", "cloud-init.service", "cloud-init-main.service")
    return is_enabled(tree, *units) and not tree.exists("/etc/cloud/cloud-init.disabled")


def _at(tree: Tree, key: str) -> str:
    """Where a setting of the agent's stands: path and line."""
    return setting_at(tree, CONFIGURATION, key)


@check("agent.present", severity="recommended", source=AGENT, repair="Install and enable it", when=PROVISIONED)
def the_agent_is_installed_and_enabled(tree: Tree) -> Complaints:
    """Extensions need it; without it a VM that is created with extensions waits for 40 minutes."""
    if not any(tree.exists(path) for path in PROGRAMS):
        yield "waagent is not installed"
    elif not is_enabled(tree, *UNITS):
        yield f"none of {', '.join(UNITS)} is enabled"


@check("agent.needed", source=AGENT, repair="Install and enable waagent", when=WAAGENT)
def the_provisioning_agent_starts(tree: Tree) -> Complaints:
    """It is the provisioner of this image: without it nobody gets in, and Azure never hears that the VM is ready."""
    if not is_enabled(tree, *UNITS):
        yield f"none of {', '.join(UNITS)} is enabled"


@check("agent.version", source="Microsoft: minimum agent version", repair="Install a newer agent")
def the_agent_is_not_too_old(packages: dict[str, str], waagent: dict[str, str]) -> Complaints:
    """Azure refuses extension operations to older agents, unless they may update themselves."""
    version = next((packages[name] for name in packages if AGENT_PACKAGE.fullmatch(name)), "")
    numbers = tuple(int(number) for number in re.findall(r"\d+", version.rpartition(":")[2].partition("-")[0])[:4])
    updates = "n" not in (waagent.get("AutoUpdate.Enabled"), waagent.get("AutoUpdate.UpdateToLatestVersion"))
    if numbers and numbers < OLDEST and not updates:
        yield f"waagent {version} is older than 2.2.53.1, and may not update itself"


@check("agent.autoupdate", severity="recommended", source=AGENT, repair="Remove that line")
def the_agent_keeps_itself_up_to_date(waagent: dict[str, str], tree: Tree) -> Complaints:
    """Extensions rely on fixes that come with newer agents."""
    for key in ("AutoUpdate.Enabled", "AutoUpdate.UpdateToLatestVersion"):
        if waagent.get(key, "y").lower() == "n":
            yield f"{_at(tree, key)}: {key}=n"


@check("agent.provisioner", source=AGENT, repair="Set Provisioning.Agent to it, or to auto")
def the_agent_knows_who_provisions(waagent: dict[str, str], profile: Profile, tree: Tree) -> Complaints:
    """Only this key is read: with a wrong one two programs provision, or none."""
    found = waagent.get("Provisioning.Agent", "auto").lower()
    allowed = {"cloud-init": ("cloud-init", "auto"), "waagent": ("waagent", "auto"), "none": ("disabled",)}
    wanted = ("disabled",) if profile.kind == "specialized" else allowed[profile.provisioner]
    if found not in wanted:
        yield f"{_at(tree, 'Provisioning.Agent')}: Provisioning.Agent={found}, not {' or '.join(wanted)}"


@check("agent.auto-detect", source=AGENT, repair="Enable cloud-init-local.service", when=GENERALIZED & CLOUD_INIT)
def auto_finds_cloud_init(waagent: dict[str, str], tree: Tree) -> Complaints:
    """With `auto` the agent takes cloud-init for absent, and provisions itself, unless systemd calls it enabled."""
    automatic = waagent.get("Provisioning.Agent", "auto").lower() == "auto"
    if automatic and not is_enabled(tree, "cloud-init-local.service", "cloud-init-main.service"):
        yield "Provisioning.Agent=auto, and cloud-init-local.service is not enabled"


@check("agent.not-both", source=AGENT, repair="Disable cloud-init, or let it provision", when=WAAGENT)
def cloud_init_does_not_provision_as_well(waagent: dict[str, str], tree: Tree, entry: Entry) -> Complaints:
    """The agent gives up provisioning when it finds cloud-init enabled, and reports that the VM has failed."""
    off = "disabled" in entry.values("cloud-init")
    if tree.exists("/usr/bin/cloud-init") and cloud_init_is_enabled(tree) and not off:
        told = waagent.get("Provisioning.Agent", "auto")
        yield f"{_at(tree, 'Provisioning.Agent')}: Provisioning.Agent={told}, and cloud-init is enabled"


@check("agent.bool-syntax", source=AGENT, repair="Write y or n, the key at the line's beginning")
def switches_are_y_or_n(waagent: dict[str, str], tree: Tree) -> Complaints:
    """The agent takes its built-in default for anything else, without a word."""
    for key, value in waagent.items():
        if SWITCHES.match(key) and value.lower() not in ("y", "n"):
            yield f"{_at(tree, key)}: {key}={value}"
    for number, line in enumerate(tree.read_text(CONFIGURATION).splitlines(), 1):
        if re.match(r"\s+[A-Za-z]+\.\w+\s*=", line):
            yield f"{CONFIGURATION}:{number}: {line.strip()} does not begin at column 1"


@check("agent.legacy-keys", severity="recommended", source=AGENT, repair="Remove it: Provisioning.Agent decides")
def no_dead_switch_misleads(waagent: dict[str, str], tree: Tree) -> Complaints:
    """Agents from 2.2.45 on ignore them, though many instructions still set them."""
    for key in ("Provisioning.Enabled", "Provisioning.UseCloudInit"):
        if key in waagent:
            yield f"{_at(tree, key)}: {key}={waagent[key]}"


@check("agent.root-pw", severity="recommended", source=AGENT, repair="Set it to y", when=GENERALIZED & WAAGENT)
def the_agent_takes_roots_password_away(waagent: dict[str, str], tree: Tree) -> Complaints:
    """Otherwise a root password of the build outlives deprovisioning."""
    if waagent.get("Provisioning.DeleteRootPassword", "n").lower() != "y":
        yield f"{_at(tree, 'Provisioning.DeleteRootPassword')}: Provisioning.DeleteRootPassword is not y"


@check("agent.resource", source=AGENT, repair="Choose a file system that the image can make")
def the_agent_can_format_what_it_should(waagent: dict[str, str], tree: Tree) -> Complaints:
    """A resource disk that cannot be formatted leaves an error on each start, and no /mnt."""
    if waagent.get("ResourceDisk.Format", "n").lower() != "y":
        if waagent.get("ResourceDisk.EnableSwap", "n").lower() == "y":
            place = _at(tree, "ResourceDisk.EnableSwap")
            yield f"{place}: ResourceDisk.EnableSwap=y without ResourceDisk.Format=y does nothing"
        return
    kind = waagent.get("ResourceDisk.Filesystem", "ext4")
    if not any(tree.exists(f"{folder}/mkfs.{kind}") for folder in ("/usr/sbin", "/usr/bin")):
        yield f"{_at(tree, 'ResourceDisk.Filesystem')}: ResourceDisk.Filesystem={kind}, and there is no mkfs.{kind}"
    if (
        waagent.get("ResourceDisk.EnableSwap", "n").lower() == "y"
        and waagent.get("ResourceDisk.SwapSizeMB", "0") == "0"
    ):
        yield f"{_at(tree, 'ResourceDisk.SwapSizeMB')}: ResourceDisk.EnableSwap=y with ResourceDisk.SwapSizeMB=0"


@check("agent.scsi-timeout", severity="recommended", source=AGENT, repair="Set OS.RootDeviceScsiTimeout=300")
def disks_get_time_to_answer(waagent: dict[str, str], tree: Tree) -> Complaints:
    """Azure's storage may pause for longer than Linux's 30 seconds; the root then turns read-only."""
    if waagent.get("OS.RootDeviceScsiTimeout", "300") != "300":
        yield f"{_at(tree, 'OS.RootDeviceScsiTimeout')}: OS.RootDeviceScsiTimeout={waagent['OS.RootDeviceScsiTimeout']}"


@check("agent.extensions", severity="recommended", source=AGENT, repair="Remove that line")
def extensions_are_allowed(waagent: dict[str, str], tree: Tree) -> Complaints:
    """Azure's password reset, monitoring and backup are extensions."""
    if waagent.get("Extensions.Enabled", "y").lower() == "n":
        yield f"{_at(tree, 'Extensions.Enabled')}: Extensions.Enabled=n"


@check(
    "agent.deps",
    source="Microsoft: agent's requirements; WALinuxAgent",
    repair="Install what is missing, or a newer release of it",
)
def the_agent_finds_what_it_calls(tree: Tree, waagent: dict[str, str]) -> Complaints:
    """It needs Python 2.6, OpenSSL 1.0 and the network's tools everywhere; more where it formats the resource disk or
    guards the host's address. (A newer Python, 3.9, is what LISA asks; accounts and programs have checks of their own.)
    """
    yield from _too_old(tree)
    needed: list[tuple[str, ...]] = [("ip",), ("sed",), ("grep",)]
    if waagent.get("ResourceDisk.Format", "n").lower() == "y":
        needed += [("sfdisk", "parted", "fdisk")]
    if waagent.get("OS.EnableFirewall", "n").lower() == "y":
        needed += [("iptables", "nft", "firewall-cmd")]
    for names in needed:
        if not any(tree.exists(f"{folder}/{name}") for folder in ("/usr/sbin", "/usr/bin") for name in names):
            yield f"there is no {' nor '.join(names)}"


def _too_old(tree: Tree) -> Complaints:
    python, (openssl, _) = _python(tree), _openssl(tree)
    if () < python < OLDEST_PYTHON:
        yield f"Python {_dotted(python)} is older than {_dotted(OLDEST_PYTHON)}"
    if () < openssl < OLDEST_OPENSSL:
        yield f"OpenSSL {_dotted(openssl)} is older than {_dotted(OLDEST_OPENSSL)}.0"


@check(
    "agent.versions",
    severity="recommended",
    source="LISA azure_image_standard",
    repair="Use a release of the distribution that has newer ones",
)
def certification_takes_python_and_openssl(tree: Tree) -> Complaints:
    """Azure's tests of images ask for Python 3.9, and for OpenSSL 3, 1.1.1 or 1.0.2: older ones get no repairs."""
    python, (openssl, library) = _python(tree), _openssl(tree)
    if () < python < CERTIFIED_PYTHON:
        yield f"Python {_dotted(python)} is older than {_dotted(CERTIFIED_PYTHON)}"
    if () < openssl < CERTIFIED_OPENSSL:
        told = re.search(rb"OpenSSL (\d+\.\d+\.\d+)", tree.read_bytes(library, LARGEST_LIBRARY))
        exact = told[1].decode() if told else _dotted(openssl)
        if exact not in CERTIFIED_OLDER:
            yield f"OpenSSL {exact} ({library}) is neither 3 nor {' nor '.join(CERTIFIED_OLDER)}"


def _python(tree: Tree) -> tuple[int, ...]:
    """The newest Python that is installed, () where there is none."""
    folders = (path for path in tree.glob("/usr/lib*/python[23].*") if tree.is_folder(path))
    return max((_numbers(path.rpartition("/")[2]) for path in folders), default=())


def _openssl(tree: Tree) -> tuple[tuple[int, ...], str]:
    """The newest OpenSSL by its library's name, and that library's path; () where there is none."""
    libraries = (*tree.glob("/usr/lib*/libcrypto.so.*"), *tree.glob("/usr/lib/*-linux-gnu*/libcrypto.so.*"))
    return max(((_numbers(path.partition(".so.")[2]), path) for path in libraries), default=((), ""))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


@check(
    "agent.hostkeys",
    source=AGENT,
    repair="Set Provisioning.RegenerateSshHostKeyPair=y, or let a unit make host keys; for cloud-init name a type "
    "that ssh_genkeytypes lists",
    when=GENERALIZED & PROVISIONED,
)
def the_agent_finds_host_keys(waagent: dict[str, str], tree: Tree, profile: Profile) -> Complaints:
    """An image has none: whoever provisions makes them. The agent waits half an hour for the key that it is to report,
    and tells Azure then that provisioning has failed."""
    missing = tuple(_lacking_host_keys(waagent, tree, profile))
    if missing and not makes_host_keys(tree):
        yield from missing


def _lacking_host_keys(waagent: dict[str, str], tree: Tree, profile: Profile) -> Complaints:
    regenerates = waagent.get("Provisioning.RegenerateSshHostKeyPair", "n").lower() == "y"
    if profile.provisioner == "waagent" and not regenerates:
        place = setting_at(tree, CONFIGURATION, "Provisioning.RegenerateSshHostKeyPair")
        yield f"{place}: Provisioning.RegenerateSshHostKeyPair is not y, and no unit makes host keys"
    # "auto" has the agent report the RSA key.
    wanted = waagent.get("Provisioning.SshHostKeyPairType", "rsa").lower().replace("auto", "rsa")
    lists = [one for one in configuration(tree, *cloudinit.CONFIGURATION) if one[2].startswith("ssh_genkeytypes:")]
    for path, number, line in lists[-1:] if profile.provisioner == "cloud-init" else ():
        made = re.findall(r"\w+", line.partition(":")[2])
        if made and wanted not in made:
            yield f"{path}:{number}: {line}: the agent waits for a host key of type {wanted}"


@check("spec.agent", source=AGENT, repair="Set Provisioning.Agent=disabled", when=SPECIALIZED)
def nothing_provisions_a_specialized_image(tree: Tree) -> Complaints:
    """There is no provisioning disc: a provisioner would wait for it, or make the VM over."""
    if tree.exists("/usr/bin/cloud-init") and cloud_init_is_enabled(tree) and not _pinned_off(tree):
        yield "cloud-init is enabled"


def _pinned_off(tree: Tree) -> bool:
    return any("None" in tree.read_text(path) for path in tree.glob("/etc/cloud/cloud.cfg.d/*.cfg"))
