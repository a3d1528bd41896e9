"""Secure Boot by an image's files: who signed each link of the chain, modules that nobody signed, the TPM's driver."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.checks import all_checks
from harness.checks.check import judge
from harness.kernels import Kernel
from harness.profile import Profile
from harness.tree import FolderTree
from tests.harness.signed import MICROSOFT, program

PROFILE = Profile((1, 2), "generalized", "cloud-init", "debian")
SHIM, GRUB, KERNEL = "esp/EFI/BOOT/BOOTX64.EFI", "esp/EFI/BOOT/grubx64.efi", "root/boot/vmlinuz-6.1"
BARE = Kernel("6.1")
CHAIN = {SHIM: program("shim", MICROSOFT), GRUB: program(), KERNEL: program()}
MODULE = "root/usr/lib/modules/6.1/updates/dkms/gpu.ko"
LISTED = {"root/etc/modules-load.d/gpu.conf": b"gpu\n"}


def complaint(id: str, folder: Path, files: Mapping[str, bytes], kernel: Kernel = BARE) -> str:
    """The reason why the check fails, "" where it passes."""
    for path, content in {"root/etc/x": b"", "esp/EFI/x": b"", **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    facts = {
        "esp": FolderTree(folder / "esp"),
        "tree": FolderTree(folder / "root"),
        "kernels": {kernel.version: kernel},
        "profile": PROFILE,
    }
    (one,) = judge([one for one in all_checks() if one.id == id], facts)
    return one.reason


def test_likes_a_chain_that_is_signed(tmp_path: Path) -> None:
    assert complaint("sb.chain", tmp_path, CHAIN) == ""


@pytest.mark.parametrize(
    ("path", "content", "found"),
    [
        (SHIM, program("shim", "somebody"), "is signed by shim, not by Microsoft's UEFI authority"),
        (SHIM, b"MZ", "its headers are damaged"),
        (GRUB, program()[:0x200].replace(b"\x00\x02\x00\x00", bytes(4)), "grubx64.efi"),
        (KERNEL, b"#!", "vmlinuz-6.1"),
    ],
)
def test_finds_the_link_that_nobody_signed(path: str, content: bytes, found: str, tmp_path: Path) -> None:
    assert found in complaint("sb.chain", tmp_path, {**CHAIN, path: content})


def test_finds_a_module_that_is_loaded_at_boot_and_not_signed(tmp_path: Path) -> None:
    assert "gpu.ko is loaded at boot" in complaint("sb.modules", tmp_path, {**LISTED, MODULE: b"ELF"})


@pytest.mark.parametrize("files", [{MODULE: b"ELF"}, {**LISTED, MODULE: b"ELF~Module signature appended~\n"}])
def test_leaves_other_modules_alone(files: Mapping[str, bytes], tmp_path: Path) -> None:
    assert complaint("sb.modules", tmp_path, files) == ""


def test_finds_a_kernel_without_the_tpm(tmp_path: Path) -> None:
    assert "neither TCG_CRB nor TCG_TIS" in complaint("sb.tpm", tmp_path, {}, Kernel("6.1", {"HYPERV": "y"}))
    assert complaint("sb.tpm", tmp_path, {}, Kernel("6.1", {"TCG_TIS": "m"})) == ""


@pytest.mark.parametrize(
    ("files", "found"), [({}, "nothing makes them"), ({"root/etc/ssh/ssh_host_rsa_key": b"k"}, "")]
)
def test_finds_a_specialized_image_that_was_deprovisioned(
    files: Mapping[str, bytes], found: str, tmp_path: Path
) -> None:
    for path, content in {"root/usr/sbin/sshd": b"#!", **files}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    facts = {"tree": FolderTree(tmp_path / "root"), "profile": Profile((1,), "specialized", "none")}
    (one,) = judge([one for one in all_checks() if one.id == "spec.no-deprovision"], facts)
    assert found in one.reason and bool(found) == bool(one.reason)
