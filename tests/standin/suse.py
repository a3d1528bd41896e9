"""Stand-ins of SLES and openSUSE: the pool under SUSE's names."""

from collections.abc import Iterator
from pathlib import Path

from build.progress import Progress
from build.workspace import Workspace
from distros.recipe import Recipe
from tests.standin import Standin, repositories, selinux
from tests.standin.base import Base
from tests.standin.carve import FOLDERS
from tests.standin.flavour import Flavour, Parcels
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
    "wicked": ("network-manager",),
}
"""For names of SUSE's the packages of the pool that have their content."""
POLICY = "selinux-policy-targeted"


def own(recipe: Recipe, base: Base, work: Workspace, parcel: Parcels) -> Iterator[tuple[Package, str]]:
    """The policy that SELinux loads, where the recipe has it; a script puts it in place, as one makes SUSE's own."""
    if not recipe.selinux:
        return
    held, (name, content) = parcel(), selinux.permissive(base, work)
    shipped = f"/usr/share/selinux/{selinux.MODULE}/{name}"
    held.write(shipped, content)
    script = f"cp -f {shipped} /etc/selinux/{recipe.selinux}/policy/{name}"
    needed = (FOLDERS, SETTINGS, "selinux-policy-default", "policycoreutils", "coreutils")
    told = "Debian's policy with every domain permissive: SELinux enforces, and lets pass what Debian's rules forbid"
    yield Package(POLICY, requires=needed, files=held.entries, scripts=(("posttrans", script),)), told


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
