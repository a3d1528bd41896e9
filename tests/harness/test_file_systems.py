"""File systems that Kiln reads by itself: the good image has no finding on any of them, and no file differs."""

import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from build.command import search_path
from harness.btrfs import frame_length
from harness.diskfacts import read_disk
from harness.inspect import inspect
from harness.lvm import parse
from harness.roots import Root, read_root
from harness.tree import FolderTree
from harness.xfs import XfsTree
from tests.harness import images, rootdisks
from tests.harness.images import MIB, put
from tests.harness.planted import evidence, failed, patch

MAKERS = {one.__name__: one for one in (rootdisks.on_xfs, rootdisks.on_btrfs, rootdisks.on_lvm)}
NUMBERS = "".join(f"{number}\n" for number in range(100_000))


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good tree with all that file systems lay out in different ways."""
    root = images.good_tree(tmp_path_factory.mktemp("rich") / "root")
    for number in range(700):
        put(root, f"srv/many/a-rather-long-name-of-a-file-{number}", str(number))
    put(root, "srv/numbers", NUMBERS)
    put(root, "srv/ünïcode")
    put(root, "srv/empty", "")
    (root / "srv/numbers").chmod(0o4750)
    (root / "srv/far").symlink_to("/".join(["x" * 50] * 5))  # longer ones are written wrongly by mkfs.xfs before 6.10
    return root


@pytest.fixture(scope="module", params=sorted(MAKERS))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, rich: Path) -> Path:
    return MAKERS[request.param](tmp_path_factory.mktemp(request.param), rich)


def opened(disk: Path, scratch: Path) -> Root:
    return read_root(read_disk(disk, scratch), scratch)


def test_finds_nothing_on_a_good_disk(made: Path) -> None:
    assert failed(inspect(made)) == ({"lvm.avoid"} if "on_lvm" in str(made) else set())


def test_reads_the_same_files_from_all(made: Path, rich: Path, tmp_path: Path) -> None:
    tree, folder = opened(made, tmp_path).tree, FolderTree(rich)
    for path in ["/", *folder.files("/")]:
        one, other = tree.lstat(path), folder.lstat(path)
        assert one and other and one.mode == other.mode, path
        assert tree.link(path) == folder.link(path)
        assert tree.read_bytes(path) == folder.read_bytes(path)
    assert set(tree.list("/srv/many")) == set(folder.list("/srv/many"))
    assert tree.read_bytes("/srv/numbers", 100) == NUMBERS[:100].encode()
    entry = tree.stat("/srv/numbers")
    assert entry and entry.size == len(NUMBERS)
    assert (entry.uid, entry.gid) == ((3, 4) if "on_xfs" in str(made) else (os.getuid(), os.getgid()))


def _label(disk: Path, path: str, label: bytes) -> None:
    """Write an attribute into the XFS of a disk, as chcon(1) would."""
    root = disk.with_suffix(".xfs")
    root.write_bytes(disk.read_bytes()[6 * MIB : -512])
    words = ["-c", f"path {path}", "-c", f"attr_set -s -v {len(label)} selinux"]
    subprocess.run(["xfs_db", "-x", *words, root], check=True, capture_output=True, env={"PATH": search_path()})
    patch(6 * MIB, root.read_bytes())(disk)
    root.unlink()


def test_reads_a_label_within_an_inode_of_xfs(tmp_path: Path, tree: Path) -> None:
    disk = rootdisks.on_xfs(tmp_path, tree)
    _label(disk, "/etc/hosts", b"a:label")
    found = opened(disk, tmp_path).tree
    assert found.attribute("/etc/hosts", "security.selinux") == b"v" * 7  # xfs_db writes only this letter
    assert found.attribute("/etc/hosts", "trusted.selinux") == found.attribute("/etc/fstab", "security.selinux") == b""


def test_reads_the_attributes_of_btrfs(tmp_path: Path, tree: Path) -> None:
    root = Path(shutil.copytree(tree, tmp_path / "tree", symlinks=True))
    names = [f"user.{number}" for number in range(40)]
    for name in names:
        os.setxattr(root / "etc/hosts", name, name.encode() * 3)
    (root / "link").symlink_to("etc/hosts")
    found = opened(rootdisks.on_btrfs(tmp_path, root), tmp_path).tree
    assert [found.attribute("/etc/hosts", name) for name in names] == [name.encode() * 3 for name in names]
    assert found.attribute("/link", names[0]) == names[0].encode() * 3
    assert found.attribute("/etc/hosts", "user.no") == found.attribute("/nowhere", "user.0") == b""


def test_reads_a_file_whose_extents_are_a_tree(tmp_path: Path, tree: Path) -> None:
    disk = rootdisks.on_xfs(tmp_path, tree)
    found = opened(disk, tmp_path).tree
    assert isinstance(found, XfsTree) and found.is_file("/etc/fstab")
    _, number = found._place("/etc/fstab")
    fork = found.fork(number)
    leaf = 3 << found.super.group_bits | 15_000  # free: far into the last group
    block = (b"BMA3" + struct.pack(">HH", 0, fork.extents)).ljust(72, b"\0") + fork.data[: 16 * fork.extents]
    room = (len(fork.data) - 4) // 16
    root = struct.pack(">HH", 1, 1).ljust(4 + room * 8, b"\0") + struct.pack(">Q", leaf)
    inode = bytearray(fork.head)
    inode[5] = 3
    inode[176 : 176 + len(fork.data)] = root.ljust(len(fork.data), b"\0")
    patch(6 * MIB + found.offset(number), bytes(inode))(disk)
    patch(6 * MIB + found._byte(leaf), block)(disk)
    assert opened(disk, tmp_path).tree.read_text("/etc/fstab") == images.FSTAB


@pytest.mark.parametrize(
    ("maker", "at", "content", "why"),
    [
        (rootdisks.on_xfs, 56, b"\0\0\0\x7f", "partition 1: there is no inode 54"),
        (rootdisks.on_xfs, 100, b"\xff\xff", "the super block of XFS makes no sense"),
        (rootdisks.on_xfs, 216, b"\x40\0\0\0", "features that Kiln does not know"),
        (rootdisks.on_btrfs, 0x10000 + 87, b"\x7f", "at the address 91"),
        (rootdisks.on_btrfs, 0x10000 + 136, b"\2", "btrfs on 2 disks"),
        (rootdisks.on_btrfs, 0x10000 + 190, b"\x80", "features that Kiln does not know"),
    ],
)
def test_says_why_a_file_system_could_not_be_read(
    tmp_path: Path, tree: Path, maker: Callable[[Path, Path], Path], at: int, content: bytes, why: str
) -> None:
    disk = maker(tmp_path, tree)
    patch(6 * MIB + at, content)(disk)
    report = inspect(disk)
    assert "inspect.root" in failed(report)
    assert why in evidence(report)


def makes_subvolumes() -> bool:
    """Whether mkfs.btrfs is of 6.12 or later."""
    program = shutil.which("mkfs.btrfs", path=search_path())
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=False) if program else None
    return told is not None and "--subvol" in told.stdout + told.stderr and "--compress" in told.stdout + told.stderr


@pytest.mark.skipif(not makes_subvolumes(), reason="mkfs.btrfs is too old to make subvolumes")
@pytest.mark.parametrize("packed", ["no", "zlib", "zstd"])
@pytest.mark.parametrize("default", ["rw", "default"])
def test_mounts_subvolumes_as_fstab_says(tmp_path: Path, rich: Path, default: str, packed: str) -> None:
    """As SUSE's and Ubuntu's images are: the root in a subvolume, others beside it, and a snapshot of it."""
    where = f"UUID={images.ROOT}"
    whole = tmp_path / "whole"
    shutil.copytree(rich, whole / "@", symlinks=True)
    put(whole, "@/etc/fstab", f"{where} / btrfs subvol=/@ 0 0\n{where} /var/log btrfs noatime,subvol=@log 0 0\n")
    put(whole, "@snapshot/etc/fstab", (whole / "@/etc/fstab").read_text())
    put(whole, "@log/lastlog", "x")
    volumes = ("--subvol", f"{default}:@", "--subvol", "rw:@log", "--subvol", "rw:@snapshot")
    disk = rootdisks.on_btrfs(tmp_path, whole, *volumes, "--compress", packed)
    tree = opened(disk, tmp_path).tree
    assert tree.read_text("/srv/numbers") == NUMBERS
    assert tree.read_text("/var/log/lastlog") == "x"
    assert failed(inspect(disk)) == {"clean.logs"}


def test_tells_of_a_volume_that_is_not_linear(tmp_path: Path, tree: Path) -> None:
    report = inspect(rootdisks.on_lvm(tmp_path, tree, layout="thin"))
    assert {"inspect.root", "lvm.avoid"} <= failed(report)
    assert "logical volume rootvg/root-lv is not linear" in evidence(report)


def test_mounts_a_logical_volume_by_any_of_its_names(tmp_path: Path, tree: Path) -> None:
    disk = read_disk(rootdisks.on_lvm(tmp_path, tree), tmp_path)
    (volume,) = [one for one in disk.volumes if one.name == "logical volume rootvg/root-lv"]
    for name in ("/dev/mapper/rootvg-root--lv", "/dev/rootvg/root-lv", f"UUID={images.ROOT.upper()}"):
        assert volume.is_meant_by(name)
    assert volume.is_meant_by(f"/dev/disk/by-uuid/{images.ROOT}")
    assert not volume.is_meant_by("/dev/mapper/rootvg-root-lv")
    assert [one.number for one in disk.holders(volume.filesystem)] == [1]


@pytest.mark.parametrize("text", ["a {", "a = [1, 2", "a b", "} }", "a { " * 20, "= ="])
def test_refuses_what_is_no_description(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_reads_a_description() -> None:
    text = 'a { # x = 1\n b = ["c", 2]\n d = "e # f" }\n g = 7'
    assert parse(text) == {"a": {"b": ["c", "2"], "d": "e # f"}, "g": "7"}


def test_knows_where_a_zstd_frame_ends() -> None:
    # One segment, one byte of size; one raw block of three bytes, the last one.
    frame = b"\x28\xb5\x2f\xfd\x20\x03" + (3 << 3 | 1).to_bytes(3, "little") + b"abc"
    assert frame_length(frame + bytes(4096)) == len(frame)
