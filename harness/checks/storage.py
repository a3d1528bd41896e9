"""Names of disks, swap, and what lies below the root (catalogue 2.3)."""

import re

from build.gpt import LINUX_LVM, LINUX_SWAP, MBR_LVM, MBR_SWAP
from harness.checks.check import Complaints, check
from harness.diskfacts import DiskFacts
from harness.etc import Mount, configuration, is_enabled
from harness.filesystem import FileSystem
from harness.grub import Entry
from harness.profile import CLOUD_INIT
from harness.tree import Tree
from harness.volume import names_a_volume

MICROSOFT = "Microsoft: Prepare a Linux VHD for upload"
FLEETING = re.compile(r"/dev/(sd|nvme|vd|hd|xvd|disk/azure/scsi)")
LEAST_ROOM = 0.01
"""The share of the root file system that must be left."""
SWAP_FILES = ("/swap.img", "/swapfile", "/swap", "/.swap")


@check("fstab.persistent", source="Microsoft: NVMe conversion", repair="Name it by UUID, LABEL or PARTUUID")
def fstab_names_no_disk_by_its_place(fstab: tuple[Mount, ...]) -> Complaints:
    """Disk names change with the controller and the order of discovery; the mount then fails and stops the boot."""
    for mount in fstab:
        if FLEETING.match(mount.source):
            yield f"/etc/fstab:{mount.line}: {mount.source} on {mount.point}"


@check("fstab.root-match", source="LISA storage", repair="Give fstab and command line the root's own UUID")
def fstab_and_command_line_mean_the_root(
    fstab: tuple[Mount, ...], entry: Entry, root: FileSystem, disk: DiskFacts
) -> Complaints:
    """A root that one of them cannot find ends in the initramfs' emergency shell, or read-only."""
    volume = next((one for one in disk.volumes if one.filesystem is root), None)
    told = [("fstab", mount.source) for mount in fstab if mount.point == "/"]
    told += [("the command line", value) for value in entry.values("root")[-1:]]
    for where, name in told:
        if volume and names_a_volume(name) and not volume.is_meant_by(name):
            yield f"{where} says {name}, the root is UUID={root.uuid}"
    if not any(mount.point == "/" for mount in fstab) and not any("systemd.gpt-auto" in word for word in entry.args):
        yield "fstab has no line for the root"


@check("fstab.verify", source="Microsoft; findmnt --verify", repair="Remove or correct that line")
def every_file_system_in_fstab_exists(fstab: tuple[Mount, ...], disk: DiskFacts) -> Complaints:
    """systemd waits 90 seconds for a disk that is not there, and then stops in the emergency shell."""
    hidden = disk.volume_problems or any(one.filesystem.kind == "luks" for one in disk.volumes)
    for mount in fstab:
        exists = any(one.is_meant_by(mount.source) for one in disk.volumes)
        # Encrypted swap is made anew at each start.
        made = mount.kind == "swap" and mount.source.startswith("/dev/mapper/")
        optional = made or {"nofail", "noauto"} & set(mount.options)
        if names_a_volume(mount.source) and not exists and not optional and not hidden:
            yield f"/etc/fstab:{mount.line}: no file system is {mount.source} ({mount.point})"
        if re.match(r"/dev/(cdrom|sr\d|fd\d|floppy)", mount.source):
            yield f"/etc/fstab:{mount.line}: {mount.source} is left over from an installation"


@check("fs.room", source="cloud-init: growpart", repair="Remove what fills it, or build a larger image")
def the_root_file_system_has_room(root: FileSystem) -> Complaints:
    """It is to grow on first boot, and what lets it grow writes files first, as everything does that provisions."""
    if root.free < LEAST_ROOM * root.size:
        yield f"the root file system has {root.free >> 20} of {root.size >> 20} MiB left"


@check("swap.none-on-os-disk", source=MICROSOFT, repair="Remove it: swap belongs on the resource disk")
def there_is_no_swap_on_the_os_disk(disk: DiskFacts, tree: Tree, fstab: tuple[Mount, ...]) -> Complaints:
    """The OS disk is remote and billed by access; certification refuses images that swap on it."""
    for one in disk.partitions:
        if one.type in (LINUX_SWAP, MBR_SWAP) or disk.filesystems[one.number].kind == "swap":
            yield f"partition {one.number} is swap"
    for mount in fstab:
        if mount.kind == "swap" and "zram" not in mount.source:
            yield f"/etc/fstab:{mount.line}: swap on {mount.source}"
    for path in SWAP_FILES:
        if tree.is_file(path):
            yield f"{path} is a swap file"
    for path in (*tree.glob("/etc/systemd/system/*.swap"), *tree.glob("/usr/lib/systemd/system/*.swap")):
        if "zram" not in path:
            yield f"{path} starts swap"


@check("lvm.avoid", severity="recommended", source=MICROSOFT, repair="Put the root on a plain partition")
def the_os_disk_has_no_lvm(disk: DiskFacts) -> Complaints:
    """Attached to a clone of itself for a repair, the volume group's name exists twice."""
    for one in disk.partitions:
        if one.type in (LINUX_LVM, MBR_LVM) or disk.filesystems[one.number].kind == "lvm":
            yield f"partition {one.number} holds LVM"


@check("lvm.devices-file", severity="recommended", source="lvmdevices(8); SUSE's images", repair="Delete that file")
def lvm_is_not_bound_to_the_disk_of_the_build(tree: Tree, entry: Entry) -> Complaints:
    """LVM uses no other disks than the file names: the volume group is not found on Azure's. Multipath, where it runs,
    takes the disk away from LVM."""
    for path, number, line in configuration(tree, "/etc/lvm/devices/system.devices"):
        if line.startswith("IDTYPE="):
            yield f"{path}:{number}: {line}"
    on_lvm = bool(entry.values("rd.lvm.lv")) or any(value.startswith("/dev/mapper/") for value in entry.values("root"))
    if on_lvm and is_enabled(tree, "multipathd.service") and "off" not in entry.values("multipath"):
        yield "the root is on LVM, multipathd.service is enabled, and the default entry has no multipath=off"


@check(
    "growpart",
    severity="recommended",
    source="Microsoft: cloud-init",
    repair="Install a resizer",
    when=CLOUD_INIT,
)
def something_grows_the_root(tree: Tree, fstab: tuple[Mount, ...]) -> Complaints:
    """The disk is created larger than the image; what does not grow leaves the owner with a full root."""
    grows = any("x-systemd.growfs" in mount.options for mount in fstab if mount.point == "/")
    programs = ("/usr/bin/growpart", "/usr/lib/systemd/systemd-growfs", "/usr/bin/systemd-repart")
    if not tree.exists(programs[0]) and not (grows and tree.exists(programs[2])):
        yield "neither growpart nor systemd-repart is there"
