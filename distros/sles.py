"""SUSE Linux Enterprise Server: its repositories are for subscribers, by SUSE's Customer Center or a mirror (RMT).

An image made here is to be uploaded as one that brings its own subscription (licence type SLES_BYOS): the update
service inside Azure is for Marketplace images.
"""

from distros import suse
from distros.recipe import Kernel, Recipe, Repository

HOST = "https://updates.suse.com"
SOURCE = "zypper refuses unsigned metadata of SUSE's own repositories; the paths of 16.0 are inferred"

KEY_15 = "7F009157B127B994D5CFBE76F74F09BC3FA1D6CE"
KEY_15_OLD = "FEAB502539D846DB2C0961CA70AF9E8139DB7C82"
KEY_16 = "1C59D66FCD52563A16933DBCFEC28EAF09D9EA69"
KEYRING_15 = f"{suse.KEYS}/suse/RPM-GPG-KEY-SuSE-SLE-Main-2023:{suse.KEYS}/suse/RPM-GPG-KEY-SuSE-SLE-15"
KEYRING_16 = f"{suse.KEYS}/suse/RPM-GPG-KEY-SuSE-ALP-Main"

MODULES_15 = (
    *("SLE-Product-SLES", "SLE-Module-Basesystem", "SLE-Module-Server-Applications"),
    # cloud-init, the agent and the kernel for Azure
    "SLE-Module-Public-Cloud",
)


def repositories_15() -> tuple[Repository, ...]:
    """Product and updates of each module. Packages from before 2023 bear the older key."""
    return tuple(
        suse.repository(
            f"{module}-15-SP7-{kind}",
            HOST,
            f"SUSE/{folder}/{module}/15-SP7/{{arch}}/{kind}",
            KEYRING_15,
            (KEY_15, KEY_15_OLD),
            SOURCE,
            # The key of 2023 is bound by SHA-1.
            sha1=True,
            access="scc",
        )
        for module in MODULES_15
        for folder, kind in (("Products", "product"), ("Updates", "update"))
    )


def repositories_16() -> tuple[Repository, ...]:
    """One repository, where the updates come to as well."""
    path = "SUSE/Products/SLE-Product-SLES/16.0/{arch}/product"
    return (suse.repository("SLES-16.0", HOST, path, KEYRING_16, (KEY_16,), SOURCE, sha1=True, access="scc"),)


KERNELS = {
    "x86_64": {"default": suse.DEFAULT_KERNEL, "azure": Kernel(("kernel-azure",), ("-azure",))},
    "aarch64": {"": suse.DEFAULT_KERNEL},
}
"""SUSE's own images with a subscription of Azure's have kernel-azure, the others and aarch64 the default one."""


def sles_15(arch: str) -> Recipe:
    """The last service pack of 15: wicked, no SELinux, and an rpm of its own for the database that SUSE uses."""
    return Recipe(
        distro="sles",
        release="15.7",
        codename="15-SP7",
        title="SUSE Linux Enterprise Server 15 SP7",
        family="zypper",
        arch=arch,
        default=False,
        end_of_support="2031-07-31",
        archives=repositories_15(),
        packages=(
            *suse.PACKAGES,
            *("rpm-ndb", "wicked", "wicked-service", "sysconfig", "sysconfig-netconfig", "perl-Bootloader"),
            *("sles-release", "sle-module-basesystem-release", "sle-module-public-cloud-release"),
            *("sle-module-server-applications-release", "suseconnect-ng", "suse-build-key", "python3-azuremetadata"),
        ),
        kernels=KERNELS[arch],
        boot_packages=suse.BOOT_PACKAGES[arch],
        early_files=suse.EARLY_FILES,
        files=(*suse.FILES, *suse.WICKED),
        provisioning=suse.provisioning("wicked.service"),
        specialized=suse.SPECIALIZED,
        services=("wicked.service", *suse.SERVICES),
        cmdline=(*suse.CONSOLES[arch], *suse.COMMON_CMDLINE, *suse.ONLY_X86[arch]),
        grub_defaults=suse.GRUB_DEFAULTS,
        grub=suse.grub("sles", arch),
        initramfs=suse.initramfs(arch),
        ext4_features=suse.EXT4_FEATURES,
        admin_groups=suse.ADMIN_GROUPS,
        rpm=suse.rpm("15.7"),
    )


def sles_16(arch: str) -> Recipe:
    """16: NetworkManager, and SELinux enforcing."""
    return Recipe(
        distro="sles",
        release="16.0",
        codename="",
        title="SUSE Linux Enterprise Server 16.0",
        family="zypper",
        arch=arch,
        default=True,
        end_of_support="2027-11-30",
        archives=repositories_16(),
        packages=(
            *suse.PACKAGES,
            *suse.PACKAGES_16,
            *(
                "NetworkManager-branding-SLE",
                "SLES-release",
                "suseconnect-ng",
                "suse-build-key",
                "python3-azuremetadata",
            ),
        ),
        kernels=KERNELS[arch],
        boot_packages=suse.BOOT_PACKAGES[arch],
        early_files=suse.EARLY_FILES,
        files=(*suse.FILES, *suse.FILES_16),
        provisioning=suse.provisioning("NetworkManager.service"),
        specialized=suse.SPECIALIZED,
        services=("NetworkManager.service", *suse.SERVICES),
        cmdline=(*suse.CONSOLES[arch], *suse.COMMON_CMDLINE, *suse.ONLY_X86[arch], *suse.CMDLINE_16),
        grub_defaults=suse.GRUB_DEFAULTS,
        grub=suse.grub("sles", arch),
        initramfs=suse.initramfs(arch),
        ext4_features=suse.EXT4_FEATURES,
        admin_groups=suse.ADMIN_GROUPS,
        selinux="targeted",
        rpm=suse.rpm("16.0"),
    )


RECIPES = tuple(make(arch) for make in (sles_15, sles_16) for arch in suse.BOOT_PACKAGES)
