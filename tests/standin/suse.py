"""Stand-ins of SLES and openSUSE: the pool under SUSE's names."""

from collections.abc import Iterator
from pathlib import Path

from build.progress import Progress
from build.workspace import Workspace
from distros.recipe import Recipe
from tests.standin import Standin, repositories, selinux
from tests.standin.base import Base
from tests.standin.carve import FOLDERS
from tests.standin.flavour import LABEL, Flavour, Parcels
from tests.standin.parcel import Parcel
from tests.standin.pool import SETTINGS
from tests.standin.rpm import Package

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
SOURCES = ("suse", "selinux", *repositories.SOURCES)
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
    "rpm-ndb": ("rpm",),
    "selinux-policy": ("selinux-policy-default",),
    "selinux-tools": ("selinux-utils",),
    "shadow": ("login", "passwd"),
    "system-group-wheel": ("setup",),
    "timezone": ("tzdata",),
    "util-linux-systemd": ("util-linux",),
}
"""For names of SUSE's the packages of the pool that have their content."""
POLICY, WICKED = "selinux-policy-targeted", "wicked"
POLICY_TOLD = "Debian's policy with every domain permissive: SELinux enforces, and lets pass what Debian's rules forbid"
WICKED_TOLD = "nothing of wicked, which Debian does not have: NetworkManager does its work"
UNMANAGED = "[keyfile]\nunmanaged-devices=driver:mlx4_core;driver:mlx5_core;driver:mana\n"


def own(recipe: Recipe, base: Base, work: Workspace, parcel: Parcels) -> Iterator[tuple[Package, str]]:
    """The policy that SELinux loads, where the recipe has it, and what takes the place of wicked, where it has that."""
    if recipe.selinux:
        yield _policy(recipe.selinux, parcel(), *selinux.permissive(base, work)), POLICY_TOLD
    if WICKED in recipe.packages:
        yield _wicked(parcel()), WICKED_TOLD


def _policy(name: str, held: Parcel, file: str, content: bytes) -> Package:
    """A script puts it in place, as one makes SUSE's own."""
    shipped = f"/usr/share/selinux/{selinux.MODULE}/{file}"
    held.write(shipped, content)
    script = f"cp -f {shipped} /etc/selinux/{name}/policy/{file}"
    needed = (FOLDERS, SETTINGS, "selinux-policy-default", "policycoreutils", "coreutils")
    return Package(POLICY, requires=needed, files=held.entries, scripts=(("posttrans", script),))


def _wicked(held: Parcel) -> Package:
    """wicked takes only the interfaces that have a file; NetworkManager must be told to leave the others alone."""
    held.write(f"/usr/lib/NetworkManager/conf.d/50-{LABEL}.conf", UNMANAGED)
    return Package(WICKED, requires=(FOLDERS, "network-manager"), files=held.entries)


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
    own=own,
)


def make(recipe: Recipe, folder: Path, progress: Progress) -> Standin:
    """Fill the folder with a stand-in of this recipe."""
    return repositories.make(recipe, FLAVOUR, folder, progress)


def load(recipe: Recipe, folder: Path) -> Standin:
    """The stand-in in this folder."""
    return repositories.load(recipe, folder)
