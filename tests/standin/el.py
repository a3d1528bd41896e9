"""Stand-ins of RHEL and of what is built from it: the pool under that family's names."""

from pathlib import Path

from build.progress import Progress
from distros.recipe import Recipe
from tests.standin import Standin, repositories
from tests.standin.flavour import Flavour

SOURCES = ("el", *repositories.SOURCES)
NAMES = {
    "NetworkManager": ("network-manager",),
    "WALinuxAgent": ("waagent", "openssl", "parted", "net-tools"),
    "basesystem": ("filesystem",),
    "cloud-utils-growpart": ("cloud-guest-utils",),
    "dbus-broker": ("dbus",),
    "dracut-config-generic": ("dracut",),
    "glibc": ("libc6", "libc-bin"),
    "glibc-langpack-en": ("libc-bin",),
    "grub2-common": ("grub2-tools",),
    "grub2-pc": ("grub2-pc-modules", "grub2-tools"),
    "grub2-tools-minimal": ("grub2-tools",),
    "iproute": ("iproute2",),
    "iputils": ("iputils-ping",),
    "ncurses": ("ncurses-bin", "ncurses-base"),
    "openssh-clients": ("openssh-client",),
    "procps-ng": ("procps",),
    "selinux-policy-targeted": ("selinux-policy-default", "policycoreutils"),
    "shadow-utils": ("login", "passwd"),
    "systemd-udev": ("udev",),
}
"""For names of the family the packages of the pool that have their content."""
FLAVOUR = Flavour(
    like="rhel centos fedora",
    cloud="rhel",
    names=NAMES,
    kernel_core="-core",
    kernel_mark=".el{release}.",
    grub_modules="grub2-pc-modules",
    grub_tools="grub2-tools",
    grub_efi="grub2-efi-x64",
    shim="shim-x64",
)


def make(recipe: Recipe, folder: Path, progress: Progress) -> Standin:
    """Fill the folder with a stand-in of this recipe."""
    return repositories.make(recipe, FLAVOUR, folder, progress)


def load(recipe: Recipe, folder: Path) -> Standin:
    """The stand-in in this folder."""
    return repositories.load(recipe, folder)
