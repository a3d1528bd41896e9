"""What an image seems to be meant for, where neither its manifest nor the caller says so; each guess says why."""

from collections.abc import Mapping
from typing import Any

from build.gpt import BIOS_BOOT, ESP, MBR_ESP
from distros import recipe
from harness.diskfacts import DiskFacts
from harness.etc import read_release, read_settings
from harness.flatcar import is_flatcar
from harness.kernels import Kernel
from harness.profile import Profile
from harness.tree import Tree

PROVISIONERS = (*recipe.PROVISIONERS, "ignition")
"""What may set an image's machines up."""
STAND_IN = (
    "It was made from a stand-in mirror: this proves Kiln's code, and nothing of the distribution it is named for."
)
_MACHINES = {0x3E: "x86_64", 0xB7: "aarch64"}
"""e_machine of ELF files."""


def infer(
    disk: DiskFacts | None, tree: Tree | None, kernels: Mapping[str, Kernel] | None, manifest: Any = None
) -> Profile:
    """The image's profile: the manifest's word where there is one."""
    family = _family(tree)
    if manifest is not None:
        return Profile(
            tuple(manifest.generations),
            manifest.kind,
            manifest.provisioner,
            family,
            manifest.arch.replace("amd64", "x86_64"),
            (STAND_IN,) if manifest.is_stand_in else (),
            *_release(tree),
        )
    generations, why_generations = _generations(disk)
    provisioner, why_provisioner = _provisioner(disk, tree)
    kind, why_kind = _kind(tree)
    notes = (
        f"inferred: generation {' and '.join(map(str, generations))} ({why_generations})",
        f"inferred: {kind} ({why_kind})",
        f"inferred: provisioner {provisioner} ({why_provisioner})",
    )
    return Profile(generations, kind, provisioner, family, _arch(tree), notes, *_release(tree))


def _generations(disk: DiskFacts | None) -> tuple[tuple[int, ...], str]:
    if disk is None or disk.table is None:
        return (1, 2), "nothing to tell by"
    bios = disk.table.kind == "mbr" or bool(disk.table.of_type(BIOS_BOOT)) or any(disk.read(0, 440))
    efi = bool(disk.table.of_type(ESP, MBR_ESP))
    reasons = {
        (True, True): ((1, 2), "BIOS boot code and an EFI partition"),
        (True, False): ((1,), "BIOS boot code or an MBR, and no EFI partition"),
        (False, True): ((2,), "an EFI partition, and nothing for a BIOS"),
        (False, False): ((1, 2), "nothing to tell by"),
    }
    return reasons[bios, efi]


def _provisioner(disk: DiskFacts | None, tree: Tree | None) -> tuple[str, str]:
    if disk and is_flatcar(disk.table):
        return "ignition", "the disk has Flatcar's partitions"
    if tree is None:
        return "cloud-init", "the usual one: its files cannot be seen"
    cloud_init = tree.exists("/usr/bin/cloud-init")
    waagent = tree.exists("/usr/sbin/waagent") or tree.exists("/usr/bin/waagent")
    told = _agent(tree)
    if {"cloud-init": cloud_init, "waagent": waagent}.get(told):
        return told, "waagent.conf names it"
    if cloud_init and not tree.exists("/etc/cloud/cloud-init.disabled"):
        return "cloud-init", "it is installed"
    if waagent:
        return "waagent", "it is installed, cloud-init is not, or is switched off"
    return "none", "neither cloud-init nor waagent is installed"


def _kind(tree: Tree | None) -> tuple[str, str]:
    if tree and _agent(tree) == "disabled":
        return "specialized", "waagent.conf disables provisioning"
    return "generalized", "nothing disables provisioning"


def _agent(tree: Tree) -> str:
    """Who provisions by the agent's settings, in small letters; "" where they do not say it."""
    return read_settings(tree.read_text("/etc/waagent.conf")).get("Provisioning.Agent", "").lower()


def _release(tree: Tree | None) -> tuple[str, str]:
    """ID and VERSION_ID of os-release."""
    release = read_release(tree) if tree else {}
    return release.get("ID", ""), release.get("VERSION_ID", "")


def _family(tree: Tree | None) -> str:
    release = read_release(tree) if tree else {}
    return (release.get("ID_LIKE") or release.get("ID", "")).split(" ")[0]


def _arch(tree: Tree | None) -> str:
    for program in ("/usr/bin/sh", "/bin/sh", "/usr/lib/systemd/systemd"):
        head = tree.read_bytes(program, 20) if tree else b""
        if head.startswith(b"\x7fELF") and len(head) == 20:
            return _MACHINES.get(int.from_bytes(head[18:20], "little"), "unknown")
    return "x86_64"
