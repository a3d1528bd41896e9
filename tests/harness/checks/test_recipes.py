"""What recipes write into images, put before the checks that judge it: Kiln's own images have no finding there."""

from pathlib import Path
from typing import Any

import pytest

from distros import all_recipes
from distros.recipe import Recipe
from harness.checks import all_checks
from harness.checks.check import judge
from harness.checks.kernel import UNWANTED
from harness.grub import Entry, parse
from harness.initrd import Initrd
from harness.kernels import BOOT_DRIVERS, Kernel
from harness.profile import Profile
from harness.report import Status
from harness.tree import FolderTree
from tests.harness.images import put

FAMILIES = {"apt": "debian", "dnf": "rhel", "zypper": "suse"}
GENERATORS = {"initramfs-tools": "usr/sbin/mkinitramfs", "dracut": "usr/bin/dracut"}
JUDGED = {
    *("kernel.blacklist-extra", "initrd.hyperv-config", "cmdline.ifnames", "grub.bls", "ci.netconf"),
    *("swap.resource-disk", "resdisk.mountpoint", "resdisk.nvme", "lvm.devices-file", "scsi.timeout"),
    *("agent.hostkeys", "kernel.no-hv-blacklist", "kernel.floppy"),
    *("net.el8", "net.nm-cloud-setup", "net.suse", "net.ubuntu", "net.unmanaged-vf", "udev.sriov-unmanaged"),
    *("net.firewall", "repo.debian", "repo.ubuntu"),
}
"""The checks of what a recipe itself decides."""
OF_PACKAGES = {
    "azure-vm-utils": "usr/lib/udev/rules.d/10-azure-unmanaged-sriov.rules",
    "NetworkManager": "usr/sbin/NetworkManager",
    "netplan.io": "usr/sbin/netplan",
}
"""What these packages bring that the checks look for."""
CASES = [(one, who) for one in all_recipes() if one.family in FAMILIES for who in one.provisioning]


def written(root: Path, recipe: Recipe, provisioner: str) -> None:
    """What the recipe itself writes and enables; units and programs of packages are stand-ins."""
    way = recipe.provisioning[provisioner]
    defaults = (recipe.grub_defaults,) if recipe.grub_defaults else ()
    for file in (*recipe.early_files, *recipe.files, *way.files, *defaults):
        put(root, file.path, file.text)
    put(root, "etc/waagent.conf", "".join(f"{key}={value}\n" for key, value in way.agent_settings))
    for package in {*OF_PACKAGES} & {*recipe.packages, *way.packages}:
        put(root, OF_PACKAGES[package])
    assert recipe.initramfs
    put(root, GENERATORS[recipe.initramfs.tool])
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    for name in (*recipe.services, *way.services):
        if not (root / f"etc/systemd/system/{name}").exists():
            put(root, f"usr/lib/systemd/system/{name}", "[Unit]\n")
        (wants / name).symlink_to(f"/usr/lib/systemd/system/{name}")


def facts(root: Path, recipe: Recipe, provisioner: str) -> dict[str, Any]:
    modules = {*BOOT_DRIVERS, "floppy", *(name for names in UNWANTED.values() for name in names)}
    menu = "blscfg\n" if recipe.grub and recipe.grub.menu == "bls" else ""
    return {
        "tree": FolderTree(root),
        "profile": Profile(
            *((2,), "generalized", provisioner, FAMILIES[recipe.family], recipe.arch),
            distro=(*recipe.os_ids, recipe.distro)[0],
            version=recipe.release,
        ),
        "entry": Entry("0", "Linux", args=recipe.cmdline),
        "grub": parse("/boot/grub2/grub.cfg", menu, {}),
        "kernels": {"6.12.0-1": Kernel("6.12.0-1", {}, frozenset(modules))},
        "initrds": {"6.12.0-1": Initrd(frozenset(), {}, ())},
        "waagent": dict(recipe.provisioning[provisioner].agent_settings) or None,
    }


@pytest.mark.parametrize(
    ("recipe", "provisioner"), CASES, ids=[f"{one.distro}-{one.release}-{one.arch}-{who}" for one, who in CASES]
)
def test_a_recipe_s_own_files_have_no_finding(tmp_path: Path, recipe: Recipe, provisioner: str) -> None:
    written(tmp_path, recipe, provisioner)
    checks = [one for one in all_checks() if one.id in JUDGED]
    assert {one.id for one in checks} == JUDGED
    verdicts = list(judge(checks, facts(tmp_path, recipe, provisioner)))
    assert [(one.id, one.reason) for one in verdicts if one.status is Status.FAILED] == []
