"""The kernel and its drivers (catalogue 2.1)."""

import re
from collections.abc import Mapping

from harness.checks.check import Complaints, check
from harness.etc import configuration
from harness.grub import Entry
from harness.kernels import BOOT_DRIVERS, Kernel, initrd_path, release_numbers
from harness.profile import DEBIAN, ENTERPRISE, GENERALIZED, PROVISIONED, SUSE, Profile
from harness.tree import Tree
from harness.unified import Unified

GENERIC = "Microsoft: Prepare a Linux VHD for upload; LISA hv_module"
HYPERV = ("HYPERV", "HYPERV_STORAGE", "HYPERV_NET", "HYPERV_UTILS")
NEEDED = (*BOOT_DRIVERS, "hv_utils", "udf", "vfat", "isofs", "sr_mod", "nvme", "nvme_core")
MODPROBE = ("/etc/modprobe.d/*.conf", "/usr/lib/modprobe.d/*.conf", "/run/modprobe.d/*.conf")
UNWANTED = {
    ENTERPRISE: ("nouveau", "lbm_nouveau", "amdgpu", "skx_edac", "intel_cstate", "intel_uncore", "acpi_cpufreq"),
    SUSE: ("vfb", "pcspkr", "intel_rapl", "skx_edac"),
}
"""What vendors' own Azure images blacklist besides floppy, by the families that do."""
TUNED = re.compile(r"[-+](azure|cloud)\b")
"""How versions of kernels made for clouds are told: 6.8.0-1030-azure, 6.12.57+deb13-cloud-amd64."""
NUMA = (2, 6, 37)
"""The first kernel that reads Hyper-V's tables of memory right."""
NUMA_BACKPORT = (2, 6, 32, 504)
SACK: Mapping[tuple[int, ...], int] = {(5, 1): 11, (4, 19): 52, (4, 14): 127, (4, 9): 182, (4, 4): 182, (3, 16): 69}
"""The first release of each of kernel.org's series without CVE-2019-11477, -11478 and -11479."""
SACK_ENTERPRISE: Mapping[tuple[int, ...], tuple[int, ...]] = {
    (4, 18, 0): (80, 4, 2),
    (3, 10, 0): (957, 21, 3),
    (2, 6, 32): (754, 15, 3),
}
"""The same for Red Hat's kernels, by what stands behind the dash (RHSA-2019:1479, 1481, 1488)."""


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


@check("kernel.numa", source="Microsoft: Prepare a Linux VHD for upload", repair="Use a newer kernel, or add numa=off")
def the_kernel_reads_hyperv_memory_tables(kernels: dict[str, Kernel], entry: Entry) -> Complaints:
    """Older kernels take Hyper-V's tables of memory wrong on larger sizes, and die while booting."""
    for version in kernels:
        numbers = release_numbers(version)
        backported = numbers[:3] == NUMA_BACKPORT[:3] and numbers >= NUMA_BACKPORT and ".el" in version
        if () < numbers < NUMA and not backported and "off" not in entry.values("numa"):
            yield f"kernel {version} is older than 2.6.37, and the default entry has no numa=off"


@check(
    "kernel.sack",
    severity="recommended",
    source="Microsoft: certification FAQ; CVE-2019-11477",
    repair="Use a newer kernel",
)
def no_packet_stops_the_kernel(kernels: dict[str, Kernel]) -> Complaints:
    """Anybody who reaches a TCP port can bring kernels before June 2019 down: the Marketplace refuses them."""
    for version in kernels:
        numbers = release_numbers(version)
        if numbers[:2] >= (5, 2):
            continue
        fixed = SACK_ENTERPRISE.get(numbers[:3]) if ".el" in version else None
        if fixed is not None:
            if numbers[3:] < fixed:
                yield f"kernel {version} is older than {'.'.join(map(str, fixed))} of its series, which has the repair"
        elif numbers[2:3] > (0,) and numbers[:2] in SACK:
            if numbers[2] < SACK[numbers[:2]]:
                yield f"kernel {version} is older than {'.'.join(map(str, (*numbers[:2], SACK[numbers[:2]])))}"
        else:
            yield f"kernel {version}: whether its maker repaired it, its version does not tell"


@check(
    "kernel.blacklist-extra",
    severity="recommended",
    source="vendors' images: osbuild, AlmaLinux, SUSE",
    repair="Blacklist it in /etc/modprobe.d",
    when=ENTERPRISE | SUSE,
)
def drivers_of_foreign_hardware_stay_out(kernels: dict[str, Kernel], tree: Tree, profile: Profile) -> Complaints:
    """They take hold of what belongs to the host (counters, clocks) or of passed-through GPUs, and fill the log."""
    names = [name for family, unwanted in UNWANTED.items() if family.holds(profile) for name in unwanted]
    barred = {words[1].replace("-", "_") for words in _modprobe(tree) if words[0] == "blacklist" and len(words) > 1}
    for kernel in kernels.values():
        if open_ := [name for name in names if name in kernel.modules and name not in barred]:
            yield f"kernel {kernel.version} has {', '.join(open_)}, and nothing blacklists it"


@check(
    "kernel.azure-flavour",
    severity="recommended",
    source="Microsoft: endorsed distributions; Ubuntu's and Debian's Azure images",
    repair="Install the kernel for clouds, and remove the others",
)
def the_kernel_made_for_azure_boots(
    kernels: dict[str, Kernel], entry: Entry, tree: Tree, profile: Profile, unified: tuple[Unified, ...]
) -> Complaints:
    """It has Azure's network cards and fixes before others, and little else; a kernel that is left over without an
    initramfs cannot boot when it is chosen."""
    tuned = [version for version in kernels if TUNED.search(version)]
    booted = entry.linux.partition("vmlinuz-")[2]
    if tuned and booted in kernels and booted not in tuned:
        yield f"the default entry boots kernel {booted}, and {', '.join(tuned)} is there"
    if not tuned and DEBIAN.holds(profile):
        yield f"none of the kernels ({', '.join(kernels)}) is made for clouds"
    packed = {one.version for one in unified}
    for version, kernel in kernels.items():
        if version not in packed and not initrd_path(tree, version) and not set(BOOT_DRIVERS) <= kernel.builtin:
            yield f"kernel {version} has no initramfs"
