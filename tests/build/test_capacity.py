"""How much room a tree takes."""

import os
from pathlib import Path

import pytest

from build.capacity import MIB, content, least_root


def test_counts_whole_blocks_and_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x")
    (tmp_path / "large").write_bytes(bytes(10_000))
    os.link(tmp_path / "large", tmp_path / "again")
    (tmp_path / "short").symlink_to("target")
    (tmp_path / "long").symlink_to("t" * 100)
    assert content(tmp_path) == 4096 * (1 + 1 + 3 + 1)


def test_counts_folders_with_many_names_as_larger(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}").touch()
    assert content(tmp_path) == 2 * 4096


@pytest.mark.parametrize("mib", [0, 100, 1000])
def test_leaves_room_for_the_file_system_and_a_first_boot(tmp_path: Path, mib: int) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(mib * MIB)
    least = least_root(tmp_path)
    assert least % MIB == 0
    assert (mib + 192) * MIB < least < (mib * 1.05 + 260) * MIB
