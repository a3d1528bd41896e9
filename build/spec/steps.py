"""Steps that apply a spec to a tree, by programs of the image and in the order in which they are listed here."""

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from build.command import CommandFailed
from build.configure import ACCOUNT_LOCKS, NO_SUCH_NAME, is_taken
from build.errors import CallerError, MachineError
from build.privileges import can_mount
from build.spec.schema import nearest
from build.spec.value import (
    CLOUD_CONFIG,
    Command,
    Content,
    ExtraRepository,
    File,
    Services,
    Spec,
    User,
    first_boot_kind,
)
from build.workspace import Workspace, resolved, way_out

RESOLVER = "/etc/resolv.conf"
BASIC_LOCALES = ("C", "POSIX", "C.UTF-8")


def steps(spec: Spec) -> tuple["Step", ...]:
    """What the spec does to a tree that the recipe has configured, before its menu is written and it is sealed."""
    return (
        *((KeepRepositories(kept),) if (kept := tuple(one for one in spec.repositories if one.keep)) else ()),
        *(AddUser(one) for one in spec.users),
        *((SetLocale(spec.locale),) if spec.locale else ()),
        *((SetTimeZone(spec.timezone),) if spec.timezone else ()),
        *((WriteSpecFiles(spec.files),) if spec.files else ()),
        *((BakeFirstBoot(spec.first_boot),) if spec.first_boot else ()),
        *(RunCommand(one, number, len(spec.commands)) for number, one in enumerate(spec.commands, 1)),
        *((SetServices(spec.services),) if spec.services != Services() else ()),
    )


@dataclass(frozen=True)
class KeepRepositories:
    """Leave repositories in the image, with their keys, so that its packages are renewed from where they came."""

    repositories: tuple[ExtraRepository, ...]

    def describe(self) -> str:
        """Its title, and what it comes to."""
        lines = (f"{one.name}: {one.url}" for one in self.repositories)
        return "\n    ".join([f"Keep {len(self.repositories)} repositories of the spec", *lines])

    def run(self, work: Workspace) -> None:
        """As each package manager has them."""
        for one in self.repositories:
            key = one.key.read()
            suffix = "asc" if key.lstrip().startswith(b"-----BEGIN") else "gpg"
            if one.kind == "apt":
                place = f"/etc/apt/keyrings/{one.name}.{suffix}"
                work.write(f"/etc/apt/sources.list.d/{one.name}.sources", apt_source(one, place))
            else:
                place = f"/etc/pki/rpm-gpg/RPM-GPG-KEY-{one.name}"
                folder = "/etc/zypp/repos.d" if work.path("/etc/zypp/repos.d").is_dir() else "/etc/yum.repos.d"
                work.write(f"{folder}/{one.name}.repo", rpm_source(one, place))
            work.write(place, key)


def apt_source(one: ExtraRepository, key: str) -> str:
    """The repository in deb822 form (sources.list(5))."""
    suites, components = " ".join(one.suites), " ".join(one.components)
    return f"Types: deb\nURIs: {one.url}\nSuites: {suites}\nComponents: {components}\nSigned-By: {key}\n"


def rpm_source(one: ExtraRepository, key: str) -> str:
    """The repository as dnf and zypper read it (dnf.conf(5))."""
    checked = f"gpgcheck=1\nrepo_gpgcheck={int(one.signed_metadata)}\ngpgkey=file://{key}\n"
    return f"[{one.name}]\nname={one.name}\nbaseurl={one.url.replace('{arch}', '$basearch')}\nenabled=1\n{checked}"


@dataclass(frozen=True)
class AddUser:
    """An account of a specialized image."""

    user: User

    def describe(self) -> str:
        """Its title, and what it comes to."""
        one = self.user
        password = [f"password hash from {one.password.secret}"] if one.password else []
        facts = [f"{len(one.ssh_keys)} SSH keys", *(["sudo without a password"] if one.sudo else []), *password]
        return "\n    ".join(
            [f"Add the user {one.name}", *facts, *([f"groups {', '.join(one.groups)}"] * bool(one.groups))]
        )

    def run(self, work: Workspace) -> None:
        """What an attempt that was cut off left goes first. Runs before the seal, which drops the files' backups."""
        one, home = self.user, f"/home/{self.user.name}"
        for lock in ACCOUNT_LOCKS:
            work.remove(lock)
        for file, kind in (("/etc/passwd", "an account"), ("/etc/group", "a group")):
            if is_taken(work.path(file).read_text(), one.name):
                raise CallerError(f"users: the image has {kind} {one.name} already", "choose another name in the spec")
        _require_names(work, "/etc/group", one.groups, f"users: {one.name} cannot join")
        if not work.path(one.shell).exists():
            raise CallerError(
                f"users: {one.name}'s shell {one.shell} is not in the image", "add its package in the spec"
            )
        work.inside("userdel", "--force", one.name, expect=(0, NO_SUCH_NAME))
        work.inside("groupdel", one.name, expect=(0, NO_SUCH_NAME))
        work.remove(home)
        groups = ("--groups", ",".join(one.groups)) if one.groups else ()
        work.inside("useradd", "--create-home", "--user-group", "--shell", one.shell, *groups, one.name)
        if one.ssh_keys:
            work.write(f"{home}/.ssh/authorized_keys", "".join(f"{line}\n" for line in one.ssh_keys), 0o600)
            work.path(f"{home}/.ssh").chmod(0o700)
            work.inside("chown", "-R", f"{one.name}:{one.name}", f"{home}/.ssh")
        if one.sudo:
            work.write(f"/etc/sudoers.d/90-{one.name}", f"{one.name} ALL=(ALL) NOPASSWD:ALL\n", 0o440)
        if one.password:
            shadow = work.path("/etc/shadow")
            shadow.write_text(with_password(shadow.read_text(), one.name, one.password.read().decode()))


def with_password(shadow: str, name: str, hash: str) -> str:
    """A shadow file in which this account has this hash. No program is told it: programs' words are seen by all."""
    rows = (line.split(":") for line in shadow.splitlines())
    return "".join(":".join([row[0], hash, *row[2:]] if row[0] == name else row) + "\n" for row in rows)


def _ids(work: Workspace, file: str) -> dict[str, int]:
    rows = (line.split(":") for line in work.path(file).read_text().splitlines() if line.count(":") >= 2)
    return {row[0]: int(row[2]) for row in rows if row[2].isdecimal()}


def _require_names(work: Workspace, file: str, names: Iterable[str], what: str) -> None:
    known = _ids(work, file)
    for name in names:
        if name not in known and not name.isdecimal():
            raise CallerError(f"{what} {name!r}, which is not in the image's {file}{nearest(name, known)}")


@dataclass(frozen=True)
class SetLocale:
    """The language of the system."""

    locale: str

    def describe(self) -> str:
        """Its title, and what it comes to."""
        return f"Set the locale to {self.locale}"

    def run(self, work: Workspace) -> None:
        """The image must know the locale: where it has locale-gen, that makes it."""
        if self.locale not in BASIC_LOCALES:
            self._make(work)
        work.write("/etc/locale.conf", f"LANG={self.locale}\n")
        if work.path("/etc/default/locale").is_file() and not work.path("/etc/default/locale").is_symlink():
            work.write("/etc/default/locale", f"LANG={self.locale}\n")
        if work.path("/etc/cloud/cloud.cfg.d").is_dir():  # cloud-init would set its own at the first boot
            work.write("/etc/cloud/cloud.cfg.d/92-locale.cfg", f"locale: {self.locale}\n")

    def _make(self, work: Workspace) -> None:
        if self._known(work):
            return
        supported = work.path("/usr/share/i18n/SUPPORTED")
        if work.path("/usr/sbin/locale-gen").exists() and supported.is_file():
            known = [line.split() for line in supported.read_text().splitlines() if line and line[0] != "#"]
            charset = next((words[1] for words in known if words[0] == self.locale), None)
            if charset is None:
                raise CallerError(
                    f"locale: there is no {self.locale!r}{nearest(self.locale, (words[0] for words in known))}"
                )
            wanted = f"{self.locale} {charset}"
            present = work.path("/etc/locale.gen").read_text() if work.path("/etc/locale.gen").is_file() else ""
            if wanted not in present.splitlines():
                work.write("/etc/locale.gen", f"{present}{wanted}\n")
            work.inside("locale-gen")
        if not self._known(work):
            raise CallerError(
                f"locale: the image does not know {self.locale!r}",
                "name one that its packages have, or add the package that has it (locales on Debian and Ubuntu, "
                "glibc-langpack-xx on the RHEL family, glibc-locale on SUSE)",
            )

    def _known(self, work: Workspace) -> bool:
        listed = work.inside("locale", "-a").stdout.split()
        return _plain(self.locale) in map(_plain, listed)


def _plain(locale: str) -> str:
    """A locale as glibc compares it: its character set in small letters and digits alone."""
    name, dot, rest = locale.partition(".")
    charset, at, modifier = rest.partition("@")
    return f"{name}{dot}{re.sub('[^a-z0-9]', '', charset.lower())}{at}{modifier}"


@dataclass(frozen=True)
class SetTimeZone:
    """The time zone of the system."""

    zone: str

    def describe(self) -> str:
        """Its title, and what it comes to."""
        return f"Set the time zone to {self.zone}"

    def run(self, work: Workspace) -> None:
        """As timedatectl does: a relative link into the zones' folder; Debian's tools read /etc/timezone too."""
        zones = work.path("/usr/share/zoneinfo")
        if not zones.is_dir():
            raise CallerError("timezone: the image has no time zones", "add the package tzdata (timezone on SUSE)")
        if not (zones / self.zone).is_file():
            known = [str(path.relative_to(zones)) for path in sorted(zones.rglob("*")) if path.is_file()]
            raise CallerError(f"timezone: the image has no {self.zone!r}{nearest(self.zone, known)}")
        work.remove("/etc/localtime")
        work.path("/etc/localtime").symlink_to(f"../usr/share/zoneinfo/{self.zone}")
        if work.path("/etc/timezone").is_file():
            work.write("/etc/timezone", f"{self.zone}\n")


@dataclass(frozen=True)
class WriteSpecFiles:
    """The spec's own files."""

    files: tuple[File, ...]

    def describe(self) -> str:
        """Its title, and what it comes to; of a secret only where it comes from."""
        return "\n    ".join([f"Write {len(self.files)} files of the spec", *map(_line, self.files)])

    def run(self, work: Workspace) -> None:
        """They replace what is there; a folder is not replaced by a file."""
        users, groups = _ids(work, "/etc/passwd"), _ids(work, "/etc/group")
        for file in self.files:
            _require_names(work, "/etc/passwd", (file.owner,), f"files: {file.path} cannot belong to")
            _require_names(work, "/etc/group", (file.group,), f"files: {file.path} cannot belong to")
        for file in self.files:
            path = work.path(file.path)
            if path.is_dir() and not path.is_symlink():
                raise CallerError(f"files: {file.path} is a folder of the image", "name a file below it")
            if file.content is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                work.remove(file.path)
                path.symlink_to(file.target)
            else:
                work.write(file.path, file.content.read(), 0o600 if file.content.secret else file.mode)
            owner = users[file.owner] if file.owner in users else int(file.owner)
            os.chown(
                path, owner, groups[file.group] if file.group in groups else int(file.group), follow_symlinks=False
            )
            if file.content is not None:
                path.chmod(file.mode)


def _line(file: File) -> str:
    if file.content is None:
        return f"{file.path} -> {file.target}"
    secret = f", secret from {file.content.secret}" if file.content.secret else ""
    return f"{file.path} ({file.mode:04o} {file.owner}:{file.group}{secret})"


FIRST_BOOT_UNIT = "kiln-first-boot.service"
FIRST_BOOT_SCRIPT = "/usr/lib/kiln/first-boot"
FIRST_BOOT_DONE = "/var/lib/kiln/first-boot-done"
CLOUD_CONFIGURATION = "/etc/cloud/cloud.cfg.d/95-first-boot.cfg"
UNIT = f"""\
[Unit]
Description=What this image's author has each new machine do once
Wants=network-online.target
After=network-online.target multi-user.target
After=cloud-final.service walinuxagent.service waagent.service kiln-report-ready.service
ConditionPathExists=!{FIRST_BOOT_DONE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={FIRST_BOOT_SCRIPT}
ExecStartPost=/bin/mkdir -p {Path(FIRST_BOOT_DONE).parent}
ExecStartPost=/bin/touch {FIRST_BOOT_DONE}

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class BakeFirstBoot:
    """What each new machine does once: cloud-config as cloud-init's defaults, which the customer's own data overrides;
    a script by a unit of ours, whatever sets the machine up."""

    content: Content

    def describe(self) -> str:
        """Its title, and what it comes to; of a secret only where it comes from."""
        secret = f" (secret from {self.content.secret})" if self.content.secret else ""
        return f"Bake the first boot's {first_boot_kind(self.content)} into the image{secret}"

    def run(self, work: Workspace) -> None:
        """The image's own cloud-init judges cloud-config: at boot it would skip what it does not understand."""
        text = self.content.read()
        if first_boot_kind(self.content) == CLOUD_CONFIG:
            work.write(CLOUD_CONFIGURATION, text, 0o600 if self.content.secret else 0o644)
            try:
                work.inside("cloud-init", "schema", "--config-file", CLOUD_CONFIGURATION)
            except CommandFailed as failure:
                raise CallerError(
                    "first_boot.user_data is no valid cloud-config:\n" + "\n".join(failure.output.splitlines()[-12:]),
                    "cloud-init's documentation has every module's keys",
                ) from None
            return
        work.write(FIRST_BOOT_SCRIPT, text, 0o700 if self.content.secret else 0o755)
        work.write(f"/etc/systemd/system/{FIRST_BOOT_UNIT}", UNIT)
        work.inside("systemctl", "enable", FIRST_BOOT_UNIT)


FROM_INPUT = 'eval "$(cat)"; exec "$@" </dev/null'
"""Takes variables from standard input: a program's words are seen by all, and are in the log."""


@dataclass(frozen=True)
class RunCommand:
    """A command of the spec, run in the tree as its root."""

    command: Command
    number: int
    of: int

    once = True
    """It need not give the same when it is run again on what a cut-off attempt left: the build begins anew then."""

    def describe(self) -> str:
        """Its title, and what it comes to."""
        words = (
            self.command.words[-1] if self.command.words[:2] == ("/bin/sh", "-ec") else shlex.join(self.command.words)
        )
        network = "with the network" if self.command.network else "without any network"
        values = (
            f"{name} from {value.secret}" if value.secret else f"{name}={value.read().decode()}"
            for name, value in self.command.environment
        )
        return "\n    ".join([f"Run command {self.number} of {self.of}, {network}", *words.splitlines(), *values])

    def run(self, work: Workspace) -> None:
        """Without the network it gets a namespace that has none; on this machine alone that may be impossible."""
        require_isolation((self.command,))
        variables = {name: value.read().decode() for name, value in self.command.environment}
        if self.command.network:
            variables = {**way_out(), **variables}
        text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        words = ("/bin/sh", "-c", FROM_INPUT, "sh", *self.command.words)
        with _resolver(work) if self.command.network else nullcontext():
            try:
                work.inside(*words, text=text, isolated=not self.command.network)
            except CommandFailed as failure:
                tail = "\n".join(failure.output.rstrip().splitlines()[-12:])
                alone = "" if self.command.network else "it had no network: say network = true where it needs one; "
                raise CallerError(
                    f"{self.command.place} ended with status {failure.exit_status}:\n{tail}", f"{alone}see the log"
                ) from None


def require_isolation(commands: Iterable[Command]) -> None:
    """Raise MachineError where a command must have no network and this process cannot take it away."""
    if can_mount() or all(one.network for one in commands):
        return
    raise MachineError(
        "a command of the spec must run without the network, and root without CAP_SYS_ADMIN cannot see to that",
        "give the container that right (--cap-add SYS_ADMIN), build as an ordinary user, or say network = true",
    )


@contextmanager
def _resolver(work: Workspace) -> Iterator[None]:
    """This machine's name servers in the tree while a command runs; what was there comes back."""
    path = resolved(work.tree, Path(RESOLVER).parts)
    before = path.read_bytes() if path.is_file() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Path(RESOLVER).read_bytes())
    try:
        yield
    finally:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)


@dataclass(frozen=True)
class SetServices:
    """Units that must, must not or can never start."""

    services: Services

    def describe(self) -> str:
        """Its title, and what it comes to."""
        verbs = ("enable", "disable", "mask")
        lines = [f"{verb} {name}" for verb in verbs for name in getattr(self.services, verb)]
        return "\n    ".join([f"Set {len(lines)} units of the spec", *lines])

    def run(self, work: Workspace) -> None:
        """By the image's own systemctl, which knows aliases."""
        self._require_units(work)
        for verb in ("disable", "mask", "enable"):
            if names := getattr(self.services, verb):
                work.inside("systemctl", verb, *names)

    def _require_units(self, work: Workspace) -> None:
        patterns = ("/usr/lib/systemd/system/*.*", "/lib/systemd/system/*.*", "/etc/systemd/system/*.*")
        known = {Path(path).name for pattern in patterns for path in work.glob(pattern)}
        for name in (*self.services.enable, *self.services.disable):
            template = re.sub(r"@.*\.", "@.", name)
            if name not in known and template not in known:
                raise CallerError(f"services: the image has no unit {name!r}{nearest(name, sorted(known))}")


Step = KeepRepositories | AddUser | SetLocale | SetTimeZone | WriteSpecFiles | BakeFirstBoot | RunCommand | SetServices
