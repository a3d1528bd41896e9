"""The initramfs: what is in it, and what will be in the next one (catalogue 2.1)."""

import re

from harness.checks.check import Complaints, check
from harness.etc import configuration
from harness.grub import Entry
from harness.initrd import Initrd
from harness.kernels import BOOT_DRIVERS, Kernel
from harness.tree import Tree

GENERIC = "Microsoft: Prepare a Linux VHD for upload; LISA hv_module"
DRACUT = ("/etc/dracut.conf", "/usr/lib/dracut/dracut.conf.d/*.conf", "/etc/dracut.conf.d/*.conf")
TOOLS = ("/etc/initramfs-tools/initramfs.conf", "/etc/initramfs-tools/conf.d/*")
TOOLS_MODULES = ("/usr/share/initramfs-tools/modules.d/*", "/etc/initramfs-tools/modules")
DRIVERS_LINE = re.compile(r"(?:add|force)_drivers\+?=(['\"]?)(?P<names>.*?)\1\s*(?:#.*)?$")


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


@check(
    "initrd.hyperv-config",
    severity="recommended",
    source="Microsoft: Prepare a Linux VHD (Red Hat, SUSE, generic steps)",
    repair='add_drivers+=" hv_vmbus hv_storvsc hv_netvsc " in /etc/dracut.conf.d, or their names in '
    "/etc/initramfs-tools/modules",
)
def the_next_initramfs_finds_hyperv_disks_too(tree: Tree, kernels: dict[str, Kernel]) -> Complaints:
    """An update of the kernel makes its initramfs anew, maybe on a machine that is none of Hyper-V's."""
    wanted = {name for name in BOOT_DRIVERS if any(name not in kernel.builtin for kernel in kernels.values())}
    if tree.exists("/usr/bin/dracut"):
        yield from _dracut_takes(tree, wanted)
    elif tree.exists("/usr/sbin/mkinitramfs"):
        yield from _initramfs_tools_takes(tree, wanted)


def _dracut_takes(tree: Tree, wanted: set[str]) -> Complaints:
    named: set[str] = set()
    for path, number, line in configuration(tree, *DRACUT):
        if not (found := DRIVERS_LINE.match(line)):
            continue
        names = {name.replace("-", "_") for name in found["names"].split()}
        named |= names
        if "+=" in line and wanted & names and not (found["names"][0] == found["names"][-1] == " "):
            yield f"{path}:{number}: {line}: without a space at both ends its names run into those of other files"
    if lacks := sorted(wanted - named):
        yield f"no add_drivers in dracut's configuration names {', '.join(lacks)}"


def _initramfs_tools_takes(tree: Tree, wanted: set[str]) -> Complaints:
    choices = [one for one in configuration(tree, *TOOLS) if one[2].startswith("MODULES=")]
    path, number, line = choices[-1] if choices else ("", 0, "MODULES=most")
    if line.partition("=")[2].strip("\"'") == "most":
        return  # every driver of a disk or a network card
    named = {words.split()[0].replace("-", "_") for _, _, words in configuration(tree, *TOOLS_MODULES)}
    if lacks := sorted(wanted - named):
        yield f"{path}:{number}: {line}, and no file names {', '.join(lacks)}"
