"""What RHEL and everything built from it has in common; no distribution itself, so it has no recipes.

Sources: the published definitions of the vendors' own Azure images (osbuild's azure image type, AlmaLinux/cloud-images,
rocky-linux/kickstarts, Oracle's image tools). The groups @core and @Server stand expanded here, since a group's
content is not part of a plan: what an image holds must not change with a comps file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from distros import azure
from distros.recipe import (
    Grub,
    Initramfs,
    Kernel,
    Provisioning,
    Recipe,
    Repository,
    Rpm,
    TextFile,
)

KEYS = "/usr/share/distribution-gpg-keys"
"""Where the tools tree has every distribution's keys (package distribution-gpg-keys)."""

MAIN = ("BaseOS", "AppStream")
"""The repositories that every release of the family has."""
REBUILT = (*MAIN, "extras")
"""And those of who rebuilds RHEL."""

HYPERV_DRIVERS = ("hv_vmbus", "hv_storvsc", "hv_netvsc", "hyperv-keyboard", "pci-hyperv", "nvme")
"""What an initramfs needs of Azure: the bus, disk, network, the console's keys, and the way to NVMe and to SR-IOV."""


@dataclass(frozen=True)
class Distribution:
    """What tells one distribution of the family from the next.

    `vendor` is its folder below EFI on the ESP, `packages` those of its own and of no other, `repositories` gives
    what there is for a release. By release: `ends` is the end of its support, `codenames` another word for it,
    `releases` packages of it alone, `kernels` its kernels where there is a choice.
    """

    name: str
    title: str
    vendor: str
    repositories: Callable[[str], tuple[Repository, ...]]
    ends: Mapping[str, str]
    packages: tuple[str, ...]
    cmdline: tuple[str, ...] = ()
    releases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kernels: Mapping[str, Mapping[str, Kernel]] = field(default_factory=dict)
    files: tuple[TextFile, ...] = ()
    services: tuple[str, ...] = ()
    codenames: Mapping[str, str] = field(default_factory=dict)
    os_ids: tuple[str, ...] = ()


NEWEST = "10"

WITHHELD = {
    "8": "its package database is Berkeley DB (bdb), which the rpm that builds images today can no longer write",
}
"""Releases that are not offered, with the reason."""

DRACUT = TextFile(
    # The kernels of later updates need the drivers as well, on whatever machine they are installed.
    "/etc/dracut.conf.d/azure.conf",
    f'hostonly="no"\nadd_drivers+=" {" ".join(HYPERV_DRIVERS)} "\n',
)

CLOUD_INIT_PRESET = TextFile(
    # Which units cloud-init consists of changed within the life of a release (24.3 split cloud-init.service in two):
    # whichever there are, their package enables them by this.
    "/etc/systemd/system-preset/10-kiln.preset",
    "enable cloud-init*\nenable cloud-config.*\nenable cloud-final.service\n",
)

GRUB_DEFAULTS = TextFile(
    "/etc/default/grub",
    """\
# The serial console is the only screen of an Azure VM.
GRUB_TIMEOUT=1
GRUB_TIMEOUT_STYLE=countdown
GRUB_DISTRIBUTOR="$(sed 's, release .*$,,g' /etc/system-release)"
GRUB_DEFAULT=saved
GRUB_DISABLE_SUBMENU=true
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --speed=115200 --unit=0 --word=8 --parity=no --stop=1"
GRUB_CMDLINE_LINUX="{cmdline}"
GRUB_DISABLE_RECOVERY=true
GRUB_ENABLE_BLSCFG=true
""",
)

CMDLINES = {
    "x86_64": (
        "ro",
        # The last console is /dev/console, where systemd and cloud-init write.
        *("console=tty1", "console=ttyS0,115200n8", "earlyprintk=ttyS0,115200"),
        # azure-vm-utils sets the same by udev; until udev runs, a disk that Azure moves would be given up after 30 s.
        "nvme_core.io_timeout=240",
    ),
    "aarch64": (
        "ro",
        *("console=tty1", "console=ttyAMA0", "earlycon=pl011,0xeffec000"),
        # Azure's ACPI tables announce a PMU that is not there.
        "initcall_blacklist=arm_pmu_acpi_init",
        "nvme_core.io_timeout=240",
    ),
}
"""Without rootdelay=: dracut waits for the root anyway, and newer pages of Microsoft's leave it out."""

BLACKLIST = TextFile(
    "/etc/modprobe.d/azure-blacklist.conf",
    """\
# Hardware that an Azure VM never has, or whose drivers take hold of what belongs to the host.
blacklist floppy
blacklist nouveau
options nouveau modeset=0
blacklist lbm-nouveau
blacklist amdgpu
blacklist skx_edac
blacklist intel_cstate
blacklist intel_uncore
blacklist acpi_cpufreq
""",
)

CHRONY = TextFile(
    "/etc/chrony.conf",
    azure.CHRONY.replace("/var/lib/chrony/chrony.drift", "/var/lib/chrony/drift").replace("/etc/chrony/", "/etc/"),
)

NETWORK_MANAGER = (
    TextFile(
        # Azure's DHCP may answer late while a machine is deployed.
        "/etc/NetworkManager/conf.d/99-azure-dhcp.conf",
        "[connection]\nipv4.dhcp-timeout=300\n",
    ),
    TextFile(
        # An SR-IOV function is driven through its hv_netvsc master and must get no address of its own.
        "/etc/NetworkManager/conf.d/99-azure-unmanaged-devices.conf",
        "[keyfile]\nunmanaged-devices=driver:mlx4_core;driver:mlx5_core;driver:mana\n",
    ),
)

CLOUD_SETUP = TextFile(
    # Adds the secondary addresses that Azure gives a network interface; it asks no cloud unless it is told which.
    "/etc/systemd/system/nm-cloud-setup.service.d/azure.conf",
    "[Service]\nEnvironment=NM_CLOUD_SETUP_AZURE=yes\n",
)

AZURE_DATASOURCE = TextFile(
    azure.AZURE_DATASOURCE.path,
    """\
datasource_list: [ Azure ]
datasource:
  Azure:
    # NetworkManager asks for the first address by itself, and nm-cloud-setup for the others.
    apply_network_config: False
""",
)

CLOUD = TextFile(
    "/etc/cloud/cloud.cfg.d/01_kiln.cfg",
    "# The name that Azure gives must resolve, for sudo among others.\nmanage_etc_hosts: true\n",
)

REPORT_READY_UNIT = azure.report_ready_unit("NetworkManager.service")

AGENT_SETTINGS = (
    # One owner of the temporary disk: cloud-init, or nobody.
    ("ResourceDisk.Format", "n"),
    ("ResourceDisk.EnableSwap", "n"),
    ("OS.RootDeviceScsiTimeout", "300"),
    ("Provisioning.SshHostKeyPairType", "auto"),
    ("Provisioning.DeleteRootPassword", "y"),
)

PACKAGES = (
    # @core
    *("audit", "basesystem", "bash", "coreutils", "curl", "dnf", "e2fsprogs", "filesystem", "glibc", "hostname"),
    *("iproute", "iputils", "irqbalance", "kbd", "less", "man-db", "ncurses", "openssh-clients", "openssh-server"),
    *("p11-kit", "parted", "policycoreutils", "procps-ng", "rootfiles", "rpm", "selinux-policy-targeted", "setup"),
    *("shadow-utils", "sssd-common", "sssd-kcm", "sudo", "systemd", "util-linux", "vim-minimal", "xfsprogs"),
    *("dnf-plugins-core", "kernel-tools", "lsscsi", "sg3_utils", "rsyslog", "crypto-policies-scripts"),
    # Azure
    *("NetworkManager", "NetworkManager-cloud-setup", "chrony", "hyperv-daemons", "azure-vm-utils", "nvme-cli"),
    *("cloud-utils-growpart", "dosfstools", "tar", "rsync", "bzip2", "yum-utils", "tuned", "glibc-langpack-en"),
    # What mkinitrd and grubby need: without dracut-config-generic, later kernels get an initramfs of one machine.
    *("dracut-config-generic", "grubby", "python3"),
)

OF_RELEASE = {
    # passwd belongs to shadow-utils in 10, which has no gdisk any more: sfdisk knows GPT.
    "9": ("passwd", "gdisk"),
    "10": (),
}

EXCLUDED = (
    # Firmware of hardware that no VM has, and what would make the image one of a particular machine.
    *("dracut-config-rescue", "plymouth", "biosdevname", "iprutils", "microcode_ctl", "linux-firmware"),
    *("alsa-firmware", "alsa-tools-firmware", "ivtv-firmware", "libertas-sd8686-firmware", "iwl*-firmware"),
    # It renames interfaces while azure-vm-utils sorts them out.
    "initscripts-rename-device",
    *("NetworkManager-config-server", "rhn*", "usb_modeswitch", "qemu-guest-agent", "open-vm-tools"),
)

RPMS = {
    "9": Rpm("9", "sqlite", "/var/lib/rpm", EXCLUDED),
    "10": Rpm("10", "sqlite", "/usr/lib/sysimage/rpm", EXCLUDED),
}

EXT4_FEATURES = (
    # What e2fsprogs 1.46 and GRUB 2.06 of release 9 know; those of 10 would know more, and gain nothing here.
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,"
    "huge_file,dir_nlink,extra_isize,metadata_csum"
)

EFI_NAMES = {"x86_64": "x64", "aarch64": "aa64"}

GRUB_TOOLS = ("grub2-tools", "grub2-tools-minimal", "efibootmgr")
BOOT_PACKAGES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "x86_64": {
        "1": ("grub2-pc", "grub2-pc-modules", "grub2-tools", "grub2-tools-minimal"),
        "2": ("grub2-efi-x64", "shim-x64", *GRUB_TOOLS),
        "both": ("grub2-pc", "grub2-pc-modules", "grub2-efi-x64", "shim-x64", *GRUB_TOOLS),
    },
    "aarch64": {"2": ("grub2-efi-aa64", "shim-aa64", *GRUB_TOOLS)},
}

PROVISIONING = {
    "cloud-init": Provisioning(
        packages=("cloud-init", "WALinuxAgent"),
        files=(azure.KVP_REPORTING, azure.KVP_POOL, AZURE_DATASOURCE, CLOUD),
        services=("waagent.service", "cloud-init-local.service", "cloud-config.service", "cloud-final.service"),
        agent_settings=(("Provisioning.Agent", "cloud-init"), *AGENT_SETTINGS),
    ),
    "waagent": Provisioning(
        packages=("WALinuxAgent",),
        files=(azure.HOST_KEYS_UNIT, *azure.GROW_ROOT),
        services=("waagent.service", "kiln-host-keys.service", "kiln-grow-root.service"),
        agent_settings=(("Provisioning.Agent", "waagent"), *AGENT_SETTINGS),
    ),
    "none": Provisioning(
        files=(azure.HOST_KEYS_UNIT, *azure.GROW_ROOT, azure.REPORT_READY, REPORT_READY_UNIT),
        services=("kiln-host-keys.service", "kiln-grow-root.service"),
        only_generalized=("kiln-report-ready.service",),
    ),
}
"""Where cloud-init does not set up the network, NetworkManager makes a connection by DHCP for any interface."""

SPECIALIZED = Provisioning(
    files=(azure.HOST_KEYS_UNIT, *azure.GROW_ROOT, azure.CLOUD_INIT_DISABLED),
    services=("kiln-host-keys.service", "kiln-grow-root.service"),
    agent_settings=(("Provisioning.Agent", "disabled"),),
)

SERVICES = ("NetworkManager.service", "nm-cloud-setup.timer", "sshd.service", "chronyd.service", "rsyslog.service")


def grub(vendor: str, arch: str) -> Grub:
    """Where a distribution of the family keeps GRUB; its packages put the signed loaders on the ESP themselves.

    Without fbx64.efi in EFI/BOOT: it would write boot entries and reset the machine, which Azure has no use for.
    """
    efi = EFI_NAMES[arch]
    own = f"/boot/efi/EFI/{vendor}"
    names = (f"shim{efi}.efi", f"grub{efi}.efi", f"mm{efi}.efi")
    removable = (f"BOOT{efi.upper()}.EFI", *names[1:])
    return Grub(
        folder="/boot/grub2",
        bios_modules="/usr/lib/grub/i386-pc",
        mkimage="/usr/bin/grub2-mkimage",
        mkconfig="/usr/sbin/grub2-mkconfig",
        mkconfig_library="/usr/share/grub/grub-mkconfig_lib",
        loaders=(
            *((f"{own}/{name}", f"EFI/BOOT/{there}") for name, there in zip(names, removable, strict=True)),
            *((f"{own}/{name}", f"EFI/{vendor}/{name}") for name in names),
        ),
        # The prefix that is built into the signed GRUB, wherever it was started from.
        stubs=(f"EFI/{vendor}/grub.cfg",),
        menu="bls",
    )


def composed(
    folder: str, names: tuple[str, ...], host: str, keyring: str, key: str, source: str, metalink: str = ""
) -> tuple[Repository, ...]:
    """The repositories of a release's newest minor version below `host`/`folder`, laid out as RHEL's build system does.

    `keyring` is a file below KEYS, `key` the fingerprint that signs packages and metadata, `source` where it was
    learned that the metadata is signed, `metalink` the URL that lists mirrors of the repository {name}.
    """
    return tuple(
        Repository(
            name=name.lower(),
            url=f"{host}/{folder}/{name}/{{arch}}/os",
            path=f"{folder}/{name}/{{arch}}/os",
            keyring=f"{KEYS}/{keyring}",
            keys=(key,),
            signed_metadata=True,
            source=source,
            metalink=metalink.replace("{name}", name.lower()),
        )
        for name in names
    )


def recipes(distribution: Distribution) -> tuple[Recipe, ...]:
    """Every release and architecture of a distribution of the family."""
    return tuple(_recipe(distribution, release, arch) for release in distribution.ends for arch in BOOT_PACKAGES)


def _recipe(distribution: Distribution, release: str, arch: str) -> Recipe:
    return Recipe(
        distro=distribution.name,
        release=release,
        major=int(release),
        codename=distribution.codenames.get(release, ""),
        title=f"{distribution.title} {release}",
        family="dnf",
        arch=arch,
        default=release == NEWEST,
        end_of_support=distribution.ends[release],
        os_ids=distribution.os_ids,
        archives=distribution.repositories(release),
        packages=(
            *PACKAGES,
            *OF_RELEASE[release],
            *distribution.packages,
            *distribution.releases.get(release, ()),
        ),
        kernels=distribution.kernels.get(release, {"": Kernel(("kernel",))}),
        boot_packages=BOOT_PACKAGES[arch],
        early_files=(DRACUT, CLOUD_INIT_PRESET),
        files=(azure.SSH_KEEPALIVE, CHRONY, BLACKLIST, *NETWORK_MANAGER, CLOUD_SETUP, *distribution.files),
        provisioning=PROVISIONING,
        specialized=SPECIALIZED,
        services=(*SERVICES, *distribution.services),
        cmdline=(*CMDLINES[arch], *distribution.cmdline),
        grub_defaults=GRUB_DEFAULTS,
        grub=grub(distribution.vendor, arch),
        initramfs=Initramfs("dracut", "/boot/initramfs-{kernel}.img", HYPERV_DRIVERS),
        ext4_features=EXT4_FEATURES,
        admin_groups=("wheel", "adm", "systemd-journal"),
        # One package a language, ready made (fedoraproject.org/wiki/Changes/Glibc_locale_subpackaging).
        locale_packages=("glibc-langpack-{language}",),
        timezone_packages=("tzdata",),
        selinux="targeted",
        rpm=RPMS[release],
    )
