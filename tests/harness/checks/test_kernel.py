"""What the checks of kernels make of versions and families that no planted tree has."""

from pathlib import Path

import pytest

from harness.checks.initramfs import the_next_initramfs_finds_hyperv_disks_too
from harness.checks.kernel import (
    drivers_of_foreign_hardware_stay_out,
    no_packet_stops_the_kernel,
    the_kernel_made_for_azure_boots,
    the_kernel_reads_hyperv_memory_tables,
)
from harness.checks.time import the_kernel_shows_the_hosts_clock
from harness.grub import Entry
from harness.kernels import BOOT_DRIVERS, Kernel
from harness.profile import Profile
from harness.tree import FolderTree
from tests.harness.images import put


def kernels(*versions: str, modules: str = "", builtin: str = "") -> dict[str, Kernel]:
    sets = frozenset(modules.split()), frozenset(builtin.split())
    return {version: Kernel(version, {}, *sets) for version in versions}


def profile(family: str) -> Profile:
    return Profile((2,), "generalized", "cloud-init", family)


@pytest.mark.parametrize(
    ("version", "words", "fails"),
    [
        ("2.6.32-431.el6.x86_64", (), True),
        ("2.6.32-431.el6.x86_64", ("numa=off",), False),
        ("2.6.32-504.el6.x86_64", (), False),
        ("2.6.32-504-generic", (), True),
        ("2.6.37-1", (), False),
        ("3.10.0-1160.el7.x86_64", (), False),
        ("linux", (), False),
    ],
)
def test_wants_numa_off_of_kernels_that_are_too_old(version: str, words: tuple[str, ...], fails: bool) -> None:
    found = list(the_kernel_reads_hyperv_memory_tables(kernels(version), Entry("0", "Linux", args=words)))
    assert bool(found) == fails
    assert not fails or version in found[0]


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("6.12.57+deb13-cloud-amd64", ""),
        ("5.2.0-1-amd64", ""),
        ("5.1.11", ""),
        ("5.1.10", "is older than 5.1.11"),
        ("4.19.51-1", "is older than 4.19.52"),
        ("4.19.52-1", ""),
        ("4.18.0-553.el8_10.x86_64", ""),
        ("4.18.0-80.4.2.el8_0.x86_64", ""),
        ("4.18.0-80.1.2.el8_0.x86_64", "is older than 80.4.2 of its series"),
        ("3.10.0-957.12.2.el7.x86_64", "is older than 957.21.3 of its series"),
        ("4.15.0-1047-azure", "its version does not tell"),
        ("4.20.17-1", "its version does not tell"),
    ],
)
def test_tells_kernels_that_a_packet_stops(version: str, found: str) -> None:
    told = list(no_packet_stops_the_kernel(kernels(version)))
    assert len(told) == bool(found)
    assert found in "".join(told)


@pytest.mark.parametrize(
    ("family", "text", "open_"),
    [
        ("rhel", "", "nouveau, amdgpu"),
        ("fedora", "blacklist nouveau\n", "amdgpu"),
        ("rhel", "blacklist nouveau\nblacklist amdgpu\n", ""),
        ("suse", "", "pcspkr"),
        ("opensuse", "blacklist pcspkr\n", ""),
    ],
)
def test_wants_blacklisted_what_vendors_blacklist(tmp_path: Path, family: str, text: str, open_: str) -> None:
    put(tmp_path, "etc/modprobe.d/azure.conf", text)
    known = kernels("6", modules="nouveau amdgpu pcspkr", builtin="acpi_cpufreq")
    told = list(drivers_of_foreign_hardware_stay_out(known, FolderTree(tmp_path), profile(family)))
    assert told == ([f"kernel 6 has {open_}, and nothing blacklists it"] if open_ else [])


@pytest.mark.parametrize(
    ("versions", "boots", "family", "found"),
    [
        (("6.8.0-31-generic", "6.8.0-1030-azure"), "6.8.0-1030-azure", "debian", ""),
        (("6.8.0-31-generic", "6.8.0-1030-azure"), "6.8.0-31-generic", "debian", "and 6.8.0-1030-azure is there"),
        (("6.8.0-31-generic",), "6.8.0-31-generic", "debian", "none of the kernels (6.8.0-31-generic)"),
        (("5.14.0-570.el9",), "5.14.0-570.el9", "rhel", ""),
        (("6.4.0-24-default",), "6.4.0-24-default", "suse", ""),
        (("6.4.0-24-default", "6.4.0-20-azure"), "6.4.0-24-default", "suse", "and 6.4.0-20-azure is there"),
    ],
)
def test_wants_the_kernel_for_clouds_where_there_is_one(
    tmp_path: Path, versions: tuple[str, ...], boots: str, family: str, found: str
) -> None:
    entry = Entry("0", "Linux", linux=f"/boot/vmlinuz-{boots}")
    known = kernels(*versions, builtin=" ".join(BOOT_DRIVERS))
    told = list(the_kernel_made_for_azure_boots(known, entry, FolderTree(tmp_path), profile(family), ()))
    assert len(told) == bool(found)
    assert found in "".join(told)


@pytest.mark.parametrize("generator", ["usr/bin/dracut", "usr/sbin/mkinitramfs"])
def test_wants_no_drivers_named_that_the_kernel_has_built_in(tmp_path: Path, generator: str) -> None:
    put(tmp_path, generator)
    put(tmp_path, "etc/initramfs-tools/initramfs.conf", "MODULES=dep\n")
    tree = FolderTree(tmp_path)
    assert len(list(the_next_initramfs_finds_hyperv_disks_too(tree, kernels("6", modules="hv_vmbus")))) == 1
    known = kernels("6", builtin=" ".join(BOOT_DRIVERS))
    assert list(the_next_initramfs_finds_hyperv_disks_too(tree, known)) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/dracut.conf.d/azure.conf", 'add_drivers+=" hv_vmbus hv_storvsc hv_netvsc "\n'),
        ("etc/dracut.conf", 'add_drivers="hv-vmbus hv-storvsc hv-netvsc"  # a comment\n'),
        ("usr/lib/dracut/dracut.conf.d/50-azure.conf", "force_drivers+=' hv_vmbus hv_storvsc hv_netvsc '\n"),
    ],
)
def test_finds_the_drivers_wherever_dracut_reads_them(tmp_path: Path, path: str, text: str) -> None:
    put(tmp_path, "usr/bin/dracut")
    put(tmp_path, path, text)
    known = kernels("6", modules=" ".join(BOOT_DRIVERS))
    assert list(the_next_initramfs_finds_hyperv_disks_too(FolderTree(tmp_path), known)) == []


@pytest.mark.parametrize(
    ("version", "options", "found"),
    [
        ("4.10.17-1", {}, "is older than 4.11"),
        ("3.10.0-514.el7.x86_64", {}, "is older than 4.11"),
        ("3.10.0-1160-generic", {}, "is older than 4.11"),
        ("3.10.0-693.el7.x86_64", {}, ""),
        ("4.11.0-1", {}, ""),
        ("6.12.0-55.el10.x86_64", {"PTP_1588_CLOCK": "y"}, ""),
        ("6.12.0-55.el10.x86_64", {"PTP_1588_CLOCK": "m"}, ""),
        ("6.12.0-own", {"HYPERV": "y"}, "has no PTP_1588_CLOCK"),
        ("linux", {}, ""),
    ],
)
def test_wants_a_kernel_that_shows_the_hosts_clock(version: str, options: dict[str, str], found: str) -> None:
    complaints = list(the_kernel_shows_the_hosts_clock({version: Kernel(version, options)}))
    assert bool(complaints) == bool(found)
    assert all(found in one for one in complaints)
