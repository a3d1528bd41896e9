"""Accounts of a specialized image, and the names that an image knows."""

from collections.abc import Iterable
from dataclasses import dataclass

from build.configure import ACCOUNT_LOCKS, NO_SUCH_NAME, is_taken
from build.spec.complaint import Unfit, nearest
from build.spec.value import User
from build.workspace import Workspace


@dataclass(frozen=True)
class AddUser:
    """An account of a specialized image."""

    user: User

    def describe(self) -> str:
        """Its title, and what it comes to."""
        one = self.user
        password = [f"password hash from {one.password.secret}"] if one.password else []
        facts = [f"SSH keys: {len(one.ssh_keys)}", *(["sudo without a password"] if one.sudo else []), *password]
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
                raise Unfit("users.name", one.name, f"the image has {kind} {one.name} already", "choose another name")
        require_names(work, "/etc/group", one.groups, "users.groups", f"{one.name} cannot join")
        if not work.path(one.shell).exists():
            raise Unfit(
                *("users.shell", one.shell),
                f"{one.name}'s shell {one.shell} is not in the image",
                "add its package in the spec",
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


def ids(work: Workspace, file: str) -> dict[str, int]:
    """The numbers by name that /etc/passwd or /etc/group of the image has."""
    rows = (line.split(":") for line in work.path(file).read_text().splitlines() if line.count(":") >= 2)
    return {row[0]: int(row[2]) for row in rows if row[2].isdecimal()}


def require_names(work: Workspace, file: str, names: Iterable[str], key: str, what: str) -> None:
    """Raise CallerError, beginning with `what`, for a name that this file of the image has not; numbers need none.

    `key` is where the spec says such names.
    """
    known = ids(work, file)
    for name in names:
        if name not in known and not name.isdecimal():
            raise Unfit(key, name, f"{what} {name!r}, which is not in the image's {file}{nearest(name, known)}")
