"""Boot Loader Specification menus: entries, environment and grub.cfg, as the harness's own reader of GRUB sees them."""

from pathlib import Path

from build import bls
from distros import all_recipes
from harness.grub import read_menu
from harness.tree import FolderTree

RECIPE = next(one for one in all_recipes() if one.grub and one.grub.menu == "bls")
UUID = "d253f04b-b876-5586-b429-5de5ea5fe2c5"
KERNEL = "6.12.0-55.el10.x86_64"
RELEASE = {"NAME": "AlmaLinux", "VERSION": "10.0 (Purple Lion)", "ID": "almalinux"}


def test_pads_the_environment_to_what_grub_writes_in_place() -> None:
    text = bls.environment({"saved_entry": "x", "kernelopts": "root=UUID=x ro"})
    assert len(text) == 1024
    assert text.startswith("# GRUB Environment Block\n")
    assert text.rstrip("#").endswith("kernelopts=root=UUID=x ro\n")


def test_names_files_as_the_root_file_system_has_them() -> None:
    lines = dict(
        line.split(" ", 1)
        for line in bls.entry(RELEASE, KERNEL, "/boot/initramfs-{kernel}.img", "root=UUID=x ro").splitlines()
    )
    assert lines["title"] == f"AlmaLinux ({KERNEL}) 10.0 (Purple Lion)"
    assert lines["linux"] == f"/boot/vmlinuz-{KERNEL}"
    assert lines["initrd"] == f"/boot/initramfs-{KERNEL}.img"
    assert lines["options"] == "root=UUID=x ro"
    assert lines["grub_class"] == "almalinux"


def test_makes_no_line_that_fills_whole_blocks_of_grubs_memory() -> None:
    for more in range(40):
        options = "root=UUID=x ro quiet=" + "y" * more
        told = dict(line.split(" ", 1) for line in bls.entry(RELEASE, KERNEL, "/x", options).splitlines())
        assert len(f"linux {told['linux']} {told['options']}\n") % 16
        assert told["options"].split() == options.split()


def test_takes_terminals_and_pause_from_grubs_settings() -> None:
    assert RECIPE.grub_defaults
    text = bls.menu(RECIPE.grub_defaults.text, UUID)
    assert "set timeout=1\n" in text
    assert "serial --speed=115200" in text
    assert "terminal_output console serial\n" in text
    assert f"search --no-floppy --fs-uuid --set=root {UUID}\n" in text
    assert "timeout_style=countdown" in text


def test_reads_settings_without_running_them() -> None:
    found = bls.os_release('A="one two"\nB=three\nC="$(rm -rf /)"\n# D=4\nE=\n')
    assert found == {"A": "one two", "B": "three", "C": "", "E": ""}


def test_makes_a_menu_whose_default_is_the_saved_entry(tmp_path: Path) -> None:
    assert RECIPE.grub_defaults
    assert RECIPE.initramfs
    files = {
        "boot/grub2/grub.cfg": bls.menu(RECIPE.grub_defaults.text, UUID),
        "boot/grub2/grubenv": bls.environment({"saved_entry": f"{bls.MACHINE}-{KERNEL}"}),
        f"boot/loader/entries/{bls.MACHINE}-{KERNEL}.conf": bls.entry(
            RELEASE, KERNEL, RECIPE.initramfs.name, f"root=UUID={UUID} ro"
        ),
        f"boot/loader/entries/{bls.MACHINE}-6.12.0-99.el10.x86_64.conf": bls.entry(RELEASE, "6.12.0-99", "/x", "ro"),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    menu = read_menu(FolderTree(tmp_path))
    assert menu
    assert menu.default
    assert menu.default.linux == f"/boot/vmlinuz-{KERNEL}"
    assert menu.default.values("root") == (f"UUID={UUID}",)
