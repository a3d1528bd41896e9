"""The resource disk: who formats it, where it is mounted, and swap on it (catalogue 2.3)."""

from harness import cloudinit
from harness.checks.check import Complaints, check
from harness.etc import configuration, is_enabled, read_settings, setting_at
from harness.evidence import GuestFacts
from harness.profile import CLOUD_INIT
from harness.tree import Tree

MICROSOFT = "Microsoft: Prepare a Linux VHD for upload"
AGENT = "/etc/waagent.conf"
SETUP = "/etc/azure-ephemeral-disk-setup.conf"
SETUP_KEY = "AZURE_EPHEMERAL_DISK_SETUP_"
SETUP_DEFAULTS = {"FS_TYPE": "ext4", "SCSI_RESOURCE": "false"}
CLOUD_INIT_RULE = "/etc/udev/rules.d/66-azure-ephemeral.rules"
POINTS = ("/mnt", "/mnt/resource")
ELSEWHERE = ("none", "swap", "null", "~", "")
"""What stands for the mount point of swap, or switches a mount off."""


@check("resdisk.single-owner", source=MICROSOFT, repair="Set ResourceDisk.Format=n and EnableSwap=n", when=CLOUD_INIT)
def one_program_formats_the_resource_disk(waagent: dict[str, str], tree: Tree) -> Complaints:
    """cloud-init formats and mounts it at /mnt; if waagent does so too, they race, and one of them fails."""
    for key in ("ResourceDisk.Format", "ResourceDisk.EnableSwap"):
        if waagent.get(key, "n").lower().startswith("y"):
            yield f"{setting_at(tree, AGENT, key)}: {key}={waagent[key]}, and cloud-init does the same"


def _agent_is_to(tree: Tree, switch: str) -> bool:
    return read_settings(tree.read_text(AGENT)).get(switch, "n").lower() == "y"


@check(
    "swap.resource-disk",
    severity="recommended",
    source="Microsoft: Prepare a Linux VHD; cloud-init: disk setup, mounts",
    repair="Let cloud-init make it on ephemeral0, with the option nofail, and set ResourceDisk.EnableSwap=n",
)
def swap_that_is_wanted_lies_on_the_resource_disk(tree: Tree) -> Complaints:
    """Sizes without a temporary disk wait for it unless nofail says otherwise; swap elsewhere costs money."""
    mounts = [mount for mount in cloudinit.ephemeral_mounts(tree) if "swap" in mount.line]
    for mount in mounts:
        if "nofail" not in mount.line:
            yield f"{mount.path}:{mount.number}: {mount.line}: without nofail"
    for path, number, name in cloudinit.swap_files(tree):
        if not name.startswith("/mnt/"):
            yield f"{path}:{number}: cloud-init makes the swap file {name}, which lies on the OS disk"
    if mounts and _agent_is_to(tree, "ResourceDisk.EnableSwap"):
        place = setting_at(tree, AGENT, "ResourceDisk.EnableSwap")
        yield f"{place}: ResourceDisk.EnableSwap=y, and {mounts[0].path}:{mounts[0].number} makes swap as well"


@check(
    "resdisk.ci-order",
    severity="recommended",
    source="Microsoft: Prepare a Red Hat, an Oracle Linux VHD",
    repair="List disk_setup and mounts under cloud_init_modules, indented as the others",
    when=CLOUD_INIT,
)
def cloud_init_sets_up_disks_in_its_first_stage(tree: Tree) -> Complaints:
    """Older versions than 23 do in a later stage what is listed there: services that need /mnt start before it."""
    if cloudinit.version(tree) >= (23,):
        return
    found = cloudinit.modules(tree, "cloud_init_modules")
    for one in found:
        if one.indent != found[0].indent:
            yield f"{one.path}:{one.number}: {one.name} is indented otherwise than {found[0].name}"
    for name in ("disk_setup", "mounts"):
        if name not in [one.name.replace("-", "_") for one in found]:
            late = [one for one in cloudinit.modules(tree, "cloud_config_modules") if one.name == name]
            where = f"{late[0].path}:{late[0].number}: " if late else ""
            yield f"{where}{name} is not in cloud_init_modules"


@check(
    "resdisk.mountpoint",
    severity="recommended",
    source="LISA; cloud-init; WALinuxAgent",
    repair="Mount it on /mnt or /mnt/resource",
)
def the_resource_disk_is_where_people_look_for_it(tree: Tree) -> Complaints:
    """Scripts and documents know it as /mnt (cloud-init) or /mnt/resource (the agent)."""
    for mount in cloudinit.ephemeral_mounts(tree):
        if mount.point not in (*POINTS, *ELSEWHERE):
            yield f"{mount.path}:{mount.number}: {mount.line}"
    point = read_settings(tree.read_text(AGENT)).get("ResourceDisk.MountPoint", POINTS[1]).rstrip("/")
    if _agent_is_to(tree, "ResourceDisk.Format") and point not in POINTS:
        yield f"{setting_at(tree, AGENT, 'ResourceDisk.MountPoint')}: ResourceDisk.MountPoint={point}"


@check(
    "resdisk.nvme",
    severity="recommended",
    source="azure-vm-utils: azure-ephemeral-disk-setup(8)",
    repair="Install what it needs, and let nobody else format the disk that it is to format",
)
def local_nvme_disks_are_set_up_without_a_quarrel(tree: Tree) -> Complaints:
    """Nothing formats local NVMe disks unless azure-ephemeral-disk-setup is enabled; it gives up where a program is
    missing, or where the agent or cloud-init take the disk that it is to take."""
    if not is_enabled(tree, "azure-ephemeral-disk-setup.service"):
        return
    told = (line.partition("=") for _, _, line in configuration(tree, SETUP))
    settings = SETUP_DEFAULTS | {key.removeprefix(SETUP_KEY): value.strip("\"'") for key, _, value in told}
    for program in ("mdadm", f"mkfs.{settings['FS_TYPE']}"):
        if not any(tree.exists(f"{folder}/{program}") for folder in ("/usr/sbin", "/usr/bin")):
            yield f"azure-ephemeral-disk-setup.service is enabled, and there is no {program}"
    if _agent_is_to(tree, "ResourceDisk.Format"):
        place = setting_at(tree, AGENT, "ResourceDisk.Format")
        yield f"{place}: ResourceDisk.Format=y, and azure-ephemeral-disk-setup.service is enabled"
    takes_scsi = settings["SCSI_RESOURCE"] == "true"
    if takes_scsi and tree.exists("/usr/bin/cloud-init") and tree.link(CLOUD_INIT_RULE) != "/dev/null":
        place = setting_at(tree, SETUP, f"{SETUP_KEY}SCSI_RESOURCE")
        yield f"{place}: cloud-init takes the same disk, as {CLOUD_INIT_RULE} is no link to /dev/null"


@check(
    "resdisk.not-ntfs",
    severity="recommended",
    source="LISA azure_image_standard",
    repair="Let cloud-init or the agent format it, and mount nothing of it as it comes",
)
def the_temporary_disk_is_not_used_as_windows_formats_it(guest: GuestFacts, resource_disk: int) -> Complaints:
    """Azure hands it over with NTFS, which Linux drives slowly and without owners of files."""
    whole = [one["NAME"] for one in guest.disks if one.get("TYPE") == "disk" and one.get("SIZE") == str(resource_disk)]
    for one in guest.disks:
        on_it = one["NAME"] in whole or one.get("PKNAME") in whole
        if on_it and one.get("MOUNTPOINT") and one.get("FSTYPE", "").startswith("ntfs"):
            yield f"{one['NAME']} is mounted on {one['MOUNTPOINT']} with the file system {one['FSTYPE']}"
