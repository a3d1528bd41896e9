"""The base of the rpm stand-ins: one configured Debian tree, from whose files all their packages are cut.

It holds what a guest needs under any of the distributions' names, and the programs that make rpm repositories, so that
the host needs neither. Made once and cached by the state of Debian's archive; nothing is ever written into it later.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from build import archive, cache, mmdebstrap
from build.archive import Release
from build.workspace import Workspace
from distros.debian import HOST, TOOLS

KEYRING = Path(TOOLS.keyring)
SECURITY = f"deb [signed-by={KEYRING}] {HOST}/debian-security trixie-security main"
"""For its kernel: QEMU 7.2 does not emulate the main suite's 6.12.107 rightly (see `tests.standin.MADE_FROM`)."""
REPOSITORY_TOOLS = ("rpm", "createrepo-c", "gpg", "gpg-agent", "gpgconf")
PACKAGES = (
    *("systemd-sysv", "systemd-resolved", "udev", "dbus", "libpam-systemd", "libnss-myhostname", "libnss-resolve"),
    *("linux-image-cloud-amd64", "dracut", "kmod", "openssh-server", "openssh-client", "cloud-init", "eject"),
    *("network-manager", "chrony", "hyperv-daemons", "azure-vm-utils", "cloud-guest-utils", "gdisk", "fdisk"),
    *("sudo", "iproute2", "iputils-ping", "procps", "hostname", "less", "e2fsprogs", "xfsprogs", "dosfstools"),
    *("parted", "nvme-cli", "lvm2", "rsync", "bzip2", "xz-utils", "zstd", "efibootmgr", "mokutil", "net-tools"),
    *("python3", "python3-distro", "python3-crypt-r", "openssl", "ca-certificates", "util-linux-extra"),
    *("bsdextrautils", "policycoreutils", "selinux-utils", "selinux-policy-default", *REPOSITORY_TOOLS),
)
UNPACKED = (
    # The agent excludes NetworkManager in Debian alone.
    "waagent",
    # Only GRUB 2.14 reads Boot Loader Specification entries, and Debian 13 has an older one.
    *("grub2-common/sid", "grub-pc-bin/sid", "grub-efi-amd64-bin/sid", "grub-efi-amd64-unsigned/sid"),
    # What these would pull in is Debian's own GRUB.
    *("shim-signed", "shim-helpers-amd64-signed"),
)
"""Packages that cannot be installed beside the others: their files are laid over the tree."""
LISTS = "standin/lists"
"""The folder of the tree with one list of paths for each unpacked package, as tar prints them."""
CONTROL = "standin/control"
"""The folder of the tree with the control file of each unpacked package."""
EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/i18n/*")

PINS = """\
set -eu
mkdir -p "$1/etc/apt/preferences.d"
printf 'Package: *\nPin: release n=sid\nPin-Priority: 1\n' >"$1/etc/apt/preferences.d/standin"
"""
UNPACK = """\
set -eu
mkdir -p "$1/standin/debs" "$1/standin/lists" "$1/standin/control"
cd "$1/standin/debs"
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --quiet download $KILN_UNPACKED
for deb in *.deb; do
    name=${deb%%_*}
    dpkg-deb --field "$deb" >"../control/$name"
    dpkg-deb --fsys-tarfile "$deb" | tar --list >"../lists/$name"
    dpkg-deb --fsys-tarfile "$deb" | tar --extract --directory="$1" --keep-directory-symlink --same-permissions
done
cd /
rm -r "$1/standin/debs" "$1/etc/apt/preferences.d/standin"
chroot "$1" python3 -m compileall -q /usr/lib/python3/dist-packages/azurelinuxagent
"""
"""Lays the unpacked packages over the tree and keeps their lists and control files."""


@dataclass(frozen=True)
class Base:
    """The base tree, made. `epoch` is the date of the archive's state."""

    tree: Path
    epoch: int

    @property
    def key(self) -> str:
        """What names it."""
        return self.tree.name

    def workspace(self, name: str, log: IO[str]) -> Workspace:
        """A folder below the tree in which the tree's programs work."""
        return Workspace(self.tree, name, cache.folder(), log, self.epoch)


def folder(state: Release) -> Path:
    """Where the tree of this state of the archive lies, made or not."""
    parts = (state.sha256, SECURITY, PACKAGES, UNPACKED, EXCLUDED, PINS, UNPACK)
    return cache.folder() / "standin-bases" / hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def make(state: Release, log: IO[str]) -> Base:
    """Make the tree unless it is there; must run as root of its own view."""
    tree = folder(state)
    with cache.locked(f"standin-base-{tree.name}"):
        if not tree.is_dir():
            archive.verify(state, KEYRING, mirror=False)
            fresh = tree.with_suffix(".partial")
            cache.remove(fresh)
            fresh.parent.mkdir(parents=True, exist_ok=True)
            _bootstrap(state, fresh, log)
            (fresh / "work").mkdir()
            fresh.rename(tree)
    return Base(tree, state.date)


def _bootstrap(state: Release, tree: Path, log: IO[str]) -> None:
    signed = f"[signed-by={KEYRING}]"
    mmdebstrap.run(
        *("--mode=root", "--variant=minbase", "--format=directory", "--skip=chroot/mount/sys,output/dev"),
        f"--keyring={KEYRING}",
        f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED),
        *("--dpkgopt=force-unsafe-io", '--aptopt=APT::Install-Recommends "false"'),
        # The unstable suite says of itself that it is out of date after a week, which a mirror of a moment outlives.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--setup-hook={PINS}",
        f"--customize-hook={UNPACK}",
        state.suite,
        tree,
        f"deb {signed} {state.source}",
        SECURITY,
        f"deb {signed} {state.url} sid main",
        log=log,
        env={"SOURCE_DATE_EPOCH": str(state.date), "INITRD": "No", "KILN_UNPACKED": " ".join(UNPACKED)},
    )
