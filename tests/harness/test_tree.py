"""Trees: links are followed inside the image and never out of it, in folders and in file systems alike."""

import subprocess
from pathlib import Path

import pytest

from build.command import find
from harness.ext import ExtTree
from harness.fat import FatTree
from harness.tree import Entry, FolderTree, Mounted, Tree, Unreadable

OFFSET = 1 << 20
LONG = "/" + "/".join(["usr"] * 30)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for folder in ("etc/ssh", "usr/lib/x", "usr/bin", "boot", "outside"):
        (root / folder).mkdir(parents=True)
    (root / "usr/lib/x/file").write_bytes(b"one\0two\xff")
    (root / 'usr/lib/x/with "quote and space').write_text("odd")
    (root / "etc/passwd").write_text("root\n")
    (root / "etc/.hidden").write_text("h")
    links = {
        "lib": "usr/lib",
        "bin": "/usr/bin",
        "etc/abs": "/usr/lib/x",
        "etc/up": "../../../../../../etc/passwd",
        "etc/loop": "loop",
        "etc/dangling": "/nowhere",
        "etc/long": LONG,
        "usr/usr": ".",
    }
    for path, target in links.items():
        (root / path).symlink_to(target)
    return root


@pytest.fixture(scope="module", params=["folder", "ext4"])
def tree(request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    if request.param == "folder":
        return FolderTree(root)
    scratch = tmp_path_factory.mktemp("scratch")
    disk = scratch / "disk"
    with disk.open("wb") as file:
        file.truncate(12 << 20)
    options = ["-q", "-F", "-t", "ext4", "-d", root, "-E", f"offset={OFFSET}"]
    subprocess.run([find("mke2fs"), *options, disk, "10M"], check=True, capture_output=True)
    return ExtTree(disk, OFFSET, scratch)


def test_follows_links_as_the_image_would(tree: Tree) -> None:
    assert tree.read_bytes("/lib/x/file") == tree.read_bytes("/etc/abs/file") == b"one\0two\xff"
    assert tree.resolve("/lib/x/file") == "/usr/lib/x/file"
    assert tree.read_text("/etc/up") == "root\n"
    assert tree.read_text('/lib/x/with "quote and space') == "odd"
    assert tree.link("/etc/long") == LONG
    assert tree.is_folder("/etc/long")


def test_tells_links_from_what_they_lead_to(tree: Tree) -> None:
    assert tree.is_link("/etc/dangling") and not tree.exists("/etc/dangling")
    assert not tree.exists("/etc/loop") and tree.read_text("/etc/loop") == ""
    entry = tree.stat("/etc/abs/file")
    assert isinstance(entry, Entry) and entry.is_file and entry.size == 8


def test_lists_and_matches_in_order(tree: Tree) -> None:
    assert tree.list("/nowhere") == ()
    assert tree.glob("/etc/d*") == ("/etc/dangling",)
    assert tree.glob("/*/x/file") == ("/lib/x/file",)
    assert tree.glob("/etc/*")[0] == "/etc/abs"
    assert tree.glob("/etc/.h*") == ("/etc/.hidden",)
    assert list(tree.files("/usr/lib")) == ["/usr/lib/x/file", '/usr/lib/x/with "quote and space']


def test_reads_no_more_than_asked_for(tree: Tree) -> None:
    assert tree.read_bytes("/lib/x/file", 3) == b"one"


def test_never_leaves_the_image(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    root = tmp_path / "root"
    root.mkdir()
    (root / "up").symlink_to("../secret")
    (root / "absolute").symlink_to(tmp_path / "secret")
    tree = FolderTree(root)
    for path in ("/up", "/absolute", "/../secret"):
        assert tree.read_text(path) == ""


def test_joins_what_is_mounted(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "grub").mkdir()
    (tmp_path / "grub/grub.cfg").write_text("menu")
    (tmp_path / "here").symlink_to("grub")
    joined = Mounted(tree, {"/boot": FolderTree(tmp_path)})
    assert joined.read_text("/boot/here/grub.cfg") == "menu"
    assert joined.glob("/boot/grub/*") == ("/boot/grub/grub.cfg",)
    assert joined.read_text("/etc/passwd") == "root\n"


def test_says_that_a_file_system_is_damaged(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"\x53\xef" * 5000)
    with pytest.raises(Unreadable):
        ExtTree(disk, 0, tmp_path)
    with pytest.raises(Unreadable, match="the EFI partition"):
        FatTree(disk, 0, tmp_path)


def test_reads_fat_without_regard_to_case(tmp_path: Path) -> None:
    disk, piece = tmp_path / "fat", tmp_path / "piece"
    disk.write_bytes(bytes(4 << 20))
    piece.write_bytes(b"MZ loader")
    subprocess.run([find("mkfs.vfat"), disk], check=True, capture_output=True)
    subprocess.run([find("mmd"), "-i", disk, "::EFI", "::EFI/Boot"], check=True)
    subprocess.run([find("mcopy"), "-i", disk, piece, "::EFI/Boot/bootx64.efi"], check=True)
    esp = FatTree(disk, 0, tmp_path)
    assert esp.read_bytes("/efi/BOOT/BOOTX64.EFI", 2) == b"MZ"
    assert not esp.exists("/EFI/BOOT/other.efi")
    assert esp.glob("/EFI/*/bootx64.efi") == ("/EFI/boot/bootx64.efi",) or esp.list("/efi") == ("boot",)
