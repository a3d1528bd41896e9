"""Secure Boot by an image's files: who signed each link of the chain, modules that nobody signed, the TPM's driver."""

import gzip
import lzma
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from build.command import find
from harness.checks import all_checks
from harness.checks.check import judge
from harness.kernels import Kernel
from harness.profile import Profile
from harness.tree import FolderTree
from harness.unified import Unified
from tests.harness.signed import VENDOR, bare, program, shim

PROFILE = Profile((1, 2), "generalized", "cloud-init", "debian")
SHIM, GRUB, KERNEL = "esp/EFI/BOOT/BOOTX64.EFI", "esp/EFI/BOOT/grubx64.efi", "root/boot/vmlinuz-6.1"
OTHERS = "esp/EFI/vendor/grubx64.efi"
"""GRUB where the shim's fallback program would find it."""
BARE = Kernel("6.1")
CHAIN = {SHIM: shim(VENDOR), GRUB: program(), KERNEL: program(content=b"kernel")}
STRANGER = program("a stranger", "a stranger's CA")
MODULE = "root/usr/lib/modules/6.1/updates/dkms/gpu.ko"
LISTED = {"root/etc/modules-load.d/gpu.conf": b"gpu\n"}
SIGNED = b"ELF~Module signature appended~\n"


def _zstd(raw: bytes) -> bytes:
    return subprocess.run([find("zstd"), "-c"], input=raw, check=True, capture_output=True).stdout


PACKERS = {"xz": lzma.compress, "gz": gzip.compress, "zst": _zstd}


def complaint(
    id: str, folder: Path, files: Mapping[str, bytes], kernel: Kernel = BARE, unified: tuple[Unified, ...] = ()
) -> str:
    """The reasons why the check fails, "" where it passes."""
    for path, content in {"root/etc/x": b"", "esp/EFI/x": b"", **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "root/lib").symlink_to("usr/lib")
    facts = {
        "esp": FolderTree(folder / "esp"),
        "tree": FolderTree(folder / "root"),
        "kernels": {kernel.version: kernel},
        "unified": unified,
        "profile": PROFILE,
    }
    (one,) = judge([one for one in all_checks() if one.id == id], facts)
    return "\n".join(one.evidence) or one.reason


@pytest.mark.parametrize(
    "files",
    [
        CHAIN,
        {**CHAIN, SHIM: shim("an older CA", VENDOR)},
        {**CHAIN, SHIM: shim(VENDOR, issuer="Microsoft Corporation UEFI CA 2011")},
        # A list of something else than certificates: who is trusted cannot be told.
        {**CHAIN, SHIM: shim(), GRUB: STRANGER},
        {**CHAIN, GRUB: program("a signer", "Microsoft UEFI CA 2023")},
        {SHIM: CHAIN[SHIM], OTHERS: CHAIN[GRUB], KERNEL: CHAIN[KERNEL]},
    ],
)
def test_likes_a_chain_that_is_signed(files: Mapping[str, bytes], tmp_path: Path) -> None:
    assert complaint("sb.chain", tmp_path, files) == ""


@pytest.mark.parametrize(
    ("path", "content", "found"),
    [
        (SHIM, shim(VENDOR, issuer="somebody"), "BOOTX64.EFI is signed by a shim, not by Microsoft's UEFI authority"),
        (SHIM, shim(VENDOR, issuer="Microsoft UEFI CA 2099"), "is signed by a shim, not by Microsoft's"),
        (SHIM, b"MZ", "BOOTX64.EFI: its headers are damaged"),
        (SHIM, bare(), "BOOTX64.EFI is not signed"),
        (GRUB, bare(), "grubx64.efi is not signed"),
        (GRUB, STRANGER, f"grubx64.efi is signed by a stranger, whom the shim does not know: it knows {VENDOR}"),
        (KERNEL, bare(), "vmlinuz-6.1 is not signed"),
        (KERNEL, STRANGER, "vmlinuz-6.1 is signed by a stranger, whom the shim does not know"),
        (KERNEL, CHAIN[KERNEL].replace(b"kernel", b"Kernel"), "vmlinuz-6.1 is not what was signed"),
        (KERNEL, b"#!", "vmlinuz-6.1: its headers are damaged"),
    ],
)
def test_finds_the_link_that_does_not_hold(path: str, content: bytes, found: str, tmp_path: Path) -> None:
    (line,) = complaint("sb.chain", tmp_path, {**CHAIN, path: content}).splitlines()
    assert found in line


def test_finds_an_unsigned_grub_that_the_fallback_program_leads_to(tmp_path: Path) -> None:
    files = {SHIM: CHAIN[SHIM], OTHERS: bare(), KERNEL: CHAIN[KERNEL]}
    assert complaint("sb.chain", tmp_path, files) == "/EFI/vendor/grubx64.efi is not signed"


@pytest.mark.parametrize("path", ["esp/EFI/Linux/os.efi", "root/EFI/Linux/os.efi"])
@pytest.mark.parametrize(("content", "found"), [(bare(), "/EFI/Linux/os.efi is not signed"), (program(), "")])
def test_looks_at_unified_images_where_they_start(path: str, content: bytes, found: str, tmp_path: Path) -> None:
    image = Unified("/EFI/Linux/os.efi", "6.1", (), has_kernel=True, initrd=None)
    files = {**CHAIN, KERNEL: bare(), path: content}
    assert complaint("sb.chain", tmp_path, files, unified=(image,)) == found


@pytest.mark.parametrize("ending", ["", ".xz", ".gz", ".zst"])
@pytest.mark.parametrize("place", ["etc/modules", "usr/lib/modules-load.d/a.conf", "etc/initramfs-tools/modules"])
def test_finds_a_module_that_is_loaded_at_boot_and_not_signed(place: str, ending: str, tmp_path: Path) -> None:
    pack = PACKERS.get(ending[1:], bytes)
    files = {f"root/{place}": b"# some\ngpu option=1\n", MODULE + ending: pack(b"ELF")}
    assert f"gpu.ko{ending} is loaded at boot" in complaint("sb.modules", tmp_path, files)


def test_takes_a_module_that_cannot_be_unpacked_for_one_that_nobody_signed(tmp_path: Path) -> None:
    cut = lzma.compress(SIGNED * 100)[:-20]
    assert "is loaded at boot" in complaint("sb.modules", tmp_path, {**LISTED, f"{MODULE}.xz": cut})


@pytest.mark.parametrize(
    "files",
    [
        {MODULE: b"ELF"},
        {**LISTED, MODULE: SIGNED},
        *({**LISTED, f"{MODULE}.{ending}": pack(SIGNED)} for ending, pack in PACKERS.items()),
        {**LISTED, f"{MODULE}.xz": lzma.compress(bytes(3 << 20) + SIGNED)},
    ],
)
def test_leaves_other_modules_alone(files: Mapping[str, bytes], tmp_path: Path) -> None:
    assert complaint("sb.modules", tmp_path, files) == ""


@pytest.mark.parametrize(
    ("kernel", "found"),
    [
        (Kernel("6.1", {"HYPERV": "y"}), "kernel 6.1 has no TCG_CRB"),
        (Kernel("6.1", {"TCG_TIS": "m"}), "kernel 6.1 has no TCG_CRB"),
        (Kernel("6.1", modules=frozenset({"tpm_tis"})), "kernel 6.1 has no TCG_CRB"),
        (Kernel("6.1", {"TCG_CRB": "m"}), ""),
        (Kernel("6.1", builtin=frozenset({"tpm_crb"})), ""),
        (BARE, ""),
    ],
)
def test_finds_a_kernel_without_the_tpm(kernel: Kernel, found: str, tmp_path: Path) -> None:
    assert complaint("sb.tpm", tmp_path, {}, kernel) == found


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
