"""The pool: Debian's packages as rpm packages under Debian's names, which every rpm stand-in offers.

Made once for a base tree and signed by one key. What a distribution calls otherwise requires them from packages of its
own (`tests.standin.flavour`); what differs from one distribution to the next is left out here.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from build import cache
from build.command import run
from build.workspace import Workspace
from tests.standin import rpm
from tests.standin.base import CONTROL, LISTS, Base
from tests.standin.carve import ACCOUNTS, FOLDERS, SETTINGS, Entry, carve
from tests.standin.dpkg import Deb, debs, owners
from tests.standin.key import SigningKey
from tests.standin.rpm import Package

BASIS = "standin-base"
"""Requires what every system needs, whatever is asked for; systemd requires it."""
BASIS_NEEDS = (
    *("systemd", "systemd-sysv", "udev", "dbus", "libpam-systemd", "libnss-myhostname", "iproute2", "kmod", "procps"),
    *("hostname", "eject", "fdisk", "util-linux-extra", "bsdextrautils", "ca-certificates", "openssl", SETTINGS),
)
"""What the distributions' own packages of the basic set hold, and Debian has in packages of its own."""
SYSTEM_RELEASE = "system-release"
LEFT_OUT = re.compile(
    r"(linux-image-.*|grub.*|shim-.*|apt|apt-utils|libapt-pkg.*|debian-archive-keyring|dpkg-dev|cpp.*|gcc-\d+)$"
)
"""Packages that a distribution's own take the place of, and apt's."""
OF_DEBIAN = re.compile(
    r"/etc/(os-release|issue(\.net)?|motd|debian_version|update-motd\.d/.*|cloud/cloud\.cfg|default/chrony)$"
    r"|/usr/lib/os-release$|/usr/share/base-files/.*"
)
"""Files that say which distribution it is."""
RENAMED_UNITS = {"ssh": "sshd", "chrony": "chronyd", "walinuxagent": "waagent"}
MOVED = {
    "etc/chrony/chrony.conf": "etc/chrony.conf",
    "etc/chrony/chrony.keys": "etc/chrony.keys",
    "etc/selinux/default": "etc/selinux/targeted",
    "var/lib/selinux/default": "var/lib/selinux/targeted",
    "usr/share/selinux/default": "usr/share/selinux/targeted",
}
"""What lies elsewhere in every rpm distribution."""
TEXTS = {
    "etc/NetworkManager/NetworkManager.conf": "[main]\nplugins=keyfile\n",
    # Debian's kernel starts SELinux only where its command line asks for it; nobody tried this policy on such a system.
    "etc/selinux/config": "SELINUX=permissive\nSELINUXTYPE=targeted\n",
}
FILES = {"bash": ("/bin/bash",), "dash": ("/bin/sh", "/usr/bin/sh"), "python3-minimal": ("/usr/bin/python3",)}
"""Programs that packages require by their path."""
PRESETS = {
    "network-manager": ("NetworkManager.service", "NetworkManager-dispatcher.service"),
    "openssh-server": ("sshd.service",),
    "chrony": ("chronyd.service",),
    "rsyslog": ("rsyslog.service",),
    "cloud-init": (
        *("cloud-init-main.service", "cloud-init-local.service", "cloud-init-network.service"),
        *("cloud-config.service", "cloud-final.service"),
    ),
    "waagent": ("waagent.service",),
}
"""Units which their packages enable where a preset says so, as the distributions' own do."""


@dataclass(frozen=True)
class Pool:
    """The pool, made: `folder` holds its packages and its key, `names` are theirs."""

    folder: Path
    names: frozenset[str]

    @property
    def key(self) -> SigningKey:
        """The key that signs it."""
        return SigningKey(self.folder)

    @property
    def packages(self) -> Path:
        """The folder of the packages."""
        return self.folder / "packages"


def make(base: Base, log: IO[str]) -> Pool:
    """Make the pool unless it is there; must run as root of its own view."""
    folder = cache.folder() / "standin-pools" / f"{base.key}-{_code()}"
    with cache.locked(f"standin-pool-{folder.name}"):
        if not folder.is_dir():
            work = base.workspace(f"pool-{folder.name}", log)
            cache.remove(work.folder)
            fresh = work.file("pool")
            fresh.mkdir(parents=True)
            _make(base, work, fresh)
            folder.parent.mkdir(parents=True, exist_ok=True)
            fresh.rename(folder)
            cache.remove(work.folder)
    return Pool(folder, frozenset((folder / "names").read_text().split()))


def _code() -> str:
    """A digest of what makes a pool out of a base."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("pool", "carve", "dpkg", "rpm", "key")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _make(base: Base, work: Workspace, folder: Path) -> None:
    root = work.file("root")
    _copy(base.tree, root, work.log)
    adapt(root)
    packages = _packages(base, root)
    made = rpm.build(work, packages, root)
    key = SigningKey.make(folder)
    with key.opened(work.tool, work.folder) as opened:
        rpm.sign(work, sorted(made.glob("*.rpm")), opened)
    made.rename(folder / "packages")
    (folder / "names").write_text("\n".join(sorted(package.name for package in packages)) + "\n")


def _copy(tree: Path, root: Path, log: IO[str]) -> None:
    """A copy of the base by hard links: whoever changes a file there puts another one in its place."""
    root.mkdir()
    parts = [part for part in sorted(tree.iterdir()) if part.name not in ("work", "standin", "dev", "proc", "sys")]
    run("cp", "--archive", "--link", "--target-directory", root, *parts, log=log)
    for name in ("dev", "proc", "sys"):
        (root / name).mkdir()


def adapt(root: Path) -> None:
    """Give a copy of the base what all rpm distributions have in common."""
    for old, new in MOVED.items():
        (root / old).rename(root / new)
    for old in ("chrony.conf", "chrony.keys"):
        (root / "etc/chrony" / old).symlink_to(f"../{old}")
    for path, text in TEXTS.items():
        _replace(root / path, text)
    for old, new in RENAMED_UNITS.items():
        unit = root / f"usr/lib/systemd/system/{old}.service"
        _replace(unit.with_name(f"{new}.service"), re.sub(r"(?m)^Alias=.*\n", "", unit.read_text()))
        unit.unlink()


def _replace(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    file.write_text(text)


def moved(owned: Mapping[str, str]) -> dict[str, str]:
    """The owners of a base's paths, where `adapt` put them."""
    units = {
        f"/usr/lib/systemd/system/{old}.service": f"/usr/lib/systemd/system/{new}.service"
        for old, new in RENAMED_UNITS.items()
    }
    folders = {f"/{old}": f"/{new}" for old, new in MOVED.items()}

    def place(path: str) -> str:
        for old, new in folders.items():
            if path == old or path.startswith(f"{old}/"):
                return new + path.removeprefix(old)
        return units.get(path, path)

    return {place(path): package for path, package in owned.items()}


def _packages(base: Base, root: Path) -> tuple[Package, ...]:
    held = carve(root, {**moved(owners(base.tree, base.tree / LISTS)), "/etc/chrony/chrony.conf": "chrony"})
    found = {name: deb for name, deb in debs(base.tree, base.tree / CONTROL).items() if not LEFT_OUT.match(name)}
    own = {FOLDERS: (ACCOUNTS,), SETTINGS: (FOLDERS,)}
    needed = sorted(deb.name for deb in found.values() if deb.essential)
    return (
        *(Package(name, requires=needs, files=files_of(held.get(name, ()))) for name, needs in own.items()),
        *(_package(deb, found, held.get(deb.name, ())) for deb in found.values()),
        Package(BASIS, requires=(*needed, *BASIS_NEEDS, SYSTEM_RELEASE)),
    )


def files_of(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Without what says that it is Debian."""
    return tuple(entry for entry in entries if not OF_DEBIAN.match(entry.path))


def _package(deb: Deb, found: Mapping[str, Deb], entries: Iterable[Entry]) -> Package:
    version, release = rpm.split_version(deb.version)
    more = (BASIS,) if deb.name == "systemd" else ()
    presets = PRESETS.get(deb.name)
    script = f"[ ! -x /usr/bin/systemctl ] || systemctl --no-reload preset {' '.join(presets)} || :" if presets else ""
    return Package(
        deb.name,
        version,
        release,
        requires=(FOLDERS, *needs(deb, found), *more),
        provides=FILES.get(deb.name, ()),
        files=files_of(entries),
        scripts=(("posttrans", script),) if script else (),
    )


def needs(deb: Deb, found: Mapping[str, Deb]) -> tuple[str, ...]:
    """The packages of the pool that a package needs: of alternatives the first that is there."""
    providers = {name: deb.name for deb in found.values() for name in deb.provides} | {name: name for name in found}
    chosen = (next((providers[name] for name in names if name in providers), None) for names in deb.needs)
    return tuple(sorted({name for name in chosen if name and name != deb.name}))
