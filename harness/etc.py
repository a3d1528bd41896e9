"""Small readers of an image's configuration files: each turns a text into values, and none fails on garbage."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.tree import Tree

UNIT_FOLDERS = ("/etc/systemd/system", "/usr/lib/systemd/system")


@dataclass(frozen=True)
class Mount:
    """A line of fstab (number `line`)."""

    line: int
    source: str
    point: str
    kind: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Account:
    """A user: `password` is the field of /etc/shadow as it stands, None where there is no such line."""

    name: str
    uid: int
    home: str
    shell: str
    password: str | None

    @property
    def can_log_in(self) -> bool:
        """Whether its shell is one."""
        return posixpath.basename(self.shell) not in ("nologin", "false", "sync", "shutdown", "halt")

    @property
    def locked(self) -> bool:
        """Whether no password opens it: a hash that no password can have. An empty field opens to everybody."""
        return self.password is not None and self.password.startswith(("!", "*"))


def read_fstab(text: str) -> tuple[Mount, ...]:
    """The mounts of an fstab."""
    mounts = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if len(words) >= 2 and not words[0].startswith("#"):
            words += ["auto", "defaults"][len(words) - 2 :] if len(words) < 4 else []
            source, point, kind, options = words[:4]
            mounts.append(Mount(number, source.replace('"', ""), point, kind, tuple(options.split(","))))
    return tuple(mounts)


def read_settings(text: str) -> dict[str, str]:
    """`Key=value` lines as waagent reads its own: keys at column 1, cut at `#`, the last one wins, None is unset."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("#")[0].rstrip().partition("=")
        if equals and key and not key[0].isspace():
            found[key.strip()] = value.strip().strip('"')
    return {key: value for key, value in found.items() if value != "None"}


def setting_at(tree: Tree, path: str, key: str) -> str:
    """Where a `Key=value` line stands, as path:line, the last one of several; the path alone where there is none."""
    lines = tree.read_text(path).splitlines()
    found = [number for number, line in enumerate(lines, 1) if line.partition("=")[0].rstrip() == key]
    return f"{path}:{found[-1]}" if found else path


def read_release(tree: Tree) -> dict[str, str]:
    """os-release."""
    return read_settings(tree.read_text("/etc/os-release") or tree.read_text("/usr/lib/os-release"))


def read_accounts(tree: Tree) -> tuple[Account, ...]:
    """The users of /etc/passwd, with the password field of /etc/shadow."""
    shadow = dict(line.split(":")[:2] for line in tree.read_text("/etc/shadow").splitlines() if line.count(":") >= 1)
    accounts = []
    for line in tree.read_text("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdigit():
            accounts.append(Account(fields[0], int(fields[2]), fields[5], fields[6], shadow.get(fields[0])))
    return tuple(accounts)


def read_sshd(tree: Tree) -> dict[str, tuple[str, str]]:
    """sshd's global settings by name in small letters: value, and the file it comes from. The first one wins."""
    found: dict[str, tuple[str, str]] = {}
    main = next((path for path in ("/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config") if tree.is_file(path)), "")
    for path, line in _sshd_lines(tree, main, 0) if main else ():
        words = line.replace("=", " ", 1).split(None, 1)
        if len(words) == 2:
            found.setdefault(words[0].lower(), (words[1].strip().strip('"'), path))
    return found


def _sshd_lines(tree: Tree, path: str, depth: int) -> Iterator[tuple[str, str]]:
    for raw in tree.read_text(path).splitlines():
        line = raw.strip()
        word = line.partition(" ")[0].lower()
        if word == "match":
            return
        if word == "include" and depth < 16:
            for pattern in line.split()[1:]:
                for included in tree.glob(posixpath.join("/etc/ssh", pattern)):
                    yield from _sshd_lines(tree, included, depth + 1)
        elif line and not line.startswith("#"):
            yield path, line


def read_dpkg(tree: Tree) -> Mapping[str, str] | None:
    """Installed packages and their versions, by dpkg's status file; None where the image has none."""
    text = tree.read_text("/var/lib/dpkg/status", limit=64 << 20)
    if not text:
        return None
    found: dict[str, str] = {}
    for paragraph in text.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed") and "Package" in fields:
            found[fields["Package"]] = fields.get("Version", "")
    return found


def unit_exists(tree: Tree, unit: str) -> bool:
    """Whether systemd finds a unit file of this name."""
    return any(tree.exists(f"{folder}/{unit}") for folder in UNIT_FOLDERS)


def is_masked(tree: Tree, unit: str) -> bool:
    """Whether the unit is masked: a link to /dev/null, or an empty file."""
    path = f"/etc/systemd/system/{unit}"
    return tree.link(path) == "/dev/null" or (tree.is_file(path) and not tree.read_bytes(path, 1))


def can_start(tree: Tree, unit: str) -> bool:
    """Whether the unit is there and not masked."""
    return unit_exists(tree, unit) and not is_masked(tree, unit)


def is_enabled(tree: Tree, *units: str) -> bool:
    """Whether one of these units is wanted or required by another one, and not masked."""
    return any(
        tree.glob(f"{folder}/*.{how}/{unit}")
        for unit in units
        if unit_exists(tree, unit.partition("@")[0] + "@.service" if "@" in unit else unit)
        and not is_masked(tree, unit)
        for folder in UNIT_FOLDERS
        for how in ("wants", "requires")
    )


def makes_host_keys(tree: Tree) -> bool:
    """Whether a unit of the image makes SSH host keys where there are none."""
    units = [path.rpartition("/")[2] for path in tree.glob("/etc/systemd/system/*.service")]
    units += [path.rpartition("/")[2] for path in tree.glob("/usr/lib/systemd/system/*ssh*")]
    makers = [unit for unit in units if "ssh-keygen" in _unit_text(tree, unit) or "sshd-keygen" in unit]
    return any(is_enabled(tree, unit) or "keygen" in unit for unit in makers)


def _unit_text(tree: Tree, unit: str) -> str:
    return tree.read_text(f"/etc/systemd/system/{unit}") or tree.read_text(f"/usr/lib/systemd/system/{unit}")


def configuration(tree: Tree, *patterns: str) -> Iterator[tuple[str, int, str]]:
    """Each line of the files that match, without comments: path, number, text."""
    for pattern in patterns:
        for path in tree.glob(pattern):
            for number, line in enumerate(tree.read_text(path).splitlines(), 1):
                if (text := line.strip()) and not text.startswith(("#", ";")):
                    yield path, number, text
