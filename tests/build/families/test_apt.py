"""The apt family: what mmdebstrap is told."""

from io import StringIO
from pathlib import Path

import pytest

from build.families import apt
from build.workspace import Workspace
from distros import all_recipes
from distros.recipe import Recipe

UBUNTU = [one for one in all_recipes() if one.distro == "ubuntu"]


@pytest.mark.parametrize("recipe", UBUNTU, ids=lambda recipe: f"{recipe.name}-{recipe.arch}")
def test_has_grub_look_for_its_disk_at_updates_alone(recipe: Recipe, tmp_path: Path) -> None:
    """Ubuntu's grub-pc calls grub-install where it may find the disk by itself, and there is none yet."""
    words = apt.packages(recipe, ("less",), ()).options(Workspace(tmp_path, "image", tmp_path, StringIO(), 0))
    told = {word.partition("=")[0] for word in words if "cloud_style_installation boolean true" in word}
    assert told == {"--customize-hook"}
    assert any(word.startswith("--essential-hook=") and "update_nvram boolean false" in word for word in words)
