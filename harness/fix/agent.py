"""Repairs of waagent.conf: one line changed, all others as they are."""

import re

from harness.checks.agent import CONFIGURATION, SWITCHES
from harness.fix.repair import Edits, Unsafe, repair
from harness.fix.texts import lines_of, relined, with_value, without
from harness.profile import Profile
from harness.tree import Tree

SPELLINGS = {"y": ("y", "yes", "true", "on", "1", "enabled"), "n": ("n", "no", "false", "off", "0", "disabled")}
"""What people write for the agent's two words."""
INDENTED = re.compile(r"\s+([A-Za-z]+\.\w+\s*=.*)")


def _set(tree: Tree, key: str, value: str) -> Edits:
    yield relined(CONFIGURATION, with_value(lines_of(tree, CONFIGURATION), key, value), f"{key}={value}")


def _drop(tree: Tree, *keys: str) -> Edits:
    lines = lines_of(tree, CONFIGURATION)
    gone = [line for line in lines if line not in without(lines, *keys)]
    if gone:
        yield relined(CONFIGURATION, without(lines, *keys), f"removed {', '.join(line.strip() for line in gone)}")


@repair("agent.provisioner")
def name_the_provisioner(tree: Tree, profile: Profile) -> Edits:
    """Write who provisions, as the image's profile has it."""
    if profile.kind == "specialized" or profile.provisioner == "none":
        yield from _set(tree, "Provisioning.Agent", "disabled")
    elif profile.provisioner in ("cloud-init", "waagent"):
        yield from _set(tree, "Provisioning.Agent", profile.provisioner)
    else:
        raise Unsafe(f"the agent knows no provisioner {profile.provisioner}")


@repair("agent.bool-syntax")
def spell_switches_as_the_agent_does(tree: Tree) -> Edits:
    """Write y or n for what can only mean that, at the line's beginning."""
    lines, done = [], []
    for line in lines_of(tree, CONFIGURATION):
        spelled = _spelled(line)
        lines.append(spelled)
        if spelled != line:
            done.append(f"{spelled} (was {line!r})")
    if done:
        yield relined(CONFIGURATION, lines, "; ".join(done))


def _spelled(line: str) -> str:
    indented = INDENTED.fullmatch(line)
    line = indented[1] if indented else line
    key, equals, value = line.partition("#")[0].rstrip().partition("=")
    if not equals or not SWITCHES.match(key.strip()):
        return line
    told = value.strip().strip('"').lower()
    if told in ("y", "n", "none"):
        return line
    meant = next((word for word, spellings in SPELLINGS.items() if told in spellings), None)
    if meant is None:
        raise Unsafe(f"{CONFIGURATION} has {line.strip()!r}, which could mean y or n")
    return f"{key.strip()}={meant}"


@repair("agent.legacy-keys")
def remove_dead_switches(tree: Tree) -> Edits:
    """Remove what newer agents ignore."""
    yield from _drop(tree, "Provisioning.Enabled", "Provisioning.UseCloudInit")


@repair("agent.autoupdate")
def let_the_agent_update_itself(tree: Tree) -> Edits:
    """Remove what forbids it: the agent's default is to update itself."""
    yield from _drop(tree, "AutoUpdate.Enabled", "AutoUpdate.UpdateToLatestVersion")


@repair("agent.extensions")
def allow_extensions(tree: Tree) -> Edits:
    """Remove what forbids them: the agent's default is to run them."""
    yield from _drop(tree, "Extensions.Enabled")


@repair("agent.scsi-timeout")
def give_disks_time(tree: Tree) -> Edits:
    """Write the documented time, in seconds."""
    yield from _set(tree, "OS.RootDeviceScsiTimeout", "300")


@repair("agent.root-pw")
def take_roots_password_away(tree: Tree) -> Edits:
    """Let deprovisioning delete root's password."""
    yield from _set(tree, "Provisioning.DeleteRootPassword", "y")


@repair("resdisk.single-owner")
def leave_the_resource_disk_to_cloud_init(tree: Tree, waagent: dict[str, str]) -> Edits:
    """Let the agent neither format it nor swap on it."""
    lines, keys = lines_of(tree, CONFIGURATION), []
    for key in ("ResourceDisk.Format", "ResourceDisk.EnableSwap"):
        if waagent.get(key, "n").lower().startswith("y"):
            lines = with_value(lines, key, "n")
            keys.append(f"{key}=n")
    yield relined(CONFIGURATION, lines, ", ".join(keys))
