"""The kernel and its drivers (catalogue 2.1)."""

import re

from harness.checks.check import Complaints, check
from harness.etc import configuration
from harness.grub import Entry
from harness.kernels import Kernel
from harness.profile import GENERALIZED, PROVISIONED, Profile
from harness.tree import Tree

GENERIC = "Microsoft: Prepare a Linux VHD for upload; LISA hv_module"
HYPERV = ("HYPERV", "HYPERV_STORAGE", "HYPERV_NET", "HYPERV_UTILS")
BOOT_DRIVERS = ("hv_vmbus", "hv_storvsc", "hv_netvsc")
NEEDED = (*BOOT_DRIVERS, "hv_utils", "udf", "vfat", "isofs", "sr_mod", "nvme", "nvme_core")
MODPROBE = ("/etc/modprobe.d/*.conf", "/usr/lib/modprobe.d/*.conf", "/run/modprobe.d/*.conf")


@check("kernel.64bit", source="Microsoft: certification FAQ", repair="Build for x86_64 or aarch64")
def the_image_is_64_bit(profile: Profile) -> Complaints:
    """Azure runs no 32-bit Linux images."""
    if profile.arch not in ("x86_64", "aarch64"):
        yield f"its programs are for {profile.arch}"


@check("kernel.hyperv", source=GENERIC, repair="Use a kernel with Hyper-V's drivers")
def the_kernel_knows_hyperv(kernels: dict[str, Kernel]) -> Complaints:
    """Disk, network and time of a VM come over VMBus: without these drivers it neither boots nor answers."""
    for kernel in kernels.values():
        if kernel.config:
            lacks = [name for name in HYPERV if kernel.config.get(name) not in ("y", "m")]
        else:
            lacks = [name for name in (*BOOT_DRIVERS, "hv_utils") if not kernel.has(name)]
        if lacks:
            yield f"kernel {kernel.version} lacks {', '.join(lacks)}"


@check("kernel.hyperv-modules", source=GENERIC, repair="Install the kernel's modules")
def the_drivers_are_on_the_disk(kernels: dict[str, Kernel]) -> Complaints:
    """What the configuration promises as a module must lie in the modules folder."""
    for kernel in kernels.values():
        lacks = [name for name in (*BOOT_DRIVERS, "hv_utils") if not kernel.has(name)]
        if lacks:
            yield f"kernel {kernel.version} has no {', '.join(lacks)}"


def _without(kernels: dict[str, Kernel], *modules: str) -> Complaints:
    for kernel in kernels.values():
        lacks = [name for name in modules if not kernel.has(name)]
        if lacks:
            yield f"kernel {kernel.version} has no {', '.join(lacks)}"


@check("kernel.pci-hyperv", source="Microsoft: accelerated networking", repair="Use a kernel with pci-hyperv")
def the_kernel_sees_pci_devices(kernels: dict[str, Kernel]) -> Complaints:
    """Fast network cards, NVMe disks and GPUs arrive over Hyper-V's PCI bus."""
    yield from _without(kernels, "pci_hyperv")


@check("kernel.fs-vfat", source=GENERIC, repair="Use a kernel with vfat")
def the_kernel_reads_fat(kernels: dict[str, Kernel]) -> Complaints:
    """The EFI partition and the resource disk's notes need it."""
    yield from _without(kernels, "vfat")


@check("kernel.fs-udf", source=GENERIC, repair="Use a kernel with udf", when=GENERALIZED & PROVISIONED)
def the_kernel_reads_udf(kernels: dict[str, Kernel]) -> Complaints:
    """The provisioning disc is UDF: without it no password and no custom data reach the guest."""
    yield from _without(kernels, "udf")


@check(
    "kernel.fs-iso9660",
    severity="recommended",
    source="WALinuxAgent",
    repair="Use a kernel with iso9660",
    when=GENERALIZED & PROVISIONED,
)
def the_kernel_reads_iso9660(kernels: dict[str, Kernel]) -> Complaints:
    """The agent tries the disc as UDF, then as ISO 9660."""
    yield from _without(kernels, "isofs")


@check("kernel.essential", severity="recommended", source="LISA azure_image_standard", repair="Use a fuller kernel")
def the_kernel_has_what_lisa_calls_essential(kernels: dict[str, Kernel]) -> Complaints:
    """CIFS mounts Azure Files; the watchdog restarts what hangs."""
    for kernel in kernels.values():
        lacks = [name for name in ("WATCHDOG", "CIFS") if kernel.config.get(name) not in ("y", "m")]
        if kernel.config and lacks:
            yield f"kernel {kernel.version} lacks {', '.join(lacks)}"


@check("kernel.mana", severity="recommended", source="Microsoft: MANA", repair="Use a kernel from 6.2 on")
def the_kernel_drives_mana(kernels: dict[str, Kernel]) -> Complaints:
    """Newer VM sizes have Microsoft's own network card, and fall back to the slow path without its driver."""
    yield from _without(kernels, "mana")


@check("kernel.mlx", severity="recommended", source="Microsoft: accelerated networking", repair="Use a fuller kernel")
def the_kernel_drives_mellanox(kernels: dict[str, Kernel]) -> Complaints:
    """Most VM sizes with accelerated networking have one of these cards."""
    yield from _without(kernels, "mlx4_core", "mlx4_en", "mlx5_core")


@check("kernel.floppy", severity="recommended", source="LISA floppy; vendors' images", repair="Blacklist floppy")
def the_floppy_driver_stays_out(kernels: dict[str, Kernel], tree: Tree) -> Complaints:
    """There is no floppy drive; looking for one delays the boot and fills the log with errors."""
    barred = any(words[:2] == ["blacklist", "floppy"] for words in _modprobe(tree))
    if not barred and any(kernel.has("floppy") for kernel in kernels.values()):
        yield "the kernel has floppy, and nothing blacklists it"


@check("kernel.no-hv-blacklist", source="Microsoft: Hyper-V drivers", repair="Remove that line")
def nothing_bars_what_azure_needs(tree: Tree, entry: Entry) -> Complaints:
    """Hardening guides bar udf, vfat and others: then the disc cannot be read, or the disk not be found."""
    needed = {name.replace("-", "_") for name in NEEDED}
    for path, number, line in configuration(tree, *MODPROBE):
        words = line.split()
        barred = words[0] == "blacklist" or (words[0] == "install" and re.search(r"/(true|false)\b", line))
        if barred and len(words) > 1 and words[1].replace("-", "_") in needed:
            yield f"{path}:{number}: {line}"
    for path, number, line in configuration(tree, "/etc/dracut.conf.d/*.conf", "/usr/lib/dracut/dracut.conf.d/*.conf"):
        if line.startswith("omit_drivers") and needed & set(re.findall(r"\w+", line.replace("-", "_"))):
            yield f"{path}:{number}: {line}"
    for key in ("modprobe.blacklist", "module_blacklist"):
        for value in entry.values(key):
            if found := needed & set(value.replace("-", "_").split(",")):
                yield f"the command line has {key}={','.join(sorted(found))}"


def _modprobe(tree: Tree) -> list[list[str]]:
    return [line.split() for _, _, line in configuration(tree, *MODPROBE)]
