"""Judge an image without booting or mounting it: gather facts, hand them to the checks, say what was inferred.

The facts, by the names of the checks' parameters (one that cannot be had is left out, and a reason kept):
`vhd` DiskFacts of the file · `disk` the same, where its content can be read · `esp` Tree of the EFI partition ·
`tree` Tree of the root, with what its fstab mounts joined in · `root` FileSystem of the root · `kernels` Kernel by
version · `initrds` Initrd by kernel version · `unified` the unified kernel images · `grub` Menu · `entry` the Entry
that starts by itself · `fstab` its Mounts · `accounts` the users · `packages` versions by name (dpkg's or rpm's) ·
`waagent` settings of waagent.conf · `manifest` · `profile`.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from build.command import find
from build.errors import CallerError
from build.gpt import ESP, MBR_ESP
from build.manifest import DISK, NAME, Manifest
from harness import flatcar
from harness.checks import all_checks
from harness.checks.check import Check, judge
from harness.diskfacts import DiskFacts, read_disk
from harness.etc import read_accounts, read_dpkg, read_fstab, read_settings
from harness.fat import FatTree
from harness.filerefusal import inspected
from harness.grub import read_menu
from harness.inference import infer
from harness.kernels import read_initrds, read_kernels
from harness.profile import Profile
from harness.report import UNREAD, Report, Status, Verdict
from harness.roots import read_root
from harness.rpmdb import read_rpm
from harness.tree import FolderTree, Tree, Unreadable
from harness.unified import Unified, chosen, initrds_of, kernels_of, read_unified, starts_unified

PROGRAMS = ("debugfs", "mdir", "mcopy")


@dataclass
class Facts:
    """What is known of an image, and why the rest is not. Filled step by step while an image is read."""

    known: dict[str, Any] = field(default_factory=dict)
    lacks: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    """What is there and could not be read: never to be passed over in silence."""

    def add(self, name: str, value: Any, otherwise: str) -> None:
        """Keep a fact, or the reason why it is missing."""
        if value is None:
            self.lacks[name] = otherwise
        else:
            self.known[name] = value


def inspect(
    target: Path,
    generations: tuple[int, ...] | None = None,
    kind: str | None = None,
    provisioner: str | None = None,
    only: tuple[str, ...] = (),
) -> Report:
    """What the offline checks say about an image: a disk file, an image folder of a build, or an unpacked root tree.

    What is not told is taken from the manifest, or else inferred; the report's notes say so.
    Raises CallerError where `target` is nothing of these, MachineError where a program is missing.
    """
    begun, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    told = {"generations": generations, "kind": kind, "provisioner": provisioner}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kiln-inspect-")))
        facts = gather(target, scratch, {name: value for name, value in told.items() if value is not None})
        verdicts = tuple(judge(offline_checks(only), facts.known, facts.lacks)) + tuple(_unread(facts))
    profile: Profile = facts.known["profile"]
    return Report(
        image=str(target),
        digest=getattr(facts.known.get("manifest"), "digest", ""),
        scenario="inspect",
        seed="",
        machine={"profile": profile.text},
        verdicts=verdicts,
        started=started,
        seconds=round(time.monotonic() - begun, 3),
        notes=profile.inferred + tuple(sorted(set(facts.lacks.values()))),
        azure=inspected(verdicts) if "vhd" in facts.known else None,
    )


def _unread(facts: Facts) -> Iterator[Verdict]:
    """What could not be looked at is a finding: an image is never passed unseen."""
    for name, reason in facts.unreadable.items():
        yield Verdict(
            f"{UNREAD}{name}",
            f"the {name} can be inspected",
            Status.FAILED,
            reason=reason,
            why="What cannot be read offline is proven by booting it only.",
            repair="Boot it: `./kiln verify`",
        )


def offline_checks(only: tuple[str, ...] = ()) -> tuple[Check, ...]:
    """The checks that an image's files can answer, or those of these ids. Raises CallerError for an unknown id."""
    offline = {one.id: one for one in all_checks() if set(one.needs) <= FACTS}
    if unknown := sorted(set(only) - set(offline)):
        raise CallerError(f"no offline check is called {', '.join(unknown)}", f"there are: {', '.join(offline)}")
    return tuple(one for id, one in offline.items() if not only or id in only)


_DISK_FACTS = ("vhd", "disk", "esp", "root")
_TREE_FACTS = ("unified", "kernels", "initrds", "grub", "entry", "fstab", "accounts", "packages", "waagent")
FACTS = frozenset((*_DISK_FACTS, *_TREE_FACTS, "tree", "manifest", "profile"))
"""The names that an offline check may ask for."""


def gather(target: Path, scratch: Path, told: Mapping[str, Any]) -> Facts:
    """Everything that can be known of the image without booting it."""
    facts = Facts()
    if target.is_file():
        _read_disk(facts, target, scratch)
    elif (target / DISK).is_file():
        facts.add("manifest", _manifest(target), "the image has no manifest")
        _read_disk(facts, target / DISK, scratch)
    elif (target / "etc").is_dir():
        facts.lacks |= dict.fromkeys(_DISK_FACTS, "a root tree has no disk")
        facts.add("tree", FolderTree(target), "")
    else:
        raise CallerError(
            f"{target} is not an image",
            "give a disk file, the folder that a build printed, or a root tree (it has etc/)",
        )
    try:
        _read_tree(facts, scratch)
    except Unreadable as broken:
        facts.unreadable["files"] = broken.what
        facts.lacks |= dict.fromkeys(set(_TREE_FACTS) - set(facts.known), broken.what)
    manifest = facts.known.get("manifest")
    profile = infer(facts.known.get("disk"), facts.known.get("tree"), facts.known.get("kernels"), manifest)
    guessed = zip(("generations", "kind", "provisioner"), profile.inferred, strict=False)
    inferred = profile.inferred if manifest else tuple(note for name, note in guessed if name not in told)
    facts.add("profile", replace(profile, inferred=inferred, **told), "")
    if manifest is None:
        facts.lacks["manifest"] = "the image has no manifest"
    return facts


def _manifest(folder: Path) -> Manifest | None:
    return Manifest.load(folder) if (folder / NAME).is_file() else None


def _read_disk(facts: Facts, path: Path, scratch: Path) -> None:
    for program in PROGRAMS:
        find(program)
    disk = read_disk(path, scratch)
    facts.add("vhd", disk, "")
    if disk.unread:
        facts.unreadable["disk"] = disk.unread
        facts.lacks |= dict.fromkeys(("disk", "esp", "root", "tree"), disk.unread)
        return
    facts.add("disk", disk, "")
    _read_esp(facts, disk, scratch)
    _read_root(facts, disk, scratch)


def _read_esp(facts: Facts, disk: DiskFacts, scratch: Path) -> None:
    partitions = [one for one in disk.partitions if one.type in (ESP, MBR_ESP)]
    try:
        esp = FatTree(disk.content, partitions[0].offset, scratch) if partitions else None
        facts.add("esp", esp, "there is no EFI system partition")
    except Unreadable as broken:
        facts.add("esp", None, broken.what)
        facts.unreadable["esp"] = broken.what


def _read_root(facts: Facts, disk: DiskFacts, scratch: Path) -> None:
    """Find the root file system, and join a separate /boot into it."""
    if disk.table is None:
        reason = f"the disk has no readable partition table ({disk.table_problem or disk.container})"
        facts.lacks |= dict.fromkeys(("tree", "root"), reason)
        facts.unreadable["root"] = reason
        return
    if flatcar.is_flatcar(disk.table):
        facts.lacks |= dict.fromkeys(("tree", "root"), flatcar.UNREAD)
        return
    try:
        root = read_root(disk, scratch)
    except Unreadable as broken:
        facts.unreadable["root"] = broken.what
        facts.lacks |= dict.fromkeys(("tree", "root"), broken.what)
        return
    facts.add("root", root.filesystem, "")
    facts.add("tree", root.tree, "")
    if root.unread:
        facts.unreadable["other partitions"] = "; ".join(root.unread)


def _read_tree(facts: Facts, scratch: Path) -> None:
    tree: Tree | None = facts.known.get("tree")
    if tree is None:
        facts.lacks |= dict.fromkeys(_TREE_FACTS, facts.lacks["tree"])
        return
    _read_boot(facts, tree, scratch)
    facts.add("fstab", read_fstab(tree.read_text("/etc/fstab")), "")
    facts.add("accounts", read_accounts(tree), "")
    try:
        packages = read_dpkg(tree) or read_rpm(tree, scratch)
        facts.add("packages", packages, "the image has neither dpkg's database nor rpm's")
    except Unreadable as broken:
        facts.unreadable["packages"] = facts.lacks["packages"] = broken.what
    settings = read_settings(tree.read_text("/etc/waagent.conf")) if tree.is_file("/etc/waagent.conf") else None
    facts.add("waagent", settings, "the image has no /etc/waagent.conf")


def _read_boot(facts: Facts, tree: Tree, scratch: Path) -> None:
    """What starts, in separate files or in unified images, and by which menu."""
    esp: Tree | None = facts.known.get("esp")
    images: tuple[Unified, ...] = ()
    try:
        images = read_unified(esp, tree, scratch)
        facts.add("unified", images, "")
    except Unreadable as broken:
        facts.unreadable["unified kernel images"] = facts.lacks["unified"] = broken.what
    apart = read_kernels(tree) or {}
    kernels = {**apart, **kernels_of(images, tree, apart)}
    facts.add("kernels", kernels or None, "the image has no kernel")
    try:
        initrds = {**(read_initrds(tree, apart, scratch) or {}), **initrds_of(images, apart)}
        facts.add("initrds", initrds or None, "the image has no initramfs")
    except Unreadable as broken:
        facts.unreadable["initramfs"] = facts.lacks["initrds"] = broken.what
    menu = read_menu(tree)
    joined = menu and replace(menu, entries=(*menu.entries, *(one.entry for one in images)))
    facts.add("grub", joined, "the image has no grub.cfg")
    entry = menu.default if menu and not starts_unified(images, esp) else None
    reason = "GRUB has no menu entry" if menu else "the image has no grub.cfg"
    facts.add("entry", entry or chosen(images, esp), reason)
