"""Repairs of what must not be baked into an image: what is left of other machines is removed or emptied."""

import posixpath
import re
from collections.abc import Iterable

from harness.checks.check import REGISTRY
from harness.checks.cleanliness import CACHES, CONTAINER_FILES, GENERATED, LEFTOVERS, LOGS
from harness.etc import Account, makes_host_keys
from harness.fix.repair import Edits, Unsafe, emptied, removed, repair
from harness.fix.texts import lines_of, relined, rewritten
from harness.profile import Profile
from harness.tree import Tree

ALWAYS_THERE = ("/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog")
"""Logs that nobody makes anew: they are kept, empty, with their owners."""
DBUS_ID = "/var/lib/dbus/machine-id"
TMPFILES = ("/usr/lib/tmpfiles.d/dbus.conf", "/etc/tmpfiles.d/dbus.conf")
LOOPBACK = re.compile(r"(127\.|::1$|f[ef]0\d::|fe00::)")


def _all(tree: Tree, paths: Iterable[str]) -> Edits:
    """Remove files and links; folders stay."""
    for path in paths:
        entry = tree.lstat(path)
        if entry and not entry.is_folder:
            yield removed(path)


def _below(tree: Tree, folder: str) -> Edits:
    """Remove all below a folder, the deepest first."""
    for name in tree.list(folder):
        path = posixpath.join(folder, name)
        entry = tree.lstat(path)
        if entry and entry.is_folder:
            yield from _below(tree, path)
        yield removed(path)


def _named_by(id: str, tree: Tree, *more: object) -> Edits:
    """Remove what the check names, where all that it says are paths of files."""
    named = list(REGISTRY[id].complain(*more, tree))
    for path in named:
        if not path.startswith("/") or tree.lstat(path) is None:
            raise Unsafe(f"what the check says is no path: {path}")
    yield from _all(tree, named)


@repair("clean.hostkeys")
def remove_host_keys(tree: Tree, profile: Profile, waagent: dict[str, str] | None) -> Edits:
    """Remove them where it is certain that every machine makes its own."""
    regenerates = (waagent or {}).get("Provisioning.RegenerateSshHostKeyPair", "n").lower() == "y"
    made = {"cloud-init": True, "waagent": regenerates}.get(profile.provisioner, False)
    if not made and not makes_host_keys(tree):
        raise Unsafe("nothing in the image makes new host keys, and nobody would get in without any")
    yield from _all(tree, tree.glob("/etc/ssh/ssh_host_*key*"))


@repair("clean.machine-id")
def empty_the_machine_id(tree: Tree) -> Edits:
    """Leave the file, empty; D-Bus' own copy goes where systemd makes its link again."""
    if not tree.exists("/etc/machine-id") or tree.read_text("/etc/machine-id").strip() not in ("", "uninitialized"):
        yield emptied("/etc/machine-id")
    if tree.read_bytes(DBUS_ID, 1) and not tree.is_link(DBUS_ID):
        if not any("/var/lib/dbus/machine-id" in tree.read_text(path) for path in TMPFILES):
            raise Unsafe(f"no tmpfiles.d makes {DBUS_ID} again")
        yield removed(DBUS_ID)


@repair("clean.dhcp")
def forget_leases(tree: Tree) -> Edits:
    """Remove the leases."""
    yield from _named_by("clean.dhcp", tree)


@repair("clean.ci-state")
def forget_instances(tree: Tree) -> Edits:
    """Remove what cloud-init remembers, as `cloud-init clean --seed` does."""
    if tree.lstat("/var/lib/cloud/instance"):
        yield removed("/var/lib/cloud/instance")
    for folder in ("instances", "data", "sem", "seed"):
        yield from _below(tree, f"/var/lib/cloud/{folder}")


@repair("clean.ci-generated")
def forget_generated_settings(tree: Tree) -> Edits:
    """Remove the files that cloud-init wrote, and its lines in fstab."""
    for pattern in GENERATED:
        yield from _all(tree, tree.glob(pattern))
    lines = lines_of(tree, "/etc/fstab")
    kept = [line for line in lines if "comment=cloudconfig" not in line]
    if kept != lines:
        yield relined("/etc/fstab", kept, f"removed {len(lines) - len(kept)} lines of cloud-init's")


@repair("clean.agent-lib")
def forget_the_agents_state(tree: Tree) -> Edits:
    """Empty its folder, as deprovisioning does."""
    yield from _below(tree, "/var/lib/waagent")


@repair("clean.agent-log")
def forget_the_agents_log(tree: Tree) -> Edits:
    """Remove its logs; the agent makes new ones."""
    yield from _named_by("clean.agent-log", tree)


@repair("clean.history")
def forget_histories(tree: Tree, accounts: tuple[Account, ...]) -> Edits:
    """Remove the shells' histories."""
    yield from _named_by("clean.history", tree, accounts)


@repair("clean.random-seed")
def forget_seeds(tree: Tree) -> Edits:
    """Remove the seeds: the first machine's shutdown writes its own."""
    yield from _named_by("clean.random-seed", tree)


@repair("clean.nm")
def forget_the_network_managers_state(tree: Tree) -> Edits:
    """Remove what it makes anew."""
    yield from _named_by("clean.nm", tree)


@repair("clean.logs")
def empty_logs(tree: Tree) -> Edits:
    """Remove journals and cloud-init's logs, empty what must be there."""
    for path in (path for pattern in LOGS for path in tree.glob(pattern)):
        if tree.read_bytes(path, 1):
            yield emptied(path) if path in ALWAYS_THERE else removed(path)


@repair("clean.tmp")
def forget_what_is_temporary(tree: Tree) -> Edits:
    """Empty the folders, remove installers' and containers' leftovers."""
    for folder in ("/tmp", "/var/tmp"):
        yield from _below(tree, folder)
    yield from _all(tree, (*LEFTOVERS, *CONTAINER_FILES))


@repair("clean.pkg-cache")
def empty_package_caches(tree: Tree) -> Edits:
    """Remove what the package manager fetches again."""
    yield from _all(tree, (path for pattern in CACHES for path in tree.glob(pattern)))


@repair("clean.resolv")
def forget_name_servers(tree: Tree) -> Edits:
    """Empty the file: DHCP writes it."""
    yield emptied("/etc/resolv.conf")


@repair("clean.hosts")
def forget_hosts(tree: Tree) -> Edits:
    """Keep this machine's own names alone."""
    lines = lines_of(tree, "/etc/hosts")
    gone = [line for line in lines if (words := line.partition("#")[0].split()) and not LOOPBACK.match(words[0])]
    yield relined("/etc/hosts", [line for line in lines if line not in gone], f"removed {', '.join(gone)}")


@repair("net.hostname")
def forget_the_name(tree: Tree) -> Edits:
    """Write a name that nobody takes for one."""
    yield rewritten("/etc/hostname", "localhost\n", "localhost")
