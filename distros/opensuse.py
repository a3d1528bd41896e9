"""openSUSE: Leap, which shares its core with SLES of the same number, and Tumbleweed, which rolls."""

from dataclasses import replace

from distros import suse
from distros.recipe import Recipe, Repository

HOST = "https://download.opensuse.org"
SOURCE = "zypper refuses unsigned metadata; the key is published as repomd.xml.key"
KEY = "AD485664E901B867051AB15F35A2F86E29B700A4"
BACKPORTS_KEY = "BF3F9A67D3A2FF98A73F5E07488C583D287A0027"
SLES_KEY = "1C59D66FCD52563A16933DBCFEC28EAF09D9EA69"
KEYRING = f"{suse.KEYS}/opensuse/RPM-GPG-KEY-openSUSE-2022"
LEAP_KEYRING = ":".join(
    (
        KEYRING,
        f"{suse.KEYS}/opensuse/RPM-GPG-KEY-openSUSE-16-Backports",
        f"{suse.KEYS}/suse/RPM-GPG-KEY-SuSE-ALP-Main",
    )
)
PORTS = {"x86_64": "", "aarch64": "ports/aarch64/"}


def leap_repositories() -> tuple[Repository, ...]:
    """One tree, where the updates come to as well. Its packages keep the keys of those who built them: openSUSE, the
    backports, and SUSE, whose key is bound by SHA-1."""
    return (
        suse.repository(
            "oss",
            HOST,
            "distribution/leap/16.0/repo/oss/{arch}",
            LEAP_KEYRING,
            (KEY, BACKPORTS_KEY, SLES_KEY),
            SOURCE,
            sha1=True,
        ),
    )


def tumbleweed_repositories(arch: str) -> tuple[Repository, ...]:
    """The newest snapshot, and the few updates between snapshots."""
    paths = {"oss": f"{PORTS[arch]}tumbleweed/repo/oss", "update": f"{PORTS[arch]}update/tumbleweed"}
    return tuple(suse.repository(name, HOST, path, KEYRING, (KEY,), SOURCE, sha1=False) for name, path in paths.items())


def leap(arch: str) -> Recipe:
    """Leap 16.0: NetworkManager, and SELinux enforcing, as SLES 16 has them."""
    return Recipe(
        distro="opensuse",
        release="16.0",
        codename="leap-16.0",
        title="openSUSE Leap 16.0",
        family="zypper",
        arch=arch,
        default=True,
        end_of_support="2027-10-31",
        os_ids=("opensuse-leap",),
        archives=leap_repositories(),
        packages=(
            *suse.PACKAGES,
            *suse.PACKAGES_16,
            *("NetworkManager-branding-openSUSE", "openSUSE-build-key", "Leap-release", "openSUSE-repos-Leap"),
        ),
        kernels={"": suse.DEFAULT_KERNEL},
        boot_packages=suse.BOOT_PACKAGES[arch],
        early_files=suse.EARLY_FILES,
        files=(*suse.FILES, *suse.FILES_16),
        provisioning=suse.provisioning("NetworkManager.service"),
        specialized=suse.SPECIALIZED,
        services=("NetworkManager.service", *suse.SERVICES),
        cmdline=(*suse.CONSOLES[arch], *suse.COMMON_CMDLINE, *suse.ONLY_X86[arch], *suse.CMDLINE_16),
        grub_defaults=suse.GRUB_DEFAULTS,
        grub=suse.grub("opensuse", arch),
        initramfs=suse.initramfs(arch),
        ext4_features=suse.EXT4_FEATURES,
        admin_groups=suse.ADMIN_GROUPS,
        selinux="targeted",
        rpm=suse.rpm("16.0"),
    )


def tumbleweed(arch: str) -> Recipe:
    """Tumbleweed has no releases and no end; a build takes the snapshot of its day."""
    stable = leap(arch)
    return replace(
        stable,
        release="tumbleweed",
        codename="",
        title="openSUSE Tumbleweed",
        default=False,
        end_of_support="",
        os_ids=("opensuse-tumbleweed",),
        archives=tumbleweed_repositories(arch),
        packages=(
            *suse.PACKAGES,
            *suse.PACKAGES_16,
            *(
                "NetworkManager-branding-openSUSE",
                "openSUSE-build-key",
                "openSUSE-release",
                "openSUSE-repos-Tumbleweed",
            ),
        ),
        rpm=suse.rpm("tumbleweed"),
    )


RECIPES = tuple(make(arch) for make in (leap, tumbleweed) for arch in suse.BOOT_PACKAGES)
