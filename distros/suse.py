"""What SUSE's distributions have in common; no distribution itself, so it has no recipes.

Sources: SUSE's own definitions of its public cloud images (SUSE-Enceladus/keg-recipes), with ext4 where those of 16
have btrfs with snapshots: the disk is written without a kernel that could mount it.
"""

from collections.abc import Mapping

from distros import azure, enterprise
from distros.recipe import Grub, Initramfs, Kernel, Provisioning, Recipe, Repository, Rpm, TextFile

KEYS = enterprise.KEYS

KEY_16 = "1C59D66FCD52563A16933DBCFEC28EAF09D9EA69"
"""SUSE's own since 16, in SLES and in what Leap shares with it. It is bound by SHA-1."""
KEYRING_16 = f"{KEYS}/suse/RPM-GPG-KEY-SuSE-ALP-Main"

DRACUT = enterprise.DRACUT

BOOTLOADER = TextFile(
    # What update-bootloader does when a kernel is installed: write the menu anew, and never touch NVRAM, which Azure
    # does not keep.
    "/etc/sysconfig/bootloader",
    'LOADER_TYPE="grub2-efi"\nSECURE_BOOT="yes"\nTRUSTED_BOOT="no"\nUPDATE_NVRAM="no"\n',
)

GRUB_DEFAULTS = TextFile(
    "/etc/default/grub",
    """\
# The serial console is the only screen of an Azure VM.
GRUB_DISTRIBUTOR=
GRUB_DEFAULT=saved
GRUB_TIMEOUT=1
GRUB_TIMEOUT_STYLE=countdown
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --speed=115200 --unit=0 --word=8 --parity=no --stop=1"
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="{cmdline}"
GRUB_CMDLINE_XEN_DEFAULT=""
GRUB_DISABLE_OS_PROBER=true
SUSE_BTRFS_SNAPSHOT_BOOTING=false
""",
)

COMMON_CMDLINE = (
    # The configuration of the network names eth0.
    "net.ifnames=0",
    "multipath=off",
    # A remote disk may be away for longer than the default 30 s while Azure moves it.
    "nvme_core.io_timeout=240",
)
CMDLINES = {
    # The last console is /dev/console, where systemd and cloud-init write.
    "x86_64": (
        *("console=tty1", "console=ttyS0,115200n8", "earlyprintk=ttyS0,115200", *COMMON_CMDLINE),
        # The host has loaded the processor's microcode.
        "dis_ucode_ldr",
    ),
    "aarch64": (
        *("console=tty1", "console=ttyAMA0", "earlycon=pl011,0xeffec000"),
        # Azure's ACPI tables announce a PMU that is not there.
        *("initcall_blacklist=arm_pmu_acpi_init", *COMMON_CMDLINE),
    ),
}
SELINUX_CMDLINE = ("security=selinux", "selinux=1")

BLACKLIST = TextFile(
    "/etc/modprobe.d/60-azure-blacklist.conf",
    "# Hardware that an Azure VM never has.\nblacklist floppy\nblacklist vfb\nblacklist pcspkr\nblacklist intel_rapl\n"
    "blacklist skx_edac\n",
)

CHRONY = TextFile(
    "/etc/chrony.d/azure.conf",
    # The rest is in the distribution's own chrony.conf, which reads this folder.
    """\
# Time comes from the host by way of the Hyper-V clock; Azure has no need of NTP servers.
refclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0 stratum 2
makestep 1.0 -1
""",
)

SCHEDULER = TextFile(
    "/etc/udev/rules.d/60-azure-io-scheduler.rules",
    # The host orders what reaches its disks.
    'ACTION=="add|change", SUBSYSTEM=="block", KERNEL=="sd*", ENV{DEVTYPE}=="disk", ATTR{queue/scheduler}="none"\n',
)

SUDOERS = TextFile(
    # SUSE's own asks every user for root's password (targetpw), which an Azure VM does not have.
    "/etc/sudoers",
    """\
Defaults always_set_home
Defaults secure_path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
Defaults env_reset
Defaults !insults
root ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
""",
    0o440,
)

WICKED = (
    TextFile("/etc/sysconfig/network/ifcfg-eth0", "BOOTPROTO='dhcp'\nSTARTMODE='auto'\nCLOUD_NETCONFIG_MANAGE='yes'\n"),
    TextFile(
        # The name comes from cloud-init or the agent, and DHCP is told it: so Azure's DNS learns it.
        "/etc/sysconfig/network/dhcp",
        'DHCLIENT_SET_HOSTNAME="no"\nDHCLIENT_HOSTNAME_OPTION="AUTO"\nDHCLIENT_WAIT_AT_BOOT="300"\n'
        'WRITE_HOSTNAME_TO_HOSTS="no"\n',
    ),
)

SELINUX = TextFile("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n")

NO_NETWORK_CONFIG = TextFile(
    "/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg",
    # The first interface is configured by name, the others and secondary addresses by cloud-netconfig.
    "network:\n  config: disabled\n",
)

PACKAGES = (
    *("filesystem", "aaa_base", "bash", "coreutils", "dracut", "glibc", "glibc-locale-base", "iproute2", "iputils"),
    *("less", "parted", "procps", "shadow", "sudo", "system-group-wheel", "systemd", "timezone", "udev", "util-linux"),
    *("util-linux-systemd", "which", "zypper", "ca-certificates-mozilla", "openssh", "kmod", "vim-small", "tar"),
    *("e2fsprogs", "dosfstools", "xfsprogs", "gptfdisk", "growpart", "audit", "supportutils"),
    # Azure
    *("hyper-v", "cloud-netconfig-azure", "chrony", "chrony-pool-empty", "lsscsi", "nvme-cli", "cryptsetup"),
)
"""chrony-pool-empty: any other package that chrony is content with brings servers of its own."""

BOOT_PACKAGES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "x86_64": {
        "1": ("grub2", "grub2-i386-pc"),
        "2": ("grub2", "grub2-x86_64-efi", "shim", "mokutil"),
        "both": ("grub2", "grub2-i386-pc", "grub2-x86_64-efi", "shim", "mokutil"),
    },
    "aarch64": {"2": ("grub2", "grub2-arm64-efi", "shim", "mokutil")},
}

EXCLUDED = ("plymouth", "kernel-firmware-all", "ucode-amd", "ucode-intel")
"""Firmware and microcode of hardware that no VM has."""

EXT4_FEATURES = enterprise.EXT4_FEATURES
KERNEL_FILES = {"x86_64": "vmlinuz", "aarch64": "Image"}
ADMIN_GROUPS = ("wheel", "users")
SERVICES = ("sshd.service", "chronyd.service", "cloud-netconfig.timer")
DEFAULT_KERNEL = Kernel(("kernel-default",), ("-default",))


def initramfs(arch: str) -> Initramfs:
    """Besides kernels by their versions, /boot has links to the newest one, as packages' scripts renew them."""
    kernel = KERNEL_FILES[arch]
    links = ((f"/boot/{kernel}", f"{kernel}-{{kernel}}"), ("/boot/initrd", "initrd-{kernel}"))
    return Initramfs("dracut", "/boot/initrd-{kernel}", enterprise.HYPERV_DRIVERS, links)


def rpm(release: str) -> Rpm:
    """rpm's settings, alike in every release."""
    return Rpm(release, "ndb", "/usr/lib/sysimage/rpm", EXCLUDED)


def grub(vendor: str, arch: str) -> Grub:
    """Where SUSE keeps GRUB: in /usr/share, the signed loaders included, whose second stage is called grub.efi.

    That one reads the grub.cfg of the folder that it was started from, so each has one.
    """
    signed = f"/usr/share/efi/{arch}"
    removable = {"x86_64": "BOOTX64.EFI", "aarch64": "BOOTAA64.EFI"}[arch]
    rest = ("grub.efi", "MokManager.efi")
    return Grub(
        folder="/boot/grub2",
        bios_modules="/usr/share/grub2/i386-pc",
        mkimage="/usr/bin/grub2-mkimage",
        mkconfig="/usr/sbin/grub2-mkconfig",
        mkconfig_library="/usr/share/grub2/grub-mkconfig_lib",
        loaders=(
            (f"{signed}/shim.efi", f"EFI/BOOT/{removable}"),
            *((f"{signed}/{name}", f"EFI/BOOT/{name}") for name in rest),
            *((f"{signed}/{name}", f"EFI/{vendor}/{name}") for name in ("shim.efi", *rest)),
        ),
        stubs=("EFI/BOOT/grub.cfg", f"EFI/{vendor}/grub.cfg"),
    )


AGENT = ("python-azure-agent", "python-azure-agent-config-server")
"""With SUSE's settings for servers: the agent is content with those of other products as well."""


def provisioning(network: str) -> dict[str, Provisioning]:
    """The ways of provisioning; `network` is the unit of the network stack."""
    return {
        "cloud-init": Provisioning(
            packages=("cloud-init", "cloud-init-config-suse", *AGENT),
            files=(
                *(azure.KVP_REPORTING, azure.KVP_POOL),
                *(enterprise.AZURE_DATASOURCE, enterprise.CLOUD, NO_NETWORK_CONFIG),
            ),
            services=("waagent.service", "cloud-init-local.service", "cloud-config.service", "cloud-final.service"),
            agent_settings=(("Provisioning.Agent", "cloud-init"), *enterprise.AGENT_SETTINGS),
        ),
        "waagent": Provisioning(
            packages=AGENT,
            files=(azure.HOST_KEYS_UNIT, *azure.GROW_ROOT),
            services=("waagent.service", "kiln-host-keys.service", "kiln-grow-root.service"),
            agent_settings=(("Provisioning.Agent", "waagent"), *enterprise.AGENT_SETTINGS),
        ),
        "none": Provisioning(
            packages=("python3",),
            files=(azure.HOST_KEYS_UNIT, *azure.GROW_ROOT, azure.REPORT_READY, azure.report_ready_unit(network)),
            services=("kiln-host-keys.service", "kiln-grow-root.service"),
            only_generalized=("kiln-report-ready.service",),
        ),
    }


SPECIALIZED = Provisioning(
    files=(azure.HOST_KEYS_UNIT, *azure.GROW_ROOT, azure.CLOUD_INIT_DISABLED),
    services=("kiln-host-keys.service", "kiln-grow-root.service"),
    agent_settings=(("Provisioning.Agent", "disabled"),),
)

EARLY_FILES = (DRACUT, enterprise.CLOUD_INIT_PRESET, BOOTLOADER)
FILES = (azure.SSH_KEEPALIVE, CHRONY, azure.PTP_LINK, BLACKLIST, SCHEDULER, SUDOERS)

PACKAGES_16 = (
    *("rpm", "NetworkManager", "update-bootloader", "azure-vm-utils"),
    *("policycoreutils", "selinux-policy", "selinux-policy-targeted", "selinux-tools"),
)
FILES_16 = (SELINUX, *enterprise.NETWORK_MANAGER)
CMDLINE_16 = ("iommu.passthrough=1", *SELINUX_CMDLINE)
"""What came with 16, and Tumbleweed has as well. What the host passes through needs no IOMMU of the guest's."""


def repository(
    name: str, host: str, path: str, keyring: str, keys: tuple[str, ...], source: str, *, sha1: bool, access: str = ""
) -> Repository:
    """A repository of SUSE's: zypper insists on signed metadata, so every one of them has it."""
    return Repository(
        name, f"{host}/{path}", path, keyring, keys, signed_metadata=True, source=source, sha1_key=sha1, access=access
    )


def recipe(
    distro: str,
    release: str,
    title: str,
    arch: str,
    *,
    default: bool,
    major: int,
    end_of_support: str,
    archives: tuple[Repository, ...],
    packages: tuple[str, ...],
) -> Recipe:
    """A release since 16: NetworkManager, and SELinux enforcing. `packages` are those that it alone has."""
    return Recipe(
        distro=distro,
        release=release,
        codename="",
        title=title,
        family="zypper",
        arch=arch,
        default=default,
        major=major,
        end_of_support=end_of_support,
        archives=archives,
        packages=(*PACKAGES, *PACKAGES_16, *packages),
        kernels={"": DEFAULT_KERNEL},
        boot_packages=BOOT_PACKAGES[arch],
        early_files=EARLY_FILES,
        files=(*FILES, *FILES_16),
        provisioning=provisioning("NetworkManager.service"),
        specialized=SPECIALIZED,
        services=("NetworkManager.service", *SERVICES),
        cmdline=(*CMDLINES[arch], *CMDLINE_16),
        grub_defaults=GRUB_DEFAULTS,
        grub=grub(distro, arch),
        initramfs=initramfs(arch),
        ext4_features=EXT4_FEATURES,
        admin_groups=ADMIN_GROUPS,
        # All of them, ready made: glibc-locale-base has U.S. English alone.
        locale_packages=("glibc-locale",),
        timezone_packages=("timezone",),
        selinux="targeted",
        rpm=rpm(release),
    )
