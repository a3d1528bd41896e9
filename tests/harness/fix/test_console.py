"""The command line in all places that it comes from: what boots now, and what the next menu is made of."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.fix.console import leave_the_disc_drive_on, speak_early, speak_on_the_serial_port
from harness.fix.repair import Edits, Unsafe
from harness.grub import Entry, read_menu
from harness.profile import Profile
from harness.tree import FolderTree
from tests.harness.images import put

X86 = Profile((1, 2), "generalized", "cloud-init")
ARM = Profile((2,), "generalized", "cloud-init", arch="aarch64")
MENU = """\
menuentry 'one' {
\tlinux\t/boot/vmlinuz-6  root=UUID=1 ro ${extra}
\tinitrd\t/boot/initrd.img-6
}
menuentry 'memory test' {
\tlinux16 /boot/memtest86.bin
}
"""
PORT = "console=ttyS0,115200n8"


def changed(root: Path, propose: Callable[..., Edits], *more: object) -> dict[str, str]:
    tree = FolderTree(root)
    menu = read_menu(tree)
    assert menu
    edits = list(propose(tree, menu, menu.default or Entry("0", ""), *more))
    return {edit.path: (edit.content or b"").decode() for edit in edits}


def test_adds_words_to_each_entry_that_boots_linux(tmp_path: Path) -> None:
    put(tmp_path, "boot/grub/grub.cfg", MENU)
    assert changed(tmp_path, speak_on_the_serial_port, X86) == {
        "/boot/grub/grub.cfg": MENU.replace("  root=UUID=1 ro ${extra}", f" root=UUID=1 ro ${{extra}} {PORT}")
    }
    assert " console=ttyAMA0\n" in changed(tmp_path, speak_on_the_serial_port, ARM)["/boot/grub/grub.cfg"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('GRUB_CMDLINE_LINUX=""\n', f'GRUB_CMDLINE_LINUX="{PORT}"\n'),
        ("GRUB_CMDLINE_LINUX=\n", f'GRUB_CMDLINE_LINUX="{PORT}"\n'),
        ("GRUB_CMDLINE_LINUX='net.ifnames=0'\n# end\n", f"GRUB_CMDLINE_LINUX='net.ifnames=0 {PORT}'\n# end\n"),
        ('GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX a"\n', f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX a {PORT}"\n'),
        ("GRUB_TIMEOUT=1\n", f'GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX="{PORT}"\n'),
        (f'GRUB_CMDLINE_LINUX="{PORT}"\n', None),
    ],
)
def test_adds_words_to_what_the_next_menu_is_made_of(tmp_path: Path, before: str, after: str | None) -> None:
    put(tmp_path, "boot/grub/grub.cfg", MENU)
    put(tmp_path, "etc/default/grub", before)
    assert changed(tmp_path, speak_on_the_serial_port, X86).get("/etc/default/grub") == after


def test_adds_words_where_the_last_file_sets_them(tmp_path: Path) -> None:
    put(tmp_path, "boot/grub/grub.cfg", MENU)
    put(tmp_path, "etc/default/grub", 'GRUB_CMDLINE_LINUX=""\n')
    put(tmp_path, "etc/default/grub.d/10_cloud.cfg", 'GRUB_CMDLINE_LINUX="console=tty0"\n')
    found = changed(tmp_path, speak_on_the_serial_port, X86)
    assert found["/etc/default/grub.d/10_cloud.cfg"] == f'GRUB_CMDLINE_LINUX="console=tty0 {PORT}"\n'
    assert "/etc/default/grub" not in found


def test_drops_words_wherever_they_stand(tmp_path: Path) -> None:
    bad = "libata.atapi_enabled=0"
    put(tmp_path, "boot/grub/grub.cfg", MENU.replace("${extra}", bad))
    put(tmp_path, "etc/default/grub", f'GRUB_CMDLINE_LINUX="{bad} a"\nGRUB_CMDLINE_LINUX_DEFAULT="b {bad}"\n')
    put(tmp_path, "etc/kernel/cmdline", f"root=UUID=1 {bad}\n")
    found = changed(tmp_path, leave_the_disc_drive_on)
    assert found["/etc/default/grub"] == 'GRUB_CMDLINE_LINUX="a"\nGRUB_CMDLINE_LINUX_DEFAULT="b"\n'
    assert found["/etc/kernel/cmdline"] == "root=UUID=1\n"
    assert bad not in found["/boot/grub/grub.cfg"]


def test_changes_entries_of_the_boot_loader_specification(tmp_path: Path) -> None:
    put(tmp_path, "boot/grub2/grub.cfg", "blscfg\n")
    put(tmp_path, "boot/loader/entries/f-6.conf", "title one\nlinux /boot/vmlinuz-6\noptions root=UUID=1 $kernelopts\n")
    assert changed(tmp_path, speak_early) == {
        "/boot/loader/entries/f-6.conf": "title one\nlinux /boot/vmlinuz-6\n"
        "options root=UUID=1 $kernelopts earlyprintk=ttyS0,115200\n"
    }


def test_refuses_where_no_command_line_can_be_changed(tmp_path: Path) -> None:
    put(tmp_path, "boot/grub/grub.cfg", "menuentry 'one' {\n\tchainloader /EFI/Linux/one.efi\n}\n")
    with pytest.raises(Unsafe, match="no command line"):
        changed(tmp_path, speak_early)
