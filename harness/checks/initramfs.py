"""The initramfs: what is in it, and what will be in the next one (catalogue 2.1)."""

import re

from harness.checks.check import Complaints, check
from harness.grub import Entry
from harness.initrd import Initrd
from harness.kernels import Kernel

GENERIC = "Microsoft: Prepare a Linux VHD for upload; LISA hv_module"
BOOT_DRIVERS = ("hv_vmbus", "hv_storvsc", "hv_netvsc")


@check("initrd.exists", source=GENERIC, repair="Make it: `update-initramfs -u -k all` or `dracut --regenerate-all`")
def the_default_kernel_has_its_initramfs(entry: Entry, kernels: dict[str, Kernel]) -> Complaints:
    """What is not built into the kernel must be in the initramfs, or the root is never found."""
    version = entry.linux.partition("vmlinuz-")[2]
    kernel = kernels.get(version)
    if kernel and not entry.initrds and not set(BOOT_DRIVERS) <= kernel.builtin:
        yield f"the default entry boots kernel {version} without an initramfs"


def _lacking(initrds: dict[str, Initrd], kernels: dict[str, Kernel], modules: tuple[str, ...]) -> Complaints:
    for version, initrd in initrds.items():
        inside = initrd.modules | kernels[version].builtin
        lacks = [name for name in modules if name not in inside]
        if lacks:
            yield f"the initramfs of kernel {version} lacks {', '.join(lacks)}"


@check(
    "initrd.hyperv", source=GENERIC, repair="Name the drivers in /etc/initramfs-tools/modules, or dracut's add_drivers"
)
def the_initramfs_finds_hyperv_disks(initrds: dict[str, Initrd], kernels: dict[str, Kernel]) -> Complaints:
    """The root disk comes over VMBus: an initramfs without these drivers waits for it in vain."""
    yield from _lacking(initrds, kernels, BOOT_DRIVERS)


@check("initrd.nvme", source="Microsoft: NVMe conversion", repair="Name nvme in the initramfs' configuration")
def the_initramfs_finds_nvme_disks(initrds: dict[str, Initrd], kernels: dict[str, Kernel]) -> Complaints:
    """The newest VM sizes have NVMe disk controllers only."""
    yield from _lacking(initrds, kernels, ("nvme", "nvme_core"))


@check("initrd.generic", source="vendors' images", repair="MODULES=most, or dracut-config-generic")
def the_initramfs_suits_any_machine(initrds: dict[str, Initrd]) -> Complaints:
    """One made for the build machine alone lacks the drivers of the others."""
    for version, initrd in initrds.items():
        text = initrd.files.get("conf/initramfs.conf", b"").decode("utf-8", "replace")
        if re.search(r"^MODULES=(dep|list)\b", text, re.MULTILINE):
            yield f"the initramfs of kernel {version} was made with MODULES=dep"
