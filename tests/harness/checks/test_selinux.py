"""SELinux' labels: on the disk where they lie, in trees that have them, and where nobody can tell."""

import os
from pathlib import Path

import pytest

from harness.checks.selinux import LABEL, PROGRAMS, files_have_their_labels
from harness.inspect import inspect
from harness.tree import Entry, FolderTree, Tree
from tests.harness.images import put
from tests.harness.planted import failed, in_root

ENFORCING = "SELINUX=enforcing\nSELINUXTYPE=targeted\n"
BIN = "system_u:object_r:bin_t:s0"


class Labelled(FolderTree):
    """A tree whose files have what a test says, whatever this machine's file system allows."""

    def __init__(self, root: Path, without: tuple[str, ...] = (), told: bool = True) -> None:
        super().__init__(root)
        self.without, self.told = without, told

    def attribute(self, path: str, name: str) -> bytes | None:
        assert name == LABEL
        return (b"" if path in self.without else BIN.encode()) if self.told else None


def enforcing(root: Path, text: str = ENFORCING) -> Path:
    for path in PROGRAMS:
        put(root, path)
    put(root, "etc/selinux/config", text)
    return root


@pytest.mark.parametrize("mode", ["enforcing", "permissive"])
def test_finds_each_file_without_a_label(mode: str, tmp_path: Path) -> None:
    tree = Labelled(enforcing(tmp_path, f"# SELINUX= can be\nSELINUX={mode}\n"), without=PROGRAMS[1:3])
    found = list(files_have_their_labels(tree))
    assert found == [f"{path} has no label, and /etc/selinux/config says {mode}" for path in PROGRAMS[1:3]]


def test_likes_files_that_have_one(tmp_path: Path) -> None:
    assert list(files_have_their_labels(Labelled(enforcing(tmp_path)))) == []


def test_says_nothing_where_labels_cannot_be_read(tmp_path: Path) -> None:
    assert list(files_have_their_labels(Labelled(enforcing(tmp_path), told=False))) == []


@pytest.mark.parametrize("path", [".autorelabel", "etc/nothing"])
def test_leaves_alone_what_is_labelled_at_the_first_boot(path: str, tmp_path: Path) -> None:
    put(enforcing(tmp_path), path)
    found = list(files_have_their_labels(Labelled(tmp_path, without=PROGRAMS)))
    assert len(found) == (0 if path == ".autorelabel" else len(PROGRAMS))


def test_leaves_alone_what_has_selinux_off(tmp_path: Path) -> None:
    tree = Labelled(enforcing(tmp_path, "SELINUX=disabled\n"), without=PROGRAMS)
    assert list(files_have_their_labels(tree)) == []


def test_reads_labels_from_the_disk(disk: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(ENFORCING)
    in_root("mkdir /etc/selinux")(disk)
    in_root(f"write {config} /etc/selinux/config")(disk)
    assert failed(inspect(disk, only=("selinux.labels",))) == {"selinux.labels"}
    for path in PROGRAMS:
        in_root(f"ea_set {path} {LABEL} {BIN}")(disk)
    assert failed(inspect(disk, only=("selinux.labels",))) == set()


def test_tells_a_file_without_an_attribute_from_a_file_system_without_any(tmp_path: Path) -> None:
    put(tmp_path, "file")
    os.setxattr(tmp_path / "file", "user.told", b"yes")
    tree = FolderTree(tmp_path)
    assert tree.attribute("/file", "user.told") == b"yes"
    assert tree.attribute("/file", "user.other") == tree.attribute("/nowhere", "user.told") == b""
    assert tree.attribute("/file", "unheard.of") is None


def test_a_tree_that_knows_no_attributes_says_so() -> None:
    class Bare(Tree):
        def children(self, folder: str) -> dict[str, Entry]:
            return {}

        def target(self, path: str) -> str:
            return ""

        def load(self, path: str, limit: int) -> bytes:
            return b""

    assert Bare().attribute("/file", LABEL) is None
