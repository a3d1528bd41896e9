"""Debian. The cloud kernel is the build trimmed for cloud hosts, Azure among them.

Package set and settings follow the published definitions of Debian's own Azure images (debian-cloud-images).
"""

from dataclasses import replace

from distros import azure
from distros.recipe import Archive, Grub, Initramfs, Kernel, Provisioning, Recipe, TextFile

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

KEYS_13 = (
    "04B54C3CDCA79751B16BC6B5225629DF75B188BD",  # archive
    "5E04A1E3223A19A20706E20F9904613D4CCE68C6",  # security archive
)
KEYS_12 = (
    "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8",  # archive
    "05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0",  # security archive
)

SOURCES = """\
Types: deb
URIs: mirror+file:/etc/apt/mirrors/debian.list
Suites: {0} {0}-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: mirror+file:/etc/apt/mirrors/debian-security.list
Suites: {0}-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


HOST = "http://deb.debian.org"
"""Debian's own archive: what these images are made of, and where they look for updates outside Azure."""
SNAPSHOTS = "http://snapshot.debian.org/archive"


def archives(codename: str, keys: tuple[str, ...]) -> tuple[Archive, ...]:
    """The archives of a stable release, which `keys` may sign."""
    return (
        Archive(
            f"{HOST}/debian",
            (codename, f"{codename}-updates"),
            ("main",),
            KEYRING,
            keys=keys,
            snapshots=f"{SNAPSHOTS}/debian/{{time}}",
        ),
        Archive(
            f"{HOST}/debian-security",
            (f"{codename}-security",),
            ("main",),
            KEYRING,
            sibling="-security",
            keys=keys,
            snapshots=f"{SNAPSHOTS}/debian-security/{{time}}",
        ),
    )


def sources(codename: str) -> tuple[TextFile, ...]:
    """The image's own package sources: Azure's mirror first, Debian's own behind it."""
    mirrors = f"http://azure.deb.debian.cloud/{{0}}\tpriority:1\n{HOST}/{{0}}\tpriority:2\n"
    return (
        TextFile("/etc/apt/sources.list.d/debian.sources", SOURCES.format(codename)),
        TextFile("/etc/apt/mirrors/debian.list", mirrors.format("debian")),
        TextFile("/etc/apt/mirrors/debian-security.list", mirrors.format("debian-security")),
    )


INITRAMFS_MODULES = TextFile(
    # MODULES=most holds these already; they are named so that a later change to MODULES=dep cannot strand a VM.
    "/usr/share/initramfs-tools/modules.d/azure",
    "hv_vmbus\nhv_storvsc\nhv_netvsc\nhyperv_keyboard\npci_hyperv\nnvme\n",
)

INITRAMFS_FSCK = TextFile(
    # There is no root file system yet from which the initramfs could learn whose fsck it must take along.
    "/etc/initramfs-tools/conf.d/azure",
    "FSTYPE=ext4\n",
)

INITRAMFS_MISPLACED = TextFile(
    # The hook of azure-vm-utils takes copy_exec's target for a path of this machine: its programs end up below the
    # temporary folder's name, where no udev rule finds them and where no two builds agree. Files in /etc run after it.
    "/etc/initramfs-tools/hooks/azure-misplaced",
    """\
#!/bin/sh
# The hook azure-disk copies its programs to $DESTDIR below $DESTDIR: move them to where udev's rules look for them.
[ "$1" != prereqs ] || exit 0
misplaced=$DESTDIR$DESTDIR
[ -d "$misplaced" ] || exit 0
# Names in bin may be hard links to busybox: written to, they would change every other one, the shell too.
for folder in bin sbin; do
    [ ! -d "$misplaced/$folder" ] || cp -p --remove-destination "$misplaced/$folder"/* "$DESTDIR/$folder/"
done
rm -r "$misplaced"
rmdir -p --ignore-fail-on-non-empty "${misplaced%/*}"
""",
    0o755,
)

GRUB_DEFAULTS = TextFile(
    "/etc/default/grub.d/50-azure.cfg",
    """\
# The serial console is the only screen of an Azure VM.
GRUB_TERMINAL="console serial"
GRUB_TERMINAL_OUTPUT=
GRUB_SERIAL_COMMAND="serial --speed=115200 --unit=0 --word=8 --parity=no --stop=1"
GRUB_TIMEOUT=1
GRUB_TIMEOUT_STYLE=countdown
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="{cmdline}"
GRUB_DISABLE_OS_PROBER=true
""",
)

CMDLINE = (
    # The last console is /dev/console, where systemd and cloud-init write.
    "console=tty1",
    "console=ttyS0,115200n8",
    "earlyprintk=ttyS0,115200",
    "consoleblank=0",
    # A remote disk may be away for longer than the default 30 s while Azure moves it.
    "nvme_core.io_timeout=240",
    "nvme_core.admin_timeout=240",
)

GRUB_DEFAULTS_ARM = TextFile(
    GRUB_DEFAULTS.path,
    # GRUB has no driver for a PL011: UEFI's own console is on it.
    GRUB_DEFAULTS.text.replace('GRUB_TERMINAL="console serial"', "GRUB_TERMINAL=console").replace(
        'GRUB_SERIAL_COMMAND="serial --speed=115200 --unit=0 --word=8 --parity=no --stop=1"\n', ""
    ),
)

CMDLINE_ARM = (
    "console=tty1",
    "console=ttyAMA0",
    "earlycon=pl011,0xeffec000",
    # Azure's firmware tells of performance counters, and its host refuses them.
    "initcall_blacklist=arm_pmu_acpi_init",
    *("consoleblank=0", "nvme_core.io_timeout=240", "nvme_core.admin_timeout=240"),
    # Debian's own images for aarch64 have it.
    "transparent_hugepage=madvise",
)

CLOUD = TextFile(
    "/etc/cloud/cloud.cfg.d/01_debian_cloud.cfg",
    """\
# The name that Azure gives must resolve, for sudo among others.
manage_etc_hosts: true
# The one locale that is there without being generated.
locale: C.UTF-8
# The sources are Azure's mirrors first; the provisioner would write its own over them.
apt:
  preserve_sources_list: true
""",
)

NO_NETWORK_CONFIG = TextFile(
    "/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg",
    # cloud-init 22.4 would bind the first NIC to its MAC address; the default file takes any NIC.
    "network:\n  config: disabled\n",
)

SEARCH_DOMAIN = TextFile(
    "/etc/systemd/networkd.conf.d/50-azure-domain.conf",
    # The network that cloud-init configures from the metadata service says nothing of it (systemd 256 and newer read
    # this): Azure's machines of one network find each other by their short names.
    "[Network]\nUseDomains=yes\n",
)

# grub-cloud-amd64 renews the boot loaders on updates only where this file says that it may.
ENABLE_CLOUD = TextFile("/etc/grub.d/enable_cloud", "", 0o644)

AGENT_SETTINGS = (
    # One owner of the temporary disk: cloud-init, or nobody.
    ("ResourceDisk.Format", "n"),
    ("ResourceDisk.EnableSwap", "n"),
    ("OS.RootDeviceScsiTimeout", "300"),
    ("Provisioning.SshHostKeyPairType", "auto"),
)

SHIM = "/usr/lib/shim/shimx64.efi.signed"
MOK_MANAGER = "/usr/lib/shim/mmx64.efi.signed"


def loaders(cpu: str, grub_folder: str) -> tuple[tuple[str, str], ...]:
    """What lies on the ESP; `cpu` is UEFI's short name for the processor."""
    shim, mok = SHIM.replace("x64", cpu), MOK_MANAGER.replace("x64", cpu)
    grub = f"/usr/lib/grub/{grub_folder}-signed/grub{cpu}.efi.signed"
    return (
        (shim, f"EFI/BOOT/BOOT{cpu.upper()}.EFI"),
        (grub, f"EFI/BOOT/grub{cpu}.efi"),
        (mok, f"EFI/BOOT/mm{cpu}.efi"),
        (shim, f"EFI/debian/shim{cpu}.efi"),
        (grub, f"EFI/debian/grub{cpu}.efi"),
        (mok, f"EFI/debian/mm{cpu}.efi"),
    )


TRIXIE = Recipe(
    distro="debian",
    release="13",
    major=13,
    codename="trixie",
    title="Debian 13 (trixie)",
    family="apt",
    arch="x86_64",
    default=True,
    end_of_support="2028-08-09",
    archives=archives("trixie", KEYS_13),
    packages=(
        *("initramfs-tools", "zstd", "init", "udev", "dbus", "libpam-systemd", "polkitd"),
        *("systemd-resolved", "libnss-resolve", "libnss-myhostname", "netplan.io", "chrony"),
        *("cloud-guest-utils", "cloud-initramfs-growroot", "fdisk", "gdisk", "e2fsprogs", "dosfstools"),
        *("hyperv-daemons", "azure-vm-utils", "eject", "openssh-server", "ssh-import-id", "sudo", "python3-passlib"),
        *("unattended-upgrades", "apparmor", "apt-utils", "ca-certificates"),
        *("iproute2", "iptables", "iputils-ping", "less", "nano", "netbase", "vim-tiny", "whiptail"),
    ),
    kernels={"": Kernel(("linux-image-cloud-amd64",))},
    boot_packages={
        "1": ("grub-pc",),
        "2": ("grub-efi-amd64", "grub-efi-amd64-signed", "shim-signed"),
        # One package for both firmwares: grub-pc and grub-efi-amd64 exclude each other.
        "both": ("grub-cloud-amd64",),
    },
    debconf=(
        # There is no disk while the packages are installed; Kiln writes the boot loaders itself.
        "grub-pc grub-pc/install_devices_empty boolean true",
        # Azure keeps no boot entries: an update in the VM must refresh the removable path, not the NVRAM.
        "grub-efi-amd64 grub2/force_efi_extra_removable boolean true",
        "grub-efi-amd64 grub2/update_nvram boolean false",
    ),
    early_files=(INITRAMFS_MODULES, INITRAMFS_FSCK, INITRAMFS_MISPLACED),
    normalized=("/boot/initrd.img-*",),
    files=(
        *sources("trixie"),
        azure.SSH_KEEPALIVE,
        TextFile("/etc/chrony/chrony.conf", azure.CHRONY),
        TextFile("/etc/default/locale", "LANG=C.UTF-8\n"),
        TextFile("/etc/modprobe.d/azure-blacklist.conf", "blacklist floppy\nblacklist pcspkr\n"),
        ENABLE_CLOUD,
        SEARCH_DOMAIN,
    ),
    provisioning={
        "cloud-init": Provisioning(
            packages=("cloud-init", "waagent"),
            files=(azure.KVP_REPORTING, azure.KVP_POOL, azure.AZURE_DATASOURCE, CLOUD),
            services=("walinuxagent.service",),
            agent_settings=(("Provisioning.Agent", "cloud-init"), *AGENT_SETTINGS),
        ),
        "waagent": Provisioning(
            packages=("waagent",),
            files=(azure.NETPLAN_DHCP, azure.HOST_KEYS_UNIT, *azure.PUBLISH_NAME),
            services=("walinuxagent.service", "kiln-host-keys.service", "kiln-publish-name.path"),
            agent_settings=(("Provisioning.Agent", "waagent"), *AGENT_SETTINGS),
        ),
        "none": Provisioning(
            packages=("python3",),
            files=(azure.NETPLAN_DHCP, azure.HOST_KEYS_UNIT, azure.REPORT_READY, azure.REPORT_READY_UNIT),
            services=("kiln-host-keys.service",),
            only_generalized=("kiln-report-ready.service",),
        ),
    },
    specialized=Provisioning(
        files=(azure.NETPLAN_DHCP, azure.HOST_KEYS_UNIT, azure.CLOUD_INIT_DISABLED),
        services=("kiln-host-keys.service",),
        agent_settings=(("Provisioning.Agent", "disabled"),),
    ),
    services=("systemd-networkd.service", "systemd-resolved.service", "ssh.service", "chrony.service"),
    cmdline=CMDLINE,
    grub_defaults=GRUB_DEFAULTS,
    grub=Grub(
        folder="/boot/grub",
        bios_modules="/usr/lib/grub/i386-pc",
        mkimage="/usr/bin/grub-mkimage",
        mkconfig="/usr/sbin/grub-mkconfig",
        mkconfig_library="/usr/share/grub/grub-mkconfig_lib",
        loaders=loaders("x64", "x86_64-efi"),
        uefi_modules="/usr/lib/grub/x86_64-efi",
        # The prefix that is built into the signed GRUB, wherever it was started from.
        stubs=("EFI/debian/grub.cfg",),
    ),
    initramfs=Initramfs("initramfs-tools", "/boot/initrd.img-{kernel}"),
    ext4_features=(
        "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,"
        "huge_file,dir_nlink,extra_isize,metadata_csum"
    ),
    admin_groups=("adm", "sudo"),
    locale_packages=("locales",),
    timezone_packages=("tzdata",),
)

BOOKWORM = replace(
    TRIXIE,
    release="12",
    major=12,
    codename="bookworm",
    title="Debian 12 (bookworm)",
    early_files=(INITRAMFS_MODULES, INITRAMFS_FSCK),
    normalized=(),
    default=False,
    end_of_support="2026-07-11",
    archives=archives("bookworm", KEYS_12),
    packages=(
        # Debian's own images leave libnss-resolve out of 12, and azure-vm-utils came with 13.
        *(name for name in TRIXIE.packages if name not in ("libnss-resolve", "azure-vm-utils")),
        # cloud-init 22.4 speaks DHCP through dhclient alone.
        "isc-dhcp-client",
    ),
    files=(
        *sources("bookworm"),
        *(one for one in TRIXIE.files[len(sources("trixie")) :] if one != SEARCH_DOMAIN),
        azure.PTP_LINK,
        azure.UNMANAGED_SRIOV,
    ),
    provisioning={
        **TRIXIE.provisioning,
        "cloud-init": replace(
            TRIXIE.provisioning["cloud-init"],
            files=(*TRIXIE.provisioning["cloud-init"].files, NO_NETWORK_CONFIG, azure.NETPLAN_DHCP),
        ),
    },
)

TOOLS = Archive(
    f"{HOST}/debian",
    ("trixie",),
    ("main",),
    KEYRING,
    keys=KEYS_13,
    snapshots=f"{SNAPSHOTS}/debian/{{time}}",
)
"""Where the tools tree comes from, of which no image is made: the main suite alone."""


def on_arm(recipe: Recipe) -> Recipe:
    """The recipe for aarch64, which Azure boots by UEFI alone."""
    assert recipe.grub
    return replace(
        recipe,
        arch="aarch64",
        kernels={"": Kernel(("linux-image-cloud-arm64",))},
        boot_packages={"2": ("grub-efi-arm64", "grub-efi-arm64-signed", "shim-signed")},
        debconf=(
            "grub-efi-arm64 grub2/force_efi_extra_removable boolean true",
            "grub-efi-arm64 grub2/update_nvram boolean false",
        ),
        # The file that lets grub-cloud renew the boot loaders is for a package that is not there.
        files=tuple(file for file in recipe.files if file != ENABLE_CLOUD),
        cmdline=CMDLINE_ARM,
        grub_defaults=GRUB_DEFAULTS_ARM,
        grub=replace(recipe.grub, loaders=loaders("aa64", "arm64-efi"), uefi_modules="/usr/lib/grub/arm64-efi"),
    )


RELEASES = (BOOKWORM, TRIXIE)
RECIPES = (*RELEASES, *(on_arm(recipe) for recipe in RELEASES))
