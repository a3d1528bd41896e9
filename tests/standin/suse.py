"""Stand-ins of SLES and openSUSE: the pool under SUSE's names."""

from pathlib import Path

from build.progress import Progress
from distros.recipe import Recipe
from tests.standin import Standin, repositories
from tests.standin.flavour import Flavour

NETWORK = """\
[Unit]
Description=Stands in for {name}: NetworkManager does its work
Wants=NetworkManager.service
After=NetworkManager.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true

{install}"""
SOURCES = ("suse", *repositories.SOURCES)
NAMES = {
    "NetworkManager": ("network-manager",),
    "aaa_base": ("filesystem",),
    "ca-certificates-mozilla": ("ca-certificates",),
    "chrony-pool-empty": ("chrony",),
    "cloud-init-config-suse": ("cloud-init",),
    "glibc": ("libc6", "libc-bin"),
    "glibc-locale-base": ("libc-bin",),
    "gptfdisk": ("gdisk",),
    "growpart": ("cloud-guest-utils",),
    "hyper-v": ("hyperv-daemons",),
    "iputils": ("iputils-ping",),
    "openssh": ("openssh-server", "openssh-client"),
    "python-azure-agent": ("waagent", "openssl", "parted", "net-tools"),
    "selinux-policy": ("selinux-policy-default",),
    "selinux-policy-targeted": ("selinux-policy-default", "policycoreutils"),
    "selinux-tools": ("selinux-utils",),
    "shadow": ("login", "passwd"),
    "system-group-wheel": ("setup",),
    "timezone": ("tzdata",),
    "util-linux-systemd": ("util-linux",),
    "wicked": ("network-manager",),
}
"""For names of SUSE's the packages of the pool that have their content."""
FLAVOUR = Flavour(
    like="suse opensuse",
    cloud="sles",
    names=NAMES,
    kernel_core="",
    grub_modules="grub2-i386-pc",
    grub_tools="grub2",
    grub_efi="grub2-x86_64-efi",
    shim="shim",
    units={"wicked": NETWORK},
)


def make(recipe: Recipe, folder: Path, progress: Progress) -> Standin:
    """Fill the folder with a stand-in of this recipe."""
    return repositories.make(recipe, FLAVOUR, folder, progress)


def load(recipe: Recipe, folder: Path) -> Standin:
    """The stand-in in this folder."""
    return repositories.load(recipe, folder)
