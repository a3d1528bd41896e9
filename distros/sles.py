"""SUSE Linux Enterprise Server: its repositories are for subscribers, by SUSE's Customer Center or a mirror (RMT).

An image made here is to be uploaded as one that brings its own subscription (licence type SLES_BYOS): the update
service inside Azure is for Marketplace images.
"""

from dataclasses import replace

from distros import suse
from distros.recipe import Kernel, Recipe, Repository

HOST = "https://updates.suse.com"
SOURCE = "zypper refuses unsigned metadata of SUSE's own repositories; the paths of 16.0 are inferred"

KEY_15 = "7F009157B127B994D5CFBE76F74F09BC3FA1D6CE"
KEY_15_OLD = "FEAB502539D846DB2C0961CA70AF9E8139DB7C82"
KEYRING_15 = f"{suse.KEYS}/suse/RPM-GPG-KEY-SuSE-SLE-Main-2023:{suse.KEYS}/suse/RPM-GPG-KEY-SuSE-SLE-15"

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
    keys = (suse.KEY_16,)
    return (suse.repository("SLES-16.0", HOST, path, suse.KEYRING_16, keys, SOURCE, sha1=True, access="scc"),)


KERNELS = {
    "x86_64": {"default": suse.DEFAULT_KERNEL, "azure": Kernel(("kernel-azure",), ("-azure",))},
    "aarch64": {"": suse.DEFAULT_KERNEL},
}
"""SUSE's own images with a subscription of Azure's have kernel-azure, the others and aarch64 the default one."""


SUBSCRIBER = ("suseconnect-ng", "suse-build-key", "python3-azuremetadata")


def sles_16(arch: str) -> Recipe:
    """16, whose updates come to the same repository."""
    newest = suse.recipe(
        "sles",
        "16.0",
        "SUSE Linux Enterprise Server 16.0",
        arch,
        default=True,
        major=1600,
        end_of_support="2027-11-30",
        archives=repositories_16(),
        packages=("NetworkManager-branding-SLE", "SLES-release", *SUBSCRIBER),
    )
    return replace(newest, kernels=KERNELS[arch])


def sles_15(arch: str) -> Recipe:
    """The last service pack of 15: wicked, no SELinux, and an rpm of its own for the database that SUSE uses."""
    return replace(
        sles_16(arch),
        release="15.7",
        major=1507,
        codename="15-SP7",
        title="SUSE Linux Enterprise Server 15 SP7",
        default=False,
        end_of_support="2031-07-31",
        archives=repositories_15(),
        packages=(
            *suse.PACKAGES,
            *("rpm-ndb", "wicked", "wicked-service", "sysconfig", "sysconfig-netconfig", "perl-Bootloader"),
            *("sles-release", "sle-module-basesystem-release", "sle-module-public-cloud-release"),
            *("sle-module-server-applications-release", *SUBSCRIBER),
        ),
        files=(*suse.FILES, *suse.WICKED),
        provisioning=suse.provisioning("wicked.service"),
        services=("wicked.service", *suse.SERVICES),
        cmdline=suse.CMDLINES[arch],
        selinux="",
        rpm=suse.rpm("15.7"),
    )


RECIPES = tuple(make(arch) for make in (sles_15, sles_16) for arch in suse.BOOT_PACKAGES)
