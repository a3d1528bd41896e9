"""Ubuntu's releases with long-term support. The azure kernel has Hyper-V's drivers built in.

Package set and settings follow livecd-rootfs, which makes Canonical's cloud images, and what their Azure images show
when they run: the part that makes those is not public.
"""

from dataclasses import replace

from distros import azure, debian
from distros.recipe import Archive, Grub, Initramfs, Kernel, OfferedImage, Provisioning, Recipe, TextFile

KEYRING = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
KEYS = ("F6ECB3762474EDA9D21B7022871920D1991BC93C",)
"""The archive's key of 2018, which signs every release since 22.04; the keyring's key of 2012 signs none of them."""
CLOUD_IMAGE_KEY = "D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81"
COMPONENTS = ("main", "restricted", "universe", "multiverse")
MAIN = "http://archive.ubuntu.com/ubuntu"
SECURITY = "http://security.ubuntu.com/ubuntu"
PORTS = "http://ports.ubuntu.com/ubuntu-ports"
"""Everything that is not for a PC, security updates included."""

SOURCES = """\
Types: deb
URIs: mirror+file:/etc/apt/mirrors/ubuntu.list
Suites: {0} {0}-updates {0}-backports
Components: main restricted universe multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

Types: deb
URIs: mirror+file:/etc/apt/mirrors/ubuntu-security.list
Suites: {0}-security
Components: main restricted universe multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
"""


def archives(codename: str) -> tuple[Archive, ...]:
    """A release's archives for x86_64. A private mirror has the security suite in the same place as the others."""
    snapshots = "http://snapshot.ubuntu.com/ubuntu/{time}"
    return (
        Archive(MAIN, (codename, f"{codename}-updates"), COMPONENTS, KEYRING, keys=KEYS, snapshots=snapshots),
        Archive(SECURITY, (f"{codename}-security",), COMPONENTS, KEYRING, keys=KEYS, snapshots=snapshots),
    )


def ports(codename: str) -> tuple[Archive, ...]:
    """A release's archive for aarch64, of which nobody says that the snapshots hold it."""
    suites = (codename, f"{codename}-updates", f"{codename}-security")
    return (Archive(PORTS, suites, COMPONENTS, KEYRING, keys=KEYS),)


def sources(codename: str) -> TextFile:
    """The image's own package sources, which are behind lists of mirrors."""
    return TextFile("/etc/apt/sources.list.d/ubuntu.sources", SOURCES.format(codename))


def mirrors(in_azure: str, main: str, security: str) -> tuple[TextFile, ...]:
    """The lists of mirrors: Azure's own first, Ubuntu's behind it."""
    listed = "{}/\tpriority:1\n{}/\tpriority:2\n"
    return (
        TextFile("/etc/apt/mirrors/ubuntu.list", listed.format(in_azure, main)),
        TextFile("/etc/apt/mirrors/ubuntu-security.list", listed.format(in_azure, security)),
    )


GRUB_DEFAULTS = replace(
    debian.GRUB_DEFAULTS,
    # Ubuntu's GRUB waits for 30 seconds after a boot that failed; nobody sits at an Azure VM's console.
    text=debian.GRUB_DEFAULTS.text + "GRUB_RECORDFAIL_TIMEOUT=1\n",
)
GRUB_DEFAULTS_ARM = TextFile(
    GRUB_DEFAULTS.path,
    # GRUB has no driver for a PL011: UEFI's own console is on it.
    GRUB_DEFAULTS.text.replace('GRUB_TERMINAL="console serial"', "GRUB_TERMINAL=console").replace(
        'GRUB_SERIAL_COMMAND="serial --speed=115200 --unit=0 --word=8 --parity=no --stop=1"\n', ""
    ),
)

# A remote disk may be away for longer than the default 30 s while Azure moves it.
PATIENCE = "nvme_core.io_timeout=240"
CMDLINE = ("console=tty1", "console=ttyS0,115200n8", "earlyprintk=ttyS0,115200", "consoleblank=0", PATIENCE)
CMDLINE_ARM = (
    "console=tty1",
    "console=ttyAMA0",
    "earlycon=pl011,0xeffec000",
    # Azure's firmware tells of a performance counter that the host does not give.
    "initcall_blacklist=arm_pmu_acpi_init",
    "consoleblank=0",
    PATIENCE,
)

CLOUD = TextFile(
    "/etc/cloud/cloud.cfg.d/91-ubuntu-azure.cfg",
    """\
# The name that Azure gives must resolve, for sudo among others.
manage_etc_hosts: true
locale: C.UTF-8
apt:
  # The image names Azure's mirrors, and others behind them: cloud-init would write one in their place.
  preserve_sources_list: true
""",
)

DRIVERS = ("hv_vmbus", "hv_storvsc", "hv_netvsc", "hyperv_keyboard", "pci_hyperv", "nvme")
DRACUT = TextFile(
    # The kernels of later updates need the drivers as well, on whatever machine they are installed.
    "/etc/dracut.conf.d/azure.conf",
    f'hostonly="no"\nadd_drivers+=" {" ".join(DRIVERS)} "\n',
)

SHIM = "/usr/lib/shim/shimx64.efi.signed.latest"
"""The file that Microsoft signed. What lies beside it without `.latest` is a link of the system of alternatives."""
MOK_MANAGER = "/usr/lib/shim/mmx64.efi"
GRUB_EFI = "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"


def loaders(cpu: str, grub_folder: str) -> tuple[tuple[str, str], ...]:
    """What lies on the ESP; `cpu` is UEFI's short name for the processor."""
    shim, mok = SHIM.replace("x64", cpu), MOK_MANAGER.replace("x64", cpu)
    grub = f"/usr/lib/grub/{grub_folder}-signed/grub{cpu}.efi.signed"
    return (
        (shim, f"EFI/BOOT/BOOT{cpu.upper()}.EFI"),
        (grub, f"EFI/BOOT/grub{cpu}.efi"),
        (mok, f"EFI/BOOT/mm{cpu}.efi"),
        (shim, f"EFI/ubuntu/shim{cpu}.efi"),
        (grub, f"EFI/ubuntu/grub{cpu}.efi"),
        (mok, f"EFI/ubuntu/mm{cpu}.efi"),
    )


def renews_loaders(platform: str) -> TextFile:
    """What has updates of shim and GRUB renew the loaders on the ESP; `platform` is GRUB's word for it.

    grub-install leaves this file there, and the scripts of the signed packages do nothing where it is missing: they
    take a system for one whose loaders are somebody else's. It is written after the packages, so that none of their
    scripts looks for an ESP while the image is made.
    """
    return TextFile(f"/boot/grub/{platform}/core.efi", "")


NOBLE = Recipe(
    distro="ubuntu",
    release="24.04",
    major=2404,
    codename="noble",
    title="Ubuntu 24.04 LTS (Noble Numbat)",
    family="apt",
    arch="x86_64",
    default=True,
    end_of_support="2029-05-31",
    archives=archives("noble"),
    packages=(
        *("ubuntu-minimal", "initramfs-tools", "zstd", "init", "udev", "dbus", "libpam-systemd", "polkitd"),
        *("systemd-resolved", "libnss-resolve", "netplan.io", "chrony"),
        *("cloud-guest-utils", "fdisk", "gdisk", "e2fsprogs", "dosfstools", "eject"),
        # Ubuntu brought it to 22.04 and 24.04 by their updates.
        "azure-vm-utils",
        *("openssh-server", "ssh-import-id", "sudo", "unattended-upgrades", "apparmor", "apt-utils"),
        *("ca-certificates", "ubuntu-keyring"),
        *("iproute2", "iptables", "iputils-ping", "less", "nano", "netbase", "vim-tiny", "whiptail"),
    ),
    kernels={
        # The newest kernel that Ubuntu has for Azure, renewed every half year; with Hyper-V's daemons and headers.
        "": Kernel(("linux-azure",)),
        # The one that the release came with, for drivers that are built for that alone.
        "lts": Kernel(("linux-azure-lts-24.04",)),
    },
    boot_packages={
        "1": ("grub-pc",),
        "2": ("grub-efi-amd64", "grub-efi-amd64-signed", "shim-signed"),
        # grub-pc must be named: grub-efi-amd64, which excludes it, would satisfy the signed one just as well.
        "both": ("grub-pc", "grub-efi-amd64-signed", "shim-signed"),
    },
    debconf=(
        # There is no disk while the packages are installed; Kiln writes the boot loaders itself.
        "grub-pc grub-pc/install_devices_empty boolean true",
        # Azure keeps no boot entries.
        "grub-pc grub2/update_nvram boolean false",
    ),
    debconf_for_updates=(
        # In the VM, updates find the disk and the ESP from where the system runs.
        "grub-pc grub-pc/cloud_style_installation boolean true",
        "grub-pc grub-efi/cloud_style_installation boolean true",
    ),
    early_files=(debian.INITRAMFS_MODULES, debian.INITRAMFS_FSCK, debian.INITRAMFS_MISPLACED),
    files=(
        sources("noble"),
        *mirrors("http://azure.archive.ubuntu.com/ubuntu", MAIN, SECURITY),
        azure.SSH_KEEPALIVE,
        TextFile("/etc/chrony/chrony.conf", azure.CHRONY),
        TextFile("/etc/default/locale", "LANG=C.UTF-8\n"),
        TextFile("/etc/modprobe.d/azure-blacklist.conf", "blacklist floppy\nblacklist pcspkr\n"),
        renews_loaders("x86_64-efi"),
        azure.PTP_LINK,
    ),
    provisioning={
        "cloud-init": Provisioning(
            packages=("cloud-init", "walinuxagent"),
            files=(azure.KVP_REPORTING, azure.KVP_POOL, azure.AZURE_DATASOURCE, CLOUD),
            services=("walinuxagent.service",),
            agent_settings=(("Provisioning.Agent", "cloud-init"), *debian.AGENT_SETTINGS),
        ),
        "waagent": Provisioning(
            packages=("walinuxagent",),
            # Ubuntu's agent, too, restarts interfaces by ifupdown alone.
            files=(azure.NETPLAN_DHCP, azure.HOST_KEYS_UNIT, *azure.PUBLISH_NAME, *azure.GROW_ROOT),
            services=(
                *("walinuxagent.service", "kiln-host-keys.service"),
                *("kiln-publish-name.path", "kiln-grow-root.service"),
            ),
            agent_settings=(("Provisioning.Agent", "waagent"), *debian.AGENT_SETTINGS),
        ),
        "none": Provisioning(
            packages=("python3",),
            files=(
                *(azure.NETPLAN_DHCP, azure.HOST_KEYS_UNIT, azure.REPORT_READY, azure.REPORT_READY_UNIT),
                *azure.GROW_ROOT,
            ),
            services=("kiln-host-keys.service", "kiln-grow-root.service"),
            only_generalized=("kiln-report-ready.service",),
        ),
    },
    specialized=Provisioning(
        files=(azure.NETPLAN_DHCP, azure.HOST_KEYS_UNIT, azure.CLOUD_INIT_DISABLED, *azure.GROW_ROOT),
        services=("kiln-host-keys.service", "kiln-grow-root.service"),
        agent_settings=(("Provisioning.Agent", "disabled"),),
    ),
    # The package leaves ssh to ssh.socket, which hands its port over: the first login need not wait for the start.
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
        stubs=("EFI/ubuntu/grub.cfg",),
    ),
    initramfs=Initramfs("initramfs-tools", "/boot/initrd.img-{kernel}"),
    # What 24.04's mke2fs would add to these by itself, its signed GRUB 2.12 cannot be relied on to read.
    ext4_features=debian.TRIXIE.ext4_features,
    admin_groups=("adm", "sudo"),
    # locale-gen and what it makes locales of; translations are in language-pack-…, which not every language has.
    locale_packages=("locales",),
    timezone_packages=("tzdata",),
)

JAMMY = replace(
    NOBLE,
    release="22.04",
    major=2204,
    codename="jammy",
    title="Ubuntu 22.04 LTS (Jammy Jellyfish)",
    default=False,
    end_of_support="2027-06-01",
    archives=archives("jammy"),
    packages=(
        # systemd holds resolved here, and no essential package asks for the merged /usr yet.
        *(name for name in NOBLE.packages if name != "systemd-resolved"),
        "usrmerge",
    ),
    kernels={"": Kernel(("linux-azure",)), "lts": Kernel(("linux-azure-lts-22.04",))},
    files=(sources("jammy"), *NOBLE.files[1:]),
    # GRUB 2.06 and fsck 1.46 know none of the later features.
    ext4_features=debian.BOOKWORM.ext4_features,
)

RESOLUTE = replace(
    NOBLE,
    release="26.04",
    major=2604,
    codename="resolute",
    title="Ubuntu 26.04 LTS (Resolute Raccoon)",
    default=False,
    end_of_support="2031-05-29",
    archives=archives("resolute"),
    packages=(
        # It has taken initramfs-tools' place since 25.10.
        *(name for name in NOBLE.packages if name != "initramfs-tools"),
        "dracut",
    ),
    # The kernel that the release came with is the newest one still.
    kernels={"": Kernel(("linux-azure",))},
    early_files=(DRACUT,),
    # Its udev has a rule of its own for the host's clock.
    files=(sources("resolute"), *(file for file in NOBLE.files[1:] if file != azure.PTP_LINK)),
    initramfs=Initramfs("dracut", "/boot/initrd.img-{kernel}", DRIVERS),
)


def on_arm(recipe: Recipe) -> Recipe:
    """The recipe for aarch64, which Azure boots by UEFI alone."""
    own = (*mirrors("http://azure.ports.ubuntu.com/ubuntu-ports", PORTS, PORTS), renews_loaders("arm64-efi"))
    replaced = {file.path for file in (*own, renews_loaders("x86_64-efi"))}
    assert recipe.grub
    return replace(
        recipe,
        arch="aarch64",
        archives=ports(recipe.codename),
        boot_packages={"2": ("grub-efi-arm64", "grub-efi-arm64-signed", "shim-signed")},
        debconf=("grub-efi-arm64 grub2/update_nvram boolean false",),
        debconf_for_updates=("grub-efi-arm64 grub-efi/cloud_style_installation boolean true",),
        files=(*(file for file in recipe.files if file.path not in replaced), *own),
        cmdline=CMDLINE_ARM,
        grub_defaults=GRUB_DEFAULTS_ARM,
        grub=replace(recipe.grub, loaders=loaders("aa64", "arm64-efi"), uefi_modules="/usr/lib/grub/arm64-efi"),
    )


def with_image(recipe: Recipe) -> Recipe:
    """The recipe with Canonical's image for clouds, whose kernel is not the azure one: that comes in addition."""
    server = f"https://cloud-images.ubuntu.com/releases/{recipe.codename}/release"
    cpu = {"x86_64": "amd64", "aarch64": "arm64"}[recipe.arch]
    image = OfferedImage(
        url=f"{server}/ubuntu-{recipe.release}-server-cloudimg-{cpu}.img",
        digests="{folder}/SHA256SUMS",
        signature="{folder}/SHA256SUMS.gpg",
        keyring="/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg",
        keys=(CLOUD_IMAGE_KEY,),
        source="documentation.ubuntu.com, public images: SHA256SUMS.gpg, by the key of ubuntu-keyring's own file",
    )
    return replace(recipe, offered=image)


RELEASES = (JAMMY, NOBLE, RESOLUTE)
RECIPES = tuple(with_image(recipe) for recipe in (*RELEASES, *(on_arm(recipe) for recipe in RELEASES)))
