"""The small image that every offline check likes, and copies of it to damage."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import images


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images.good_tree(tmp_path_factory.mktemp("good") / "root")


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Path:
    return images.good_disk(tmp_path_factory.mktemp("disk"), tree)


@pytest.fixture
def disk(tmp_path: Path, good: Path) -> Iterator[Path]:
    copy = tmp_path / "copy.vhd"
    subprocess.run(["cp", "--sparse=always", good, copy], check=True)
    yield copy
    copy.unlink(missing_ok=True)


@pytest.fixture
def root(tmp_path: Path, tree: Path) -> Path:
    return Path(shutil.copytree(tree, tmp_path / "root", symlinks=True))
