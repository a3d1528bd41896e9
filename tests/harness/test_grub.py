"""GRUB's menu: what boots when nobody touches a key, as GRUB would decide it."""

from pathlib import Path

import pytest

from harness.grub import parse, read_menu
from harness.tree import FolderTree
from tests.harness.images import GRUB, ROOT, VERSION, put

TWO = """
menuentry 'One' --id first {
  linux /vmlinuz-1 root=/dev/sda1 quiet
}
submenu 'More' {
  menuentry 'Two' $menuentry_id_option 'second' {
    linux /vmlinuz-2 \\
      root=LABEL=x $unknown console=ttyS0
    initrd /initrd-2 /extra
  }
}
"""


def test_reads_what_debian_writes() -> None:
    menu = parse("/boot/grub/grub.cfg", GRUB, {})
    assert menu.default is not None
    assert menu.default.linux == f"/boot/vmlinuz-{VERSION}"
    assert menu.default.values("console") == ("tty1", "ttyS0,115200")
    assert menu.default.search == ROOT
    assert [entry.place for entry in menu.entries] == ["0", "1>0"]
    assert menu.words("terminal_output") == ("serial", "console")


@pytest.mark.parametrize(
    ("default", "title"),
    [
        ("0", "One"),
        ("1>0", "Two"),
        ("1", "Two"),
        ("Two", "Two"),
        ("second", "Two"),
        ("gone", "One"),
        ("More>Two", "Two"),
    ],
)
def test_boots_the_entry_that_is_named(default: str, title: str) -> None:
    menu = parse("grub.cfg", f'set default="{default}"\n{TWO}', {})
    assert menu.default is not None and menu.default.title == title


def test_boots_the_saved_entry() -> None:
    menu = parse("grub.cfg", f'set default="${{saved_entry}}"\n{TWO}', {"saved_entry": "second"})
    assert menu.default is not None
    assert menu.default.args == ("root=LABEL=x", "console=ttyS0")
    assert menu.default.initrds == ("/initrd-2", "/extra")


@pytest.mark.parametrize(
    ("text", "timeout"),
    [
        ("if [ x$feature_timeout_style = xy ] ; then\n set timeout=1\nelse\n set timeout=0\nfi", "1"),
        (
            'if [ "${failed}" = 1 ]; then\n set timeout=9\nelif [ a = a ]; then\n set timeout=2\nelse set x=3\nfi',
            "2",
        ),
        ("if [ a = a ]; then\n set timeout=1\nelif [ a = a ]; then\n set timeout=2\nfi", "1"),
        ("if [ $grub_platform = efi ]; then\n set timeout=4\nelse\n set timeout=5\nfi", "5"),
        ('if [ -z "$none" ]; then set timeout=6; fi', "6"),
        ("if [ $grub_platform = efi", ""),
        ("fi\n}\nelse\nset timeout=7", "7"),
    ],
)
def test_decides_conditions_on_variables(text: str, timeout: str) -> None:
    assert parse("grub.cfg", text, {}).settings.get("timeout", "") == timeout


def test_follows_boot_loader_entries(tmp_path: Path) -> None:
    put(tmp_path, "boot/grub2/grub.cfg", "insmod blscfg\nblscfg\n")
    put(tmp_path, "boot/grub2/grubenv", "# GRUB Environment Block\nkernelopts=root=UUID=1 console=ttyS0\n")
    for version in ("5.9", "5.14"):
        text = (
            f"title EL {version}\nlinux /vmlinuz-{version}\ninitrd /initramfs-{version}.img\noptions $kernelopts ro\n"
        )
        put(tmp_path, f"boot/loader/entries/id-{version}.conf", text)
    menu = read_menu(FolderTree(tmp_path))
    assert menu is not None and menu.default is not None
    assert menu.default.linux == "/vmlinuz-5.14"
    assert menu.default.args == ("root=UUID=1", "console=ttyS0", "ro")


def test_knows_that_there_is_no_menu(tmp_path: Path) -> None:
    assert read_menu(FolderTree(tmp_path)) is None
    put(tmp_path, "boot/grub/grub.cfg", "set x=\"unclosed\n'\n")
    menu = read_menu(FolderTree(tmp_path))
    assert menu is not None and menu.default is None
