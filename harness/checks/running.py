"""The booted guest as a whole: it boots, it is well, its disk grew."""

import re

from harness.checks.check import Complaints, check
from harness.etc import read_fstab
from harness.evidence import GuestFacts
from harness.expected import Expected
from harness.profile import Profile

CATALOGUE = "docs/azure/image-requirements.md 2.14"
FAULTS = re.compile(r"^.*(?:Kernel panic|BUG: (?!soft lockup)|Oops: |general protection fault).*$", re.MULTILINE)
ROOT_TAGS = ("UUID", "LABEL", "PARTUUID")
"""How fstab and the command line may name a file system for good; lsblk calls the same by the same words."""
CHRONY = ("chrony.service", "chronyd.service")
GROWN = 0.95
"""The share of the disk that the root file system must offer: its own tables and the ESP take the rest."""


@check("run.boot-ssh", source=CATALOGUE, repair="The console's log says how far the guest came")
def the_guest_boots_and_its_administrator_logs_in(ending: str) -> Complaints:
    """A machine that answers nobody is lost: Azure offers no other way in than SSH and the serial console."""
    if ending:
        yield ending


@check("run.console", source=CATALOGUE, repair="Find the cause in the console's log")
def the_kernel_meets_no_fault(console: str) -> Complaints:
    """A kernel that stumbles while booting will do worse under load."""
    for found in FAULTS.finditer(console):
        yield found[0].strip()


@check(
    "run.firmware",
    source="docs/azure/image-requirements.md 1.2, 1.3",
    repair="Write the boot loader of this generation",
)
def it_booted_by_the_firmware_of_its_generation(guest: GuestFacts, expected: Expected) -> Complaints:
    """Gen1 machines start by BIOS, Gen2 machines by UEFI."""
    wanted = "UEFI" if expected.machine.generation == 2 else "BIOS"
    if guest["firmware"] != wanted:
        yield f"the guest was started by {guest['firmware'] or 'nobody knows what'}, not by {wanted}"


@check(
    "run.secure-boot",
    source="docs/azure/image-requirements.md 2.12",
    repair="Boot by the distribution's signed shim and GRUB",
)
def secure_boot_and_the_tpm_are_as_the_machine_has_them(guest: GuestFacts, expected: Expected) -> Complaints:
    """With Trusted Launch Azure starts signed code alone, and measures it into a virtual TPM."""
    on = guest["secure-boot"].split()[-1:] == ["1"]  # an EFI variable: four bytes of attributes, then its value
    if on != expected.machine.secure_boot:
        yield f"Secure Boot is {'on' if on else 'off'} by the guest's own words"
    if expected.machine.vtpm and guest["tpm"] != "2":
        yield "the guest sees no TPM 2.0"


@check("run.disk-controller", source="docs/azure/image-requirements.md 2.13", repair="Put nvme into the initramfs")
def the_system_lies_on_the_controller_of_the_machine(guest: GuestFacts, expected: Expected) -> Complaints:
    """Azure's newer sizes have their disks on NVMe, older ones on SCSI."""
    on_nvme = any(name.startswith("/dev/nvme") for name in guest.partitions)
    if on_nvme != (expected.machine.controller == "NVMe"):
        yield f"the guest's partitions are {', '.join(guest.partitions)}: not on {expected.machine.controller}"


@check("run.systemd", source=CATALOGUE, repair="See the unit's log in the evidence")
def no_unit_has_failed(guest: GuestFacts) -> Complaints:
    """A unit that fails on every machine is an image's fault, and hides the next one."""
    for unit, log in guest.failed.items():
        if not (unit in CHRONY and not guest["ptp"] and any("/dev/ptp_hyperv" in line for line in log)):
            # chrony takes its time from the Hyper-V clock, a VMBus device that QEMU does not have.
            yield f"{unit} has failed: {'; '.join(log[-4:])}"
    if not guest.failed and guest["state"] != "running":
        yield f"the system is {guest['state'] or 'in no known state'}, not running"


@check(
    "run.root-grew",
    source="docs/azure/image-requirements.md 2.3",
    repair="Install growpart and mount root with x-systemd.growfs",
)
def the_root_file_system_fills_the_disk(guest: GuestFacts, expected: Expected, profile: Profile) -> Complaints:
    """People ask Azure for a larger disk than the image's, and expect to have it."""
    size = guest.number("root-bytes")
    room = expected.disk_size - (_beside_root(guest) if profile.provisioner == "ignition" else 0)
    if size < GROWN * room:
        yield f"the root file system has {size >> 20} MiB on a disk of {expected.disk_size >> 20} MiB"


def _beside_root(guest: GuestFacts) -> int:
    """Bytes of the partitions that hold the system twice and what belongs to it: its distribution's own layout."""
    return sum(size for name, size in guest.partitions.items() if name != guest["root-device"])


@check(
    "run.root-id",
    severity="recommended",
    source="docs/azure/image-requirements.md 2.3",
    repair="Give fstab and the command line the root's own UUID",
)
def fstab_and_command_line_mean_the_root_that_is_mounted(guest: GuestFacts) -> Complaints:
    """What they name otherwise was found by chance, and is not found once another disk is attached."""
    device = guest["root-device"].partition("[")[0]  # a subvolume of btrfs stands in brackets
    root = next((one for one in guest.disks if one["NAME"] == device), {})
    mounts = (mount.source for mount in read_fstab(guest["fstab"]) if mount.point == "/")
    words = (word.partition("=")[2] for word in guest["cmdline"].split() if word.startswith("root="))
    for where, name in (*(("fstab", one) for one in mounts), *(("the command line", one) for one in words)):
        tag, _, value = name.partition("=")
        if tag in ROOT_TAGS and root and value.lower() != root.get(tag, "").lower():
            yield f"{where} says {name}, and {device} has {tag}={root.get(tag, '')}"


@check("run.swap", source="docs/azure/image-requirements.md 2.3", repair="Take the swap out of the image")
def nothing_swaps_on_the_os_disk(guest: GuestFacts) -> Complaints:
    """The OS disk is remote storage, paid by the transaction."""
    for line in guest.lines("swap")[1:]:  # the first names the columns
        if "zram" not in line:
            yield f"swap is on: {line.split()[0]}"


@check("run.data-disks", source="Azure: attach a data disk to a Linux VM", repair="Find out what writes to other disks")
def data_disks_are_there_and_untouched(guest: GuestFacts, data_disks: tuple[int, ...]) -> Complaints:
    """What lies on a disk that was attached is its owner's, and the root is not to be taken from it."""
    whole = [one for one in guest.disks if one.get("TYPE") == "disk"]
    parted = {one.get("PKNAME") for one in guest.disks}
    for size in data_disks:
        found = [one for one in whole if one.get("SIZE") == str(size)]
        if not found:
            yield f"the guest sees no disk of {size >> 20} MiB"
        for disk in found:
            if disk.get("FSTYPE") or disk.get("MOUNTPOINT") or disk["NAME"] in parted:
                yield f"something was written to the empty disk {disk['NAME']}: {disk.get('FSTYPE') or 'partitions'}"


@check("run.resource-disk", source="docs/azure/host-protocol.md 9.2", repair="Name the root by UUID or label")
def the_system_is_not_on_the_temporary_disk(guest: GuestFacts, resource_disk: int) -> Complaints:
    """What lies there is gone when Azure moves the machine; without VMBus the guest cannot know it for what it is, so
    whether it is formatted and mounted is not judged."""
    found = [one["NAME"] for one in guest.disks if one.get("TYPE") == "disk" and one.get("SIZE") == str(resource_disk)]
    if not found:
        yield f"the guest sees no disk of {resource_disk >> 20} MiB"
    for name in found:
        if guest["root-device"].startswith(name):
            yield f"the root file system is on {guest['root-device']}, the temporary disk"
