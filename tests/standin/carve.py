"""Cutting a configured Debian tree into packages: every path goes to the package that brought it.

What no package brought (accounts, alternatives, caches of libraries and certificates) goes to packages of our own;
what belongs to dpkg, to one machine or to a running system goes nowhere.
"""

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDERS = "filesystem"
SETTINGS = "standin-settings"
"""The package of the files that package scripts made and no package owns."""
ACCOUNTS = "setup"
ACCOUNT_FILES = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")
NOWHERE = re.compile(
    r"/(dev|proc|sys|run|tmp|work|standin)/."
    r"|/(work|standin)$"
    r"|/var/(lib/(dpkg|apt|systemd/deb-systemd-.*|ucf|pam|emacsen-common|dbus/machine-id)|cache|log|backups)/."
    # dpkg's and apt's own settings; scripts of System V, of which systemd would make units under Debian's names.
    r"|/etc/(apt|dpkg|init\.d|rc\w\.d|kernel/p(ost|re).*\.d|default/grub.*)(/|$)"
    r"|/etc/(ssh/ssh_host_.*|machine-id|hostname|hosts|resolv\.conf|fstab|\.pwd\.lock|nvme/host(nqn|id)|\w+-)$"
    r"|/usr/lib/systemd/system/(?:[^/]*/)?(rc-local|x11-common)\.service"
    # Kernels get another layout: see `tests.standin.kernel`.
    r"|/usr/lib/modules/.|/boot/.|/(initrd\.img|vmlinuz)(\.old)?$"
)
ENABLED = re.compile(r"/etc/systemd/system/.")
"""Debian enables what it installs; elsewhere a unit is enabled by a preset or by the image's own recipe."""
ALWAYS_ENABLED = ("/etc/systemd/system/getty.target.wants/getty@tty1.service",)
BYTECODE = re.compile(r"(.*)/__pycache__/([^/]+)\.cpython-\d+(?:\.opt-\d)?\.pyc$")


@dataclass(frozen=True)
class Entry:
    """One path of a package: "folder", "file" or "link", its permission bits and its owners by name."""

    path: str
    kind: str
    mode: int
    user: str = "root"
    group: str = "root"


def carve(tree: Path, owners: Mapping[str, str]) -> dict[str, tuple[Entry, ...]]:
    """The paths of each package, sorted. All folders are one package's: rpm packages may share them, and need not."""
    found: dict[str, list[Entry]] = defaultdict(list)
    names = Names.of(tree)
    for entry in entries(tree, names):
        found[home(entry, owners)].append(entry)
    return {package: tuple(sorted(held, key=lambda entry: entry.path)) for package, held in found.items()}


def home(entry: Entry, owners: Mapping[str, str]) -> str:
    """The package that an entry goes to."""
    if entry.kind == "folder" or entry.path.count("/") == 1:
        return FOLDERS
    if entry.path in ACCOUNT_FILES:
        return ACCOUNTS
    source = BYTECODE.sub(r"\1/\2.py", entry.path)
    return owners.get(entry.path) or owners.get(source, SETTINGS)


@dataclass(frozen=True)
class Names:
    """A tree's accounts: names by number."""

    users: Mapping[int, str]
    groups: Mapping[int, str]

    @classmethod
    def of(cls, tree: Path) -> "Names":
        """Those of its passwd and group files."""
        return cls(_names(tree / "etc/passwd"), _names(tree / "etc/group"))


def _names(file: Path) -> dict[int, str]:
    rows = (line.split(":") for line in file.read_text().splitlines())
    return {int(row[2]): row[0] for row in rows}


def entries(tree: Path, names: Names, below: str = "") -> Iterator[Entry]:
    """Every path of a tree that belongs into some package."""
    for found in sorted(os.scandir(f"{tree}{below}"), key=lambda one: one.name):
        path = f"{below}/{found.name}"
        if NOWHERE.match(path):
            continue
        entry = described(path, found.stat(follow_symlinks=False), names)
        if not ENABLED.match(path) or entry.kind == "folder" or path in ALWAYS_ENABLED:
            yield entry
        if entry.kind == "folder":
            yield from entries(tree, names, path)


def described(path: str, state: os.stat_result, names: Names) -> Entry:
    """A path as a package describes it."""
    kind = "folder" if stat.S_ISDIR(state.st_mode) else "link" if stat.S_ISLNK(state.st_mode) else "file"
    user, group = names.users.get(state.st_uid, "root"), names.groups.get(state.st_gid, "root")
    return Entry(path, kind, stat.S_IMODE(state.st_mode), user, group)
