"""Who can log in (catalogue 2.6): on a generalized image nobody, on a specialized one somebody."""

from harness.checks.check import Complaints, check
from harness.etc import Account, configuration, makes_host_keys
from harness.profile import GENERALIZED, PROVISIONED, SPECIALIZED
from harness.tree import Tree

CERTIFICATION = "Microsoft: certification FAQ, Marketplace security; LISA verify_no_pre_exist_users"
FIRST_USER, NOBODY = 1000, 65534
FORCED = "please login as"
PRIVATE = ("id_rsa", "id_ecdsa", "id_ed25519", "id_dsa", "known_hosts")


def _people(accounts: tuple[Account, ...]) -> list[Account]:
    return [one for one in accounts if FIRST_USER <= one.uid < NOBODY]


@check("acct.no-password", source=CERTIFICATION, repair="Lock it: `passwd -l`", when=GENERALIZED)
def no_account_has_a_password(accounts: tuple[Account, ...]) -> Complaints:
    """Everybody who has the image would know the password of every VM made from it."""
    for one in accounts:
        if one.name != "root" and one.password is not None and not one.locked:
            yield f"{one.name} has {'an empty password' if not one.password else 'a password'}"


@check("acct.root-locked", source=CERTIFICATION, repair="Lock it: `passwd -l root`", when=GENERALIZED)
def root_is_locked(accounts: tuple[Account, ...]) -> Complaints:
    """A root password of the build would open every VM; an empty one opens the serial console to anybody."""
    for one in accounts:
        if one.name == "root" and not one.locked:
            yield (
                "root has no line in /etc/shadow"
                if one.password is None
                else ("root has a password" if one.password else "root's password is empty")
            )


@check("acct.no-users", source=CERTIFICATION, repair="Remove the account, its home and sudoers file", when=GENERALIZED)
def no_user_is_left_over(accounts: tuple[Account, ...], tree: Tree) -> Complaints:
    """The owner gives the administrator; an account of the build is a second one that nobody knows of."""
    for one in _people(accounts):
        if one.can_log_in:
            yield f"{one.name} (uid {one.uid}, {one.shell})"
    homes = {one.home for one in _people(accounts)}
    for name in tree.list("/home"):
        if f"/home/{name}" not in homes and name != "lost+found":
            yield f"/home/{name} is left over"
    for name in ("90-cloud-init-users", "waagent"):
        if any(configuration(tree, f"/etc/sudoers.d/{name}")):
            yield f"/etc/sudoers.d/{name} gives rights to users of the build"


@check("acct.no-keys", source=CERTIFICATION, repair="Delete that file", when=GENERALIZED)
def no_ssh_key_is_left_over(accounts: tuple[Account, ...], tree: Tree) -> Complaints:
    """Whoever holds the key of the build could enter every VM made from the image."""
    for home in sorted({one.home for one in accounts} | {f"/home/{name}" for name in tree.list("/home")}):
        if home in ("", "/", "/nonexistent"):
            continue
        for name in ("authorized_keys", "authorized_keys2"):
            keys = [line for _, _, line in configuration(tree, f"{home}/.ssh/{name}")]
            if any(FORCED not in key.lower() for key in keys):
                yield f"{home}/.ssh/{name} lets somebody in"
        for name in PRIVATE:
            if tree.read_bytes(f"{home}/.ssh/{name}", 1):
                yield f"{home}/.ssh/{name}"


@check("acct.spec-login", source="Microsoft: Azure Compute Gallery", repair="Add an administrator", when=SPECIALIZED)
def somebody_can_log_in(accounts: tuple[Account, ...], tree: Tree) -> Complaints:
    """Azure passes no user to a specialized image: who is not in it can never enter."""
    for one in accounts:
        opened = one.password is not None and one.password and not one.locked
        keys = any(configuration(tree, f"{one.home}/.ssh/authorized_keys"))
        if one.can_log_in and (opened or keys):
            return
    yield "no account has a password or an SSH key"


@check("acct.azure-ready", source="WALinuxAgent; cloud-init", repair="Install it", when=GENERALIZED & PROVISIONED)
def the_provisioner_can_make_users(tree: Tree) -> Complaints:
    """The administrator is made by these programs on the first boot."""
    for name in ("useradd", "usermod", "chpasswd", "sudo"):
        if not any(tree.exists(f"{folder}/{name}") for folder in ("/usr/sbin", "/usr/bin")):
            yield f"{name} is missing"


@check(
    "spec.no-deprovision",
    source="Microsoft: Prepare a Linux VHD for upload; generalize",
    repair="Do not run `waagent -deprovision` on it: that makes a generalized image",
    when=SPECIALIZED,
)
def the_machine_was_not_deprovisioned(tree: Tree) -> Complaints:
    """Nothing provisions the machine of a specialized image: SSH keys that were taken out nobody makes again."""
    keys = tree.glob("/etc/ssh/ssh_host_*_key")
    if tree.exists("/usr/sbin/sshd") and not keys and not makes_host_keys(tree):
        yield "there are no SSH host keys, and nothing makes them: sshd cannot start"
