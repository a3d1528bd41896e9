"""Steps that turn an installed tree into an image for Azure: files, agent, accounts, units, and what must not stay."""

from dataclasses import dataclass

from build.errors import CallerError, RecipeError
from build.workspace import Workspace
from distros.recipe import TextFile

AGENT_CONFIGURATION = "/etc/waagent.conf"
FIRST_PERSON, NOBODY = 1000, 65534
NO_SUCH_NAME = 6
"""The exit status of userdel and groupdel where there is nothing to delete."""
ACCOUNT_LOCKS = tuple(f"/etc/{file}.lock" for file in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid"))


@dataclass(frozen=True)
class WriteFiles:
    """The recipe's own files."""

    files: tuple[TextFile, ...]

    def describe(self) -> str:
        """Its title, and what it comes to."""
        return "\n    ".join([f"Write {len(self.files)} files of the recipe", *(file.path for file in self.files)])

    def run(self, work: Workspace) -> None:
        """They replace what packages brought."""
        for file in self.files:
            work.write(file.path, file.text, file.mode)


@dataclass(frozen=True)
class SetAgentOptions:
    """Keys of waagent.conf. Its parser takes y and n alone, at the line's start, and the last line of a key."""

    settings: tuple[tuple[str, str], ...]

    def describe(self) -> str:
        """Its title, and what it comes to."""
        lines = ("=".join(pair) for pair in self.settings)
        return "\n    ".join([f"Set {len(self.settings)} options in {AGENT_CONFIGURATION}", *lines])

    def run(self, work: Workspace) -> None:
        """A key that the file has is changed where it stands."""
        path = work.path(AGENT_CONFIGURATION)
        if not path.is_file():
            raise RecipeError(f"there is no {AGENT_CONFIGURATION}", "the recipe sets agent options without an agent")
        work.write(AGENT_CONFIGURATION, with_options(path.read_text(), dict(self.settings)))


def with_options(text: str, settings: dict[str, str]) -> str:
    """The text of a waagent.conf with these keys set, each once."""
    left = dict(settings)
    lines = []
    for line in text.splitlines():
        key = line.partition("=")[0]
        if key not in settings:
            lines.append(line)
        elif key in left:
            lines.append(f"{key}={left.pop(key)}")
    return "\n".join([*lines, *(f"{key}={value}" for key, value in left.items())]) + "\n"


@dataclass(frozen=True)
class EnableServices:
    """Units that must start at boot."""

    units: tuple[str, ...]

    def describe(self) -> str:
        """Its title, and what it comes to."""
        return "\n    ".join([f"Enable {len(self.units)} units", *self.units])

    def run(self, work: Workspace) -> None:
        """By the image's own systemctl, which knows its aliases."""
        work.inside("systemctl", "enable", *self.units)


@dataclass(frozen=True)
class NameMachine:
    """The name of a specialized image, which Azure cannot change."""

    hostname: str

    def describe(self) -> str:
        """Its title, and what it comes to."""
        return f"Name the machine {self.hostname}"

    def run(self, work: Workspace) -> None:
        """The name must resolve on the machine itself, whatever DNS says."""
        work.write("/etc/hostname", f"{self.hostname}\n")
        hosts = "127.0.0.1\tlocalhost\n127.0.1.1\t{}\n\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        work.write("/etc/hosts", hosts.format(self.hostname))


@dataclass(frozen=True)
class AddAdministrator:
    """The administrator of a specialized image: a key to log in with, and no password."""

    name: str
    public_key: str
    groups: tuple[str, ...]

    def describe(self) -> str:
        """Its title, and what it comes to."""
        return f"Add the administrator {self.name} with an SSH key"

    def run(self, work: Workspace) -> None:
        """What an attempt that was cut off left goes first. Runs before the seal, which drops the files' backups."""
        name, home = self.name, f"/home/{self.name}"
        for lock in ACCOUNT_LOCKS:
            work.remove(lock)
        for file, kind in (("/etc/passwd", "an account"), ("/etc/group", "a group")):
            if is_taken(work.path(file).read_text(), name):
                raise CallerError(f"the image has {kind} {name} already", "choose another name for --admin")
        work.inside("userdel", "--force", name, expect=(0, NO_SUCH_NAME))
        work.inside("groupdel", name, expect=(0, NO_SUCH_NAME))
        work.remove(home)
        groups = ("--groups", ",".join(self.groups))
        work.inside("useradd", "--create-home", "--shell", "/bin/bash", *groups, name)
        work.write(f"{home}/.ssh/authorized_keys", f"{self.public_key}\n", 0o600)
        work.path(f"{home}/.ssh").chmod(0o700)
        work.inside("chown", "-R", f"{name}:{name}", f"{home}/.ssh")
        work.write(f"/etc/sudoers.d/90-{name}", f"{name} ALL=(ALL) NOPASSWD:ALL\n", 0o440)


def is_taken(text: str, name: str) -> bool:
    """Whether this passwd or group file has a system's account or group of that name; people's ids begin at 1000."""
    rows = (line.split(":") for line in text.splitlines())
    return any(row[0] == name and not FIRST_PERSON <= int(row[2]) < NOBODY for row in rows)


EMPTIED = (
    # Folders whose content belongs to a running machine, to the build, or to one VM alone.
    *("/run", "/tmp", "/var/tmp", "/dev", "/proc", "/sys"),
    *("/var/lib/cloud", "/var/lib/waagent", "/var/lib/dhcp", "/var/lib/dhcpcd", "/var/lib/NetworkManager"),
    *("/var/cache/apt", "/var/lib/apt/lists", "/var/log/journal"),
    *("/var/cache/dnf", "/var/cache/libdnf5", "/var/cache/yum", "/var/lib/dnf", "/var/cache/zypp"),
)
REMOVED = (
    *("/etc/ssh/ssh_host_*", "/etc/hostname.orig", "/etc/.pwd.lock", "/root/.bash_history", "/root/.ssh"),
    *("/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret", "/var/lib/dbus/machine-id"),
    *("/var/lib/urandom/random-seed", "/boot/efi/loader/random-seed", "/etc/udev/rules.d/70-persistent-net.rules"),
    # The build machine's resolver, which a package's script set aside.
    "/etc/.resolv.conf.systemd-resolved.bak",
    *("/etc/*-", "/var/cache/debconf/*-old", "/var/lib/dpkg/*-old", "/var/cache/ldconfig/aux-cache"),
    # Names by which a disk array or a package server would know one machine.
    *("/etc/nvme/hostid", "/etc/nvme/hostnqn", "/etc/iscsi/initiatorname.iscsi", "/var/lib/zypp/AnonymousUniqueId"),
    # What programs that only read rpm's database leave beside it.
    *("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock", "/var/lib/rpm/__db.*"),
    *("/var/lib/rpm/*-shm", "/var/lib/rpm/*-wal", "/usr/lib/sysimage/rpm/*-shm", "/usr/lib/sysimage/rpm/*-wal"),
    # Both links and their targets' versions: the boot loader finds kernels by their own names.
    *("/vmlinuz.old", "/initrd.img.old"),
)
GENERALIZED_HOSTS = "127.0.0.1\tlocalhost\n\n::1\tlocalhost ip6-localhost ip6-loopback\n"


@dataclass(frozen=True)
class Seal:
    """Take out what one machine alone may have: ids, keys, leases, states, logs and histories.

    A specialized image is sealed before its name and administrator are put in, so that two machines made from it
    differ in their machine id and their host keys.
    """

    def describe(self) -> str:
        """Its title, and what it comes to."""
        return "Take out what one machine alone may have: ids, keys, leases, logs; lock root"

    def run(self, work: Workspace) -> None:
        """The machine id stays as an empty file: without the file, a read-only root would stop systemd."""
        work.inside("passwd", "--lock", "root")
        for folder in EMPTIED:
            work.empty(folder)
        for pattern in REMOVED:
            for path in work.glob(pattern):
                work.remove(path)
        for path in work.glob("/var/log/**/*"):
            if work.path(path).is_file() and not work.path(path).is_symlink():
                work.remove(path)
        for folder in ("/var/cache/apt/archives/partial", "/var/lib/apt/lists/partial"):
            work.path(folder).mkdir(parents=True, exist_ok=True)
        work.write("/etc/machine-id", "", 0o444)
        work.write("/etc/hosts", GENERALIZED_HOSTS)
        work.remove("/etc/hostname")
