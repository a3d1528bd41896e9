"""Unified kernel images: what is in them is judged as if it lay apart, on the EFI partition and in /boot alike."""

import subprocess
from pathlib import Path

import pytest

from build.command import find
from harness.inspect import gather, inspect
from harness.tree import FolderTree, Unreadable
from harness.unified import chosen, read_unified
from tests.harness.images import ARGS, MIB, VERSION, initrd, put
from tests.harness.pe import program, unified
from tests.harness.planted import evidence, failed, in_root, remove


def write(root: Path, content: bytes, name: str = "os-1.efi", folder: str = "boot/EFI/Linux") -> None:
    put(root, f"{folder}/{name}")
    (root / folder / name).write_bytes(content)


def without_grub(root: Path) -> None:
    remove("boot/grub/grub.cfg", f"boot/vmlinuz-{VERSION}", f"boot/initrd.img-{VERSION}")(root)


def test_finds_nothing_where_all_is_unified(root: Path) -> None:
    without_grub(root)
    write(root, unified())
    report = inspect(root)
    assert failed(report) == set()
    judged = {one.id for one in report.verdicts if one.status == "passed"}
    assert {"cmdline.console", "initrd.hyperv", "kernel.hyperv", "grub.kernel", "initrd.nvme"} <= judged


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (unified(ARGS.replace("console=ttyS0,115200", "")), {"cmdline.console"}),
        (unified(ARGS + " libata.atapi_enabled=0"), {"cmdline.forbidden"}),
        (unified(ramdisk=initrd("nvme nvme-core")), {"initrd.hyperv"}),
        (unified(version="9.9"), {"kernel.hyperv", "kernel.hyperv-modules"}),
        (unified(ramdisk=b"nothing"), {"inspect.unified kernel images"}),
        (program({".cmdline": ARGS.encode()}), {"grub.kernel"}),
        (b"MZ", {"inspect.unified kernel images"}),
    ],
    ids=["console", "forbidden", "initramfs", "modules", "damaged initramfs", "no kernel", "damaged"],
)
def test_judges_what_is_inside(root: Path, content: bytes, ids: set[str]) -> None:
    without_grub(root)
    write(root, content)
    assert ids <= failed(inspect(root))


def test_reads_them_from_the_efi_partition(disk: Path, tmp_path: Path) -> None:
    in_root("rm /boot/grub/grub.cfg")(disk)
    piece = tmp_path / "piece"
    piece.write_bytes(unified(ARGS.replace("console=ttyS0,115200", "")))
    for words in (["mmd", "::EFI/Linux"], ["mcopy", str(piece), "::EFI/Linux/OS-1.efi"]):
        call = [find(words[0]), "-i", f"{disk}@@{2 * MIB}", *words[1:]]
        subprocess.run(call, check=True, capture_output=True, env={"MTOOLS_SKIP_CHECK": "1"})
    report = inspect(disk)
    assert "cmdline.console" in failed(report)
    assert "grub.menu" not in failed(report)


def test_leaves_grub_its_default_and_adds_to_its_menu(root: Path, tmp_path: Path) -> None:
    write(root, unified("quiet"))
    facts = gather(root, tmp_path, {}).known
    assert facts["entry"].title == "Debian"
    assert facts["grub"].entries[-1].args == ("quiet",)
    assert sorted(facts["kernels"]) == [VERSION, f"{VERSION} in os-1.efi"] == sorted(facts["initrds"])


def test_takes_the_newest_or_what_loader_conf_names(tmp_path: Path) -> None:
    for number in (9, 10):
        write(tmp_path, unified(version=str(number)), f"os-{number}.efi", "EFI/Linux")
    esp = FolderTree(tmp_path)
    images = read_unified(esp, FolderTree(tmp_path / "none"), tmp_path)
    assert [one.version for one in images] == ["10", "9"]
    newest = chosen(images, esp)
    put(tmp_path, "loader/loader.conf", "timeout 3\ndefault OS-9*\n")
    named = chosen(images, esp)
    assert newest and named and (newest.title, named.title) == ("10", "9")


def test_lets_systemd_boot_come_before_grub(disk: Path, tmp_path: Path) -> None:
    for name, content in (
        ("BOOT/BOOTX64.EFI", b"MZ #### LoaderInfo: systemd-boot 257 ####"),
        ("Linux/a.efi", unified("x")),
    ):
        (tmp_path / "piece").write_bytes(content)
        words = ["mcopy", "-o", str(tmp_path / "piece"), f"::EFI/{name}"]
        for one in (["mmd", "-D", "s", "::EFI/Linux"], words):
            call = [find(one[0]), "-i", f"{disk}@@{2 * MIB}", *one[1:]]
            subprocess.run(call, check=one is words, capture_output=True, env={"MTOOLS_SKIP_CHECK": "1"})
    assert "the default entry names no root: x" in evidence(inspect(disk))


def test_says_which_file_is_damaged(tmp_path: Path) -> None:
    write(tmp_path, b"MZ")
    with pytest.raises(Unreadable, match=r"/boot/EFI/Linux/os-1\.efi is no EFI program"):
        read_unified(None, FolderTree(tmp_path), tmp_path)
