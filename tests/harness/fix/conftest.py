"""The small good image and its copies, and what makes a disk of a tree."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.conftest import disk, good, root, tree

__all__ = ["disk", "good", "root", "tree"]

DiskMaker = Callable[[Path], Path]


@pytest.fixture
def made(tmp_path: Path) -> DiskMaker:
    """Gives the good disk with another tree in it."""

    def make(root: Path) -> Path:
        folder = tmp_path / "made"
        folder.mkdir()
        return images.good_disk(folder, root)

    return make
