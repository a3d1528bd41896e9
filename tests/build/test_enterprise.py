"""RHEL and what is built from it: every recipe installs in full from a stand-in of its own flavour."""

import fnmatch
from dataclasses import replace
from pathlib import Path

import pytest

from build.progress import Progress
from build.request import BuildRequest, find_recipe
from distros import all_recipes
from distros.recipe import Recipe
from tests.build.installed import Tree, installed
from tests.conftest import offline
from tests.standin import standin, subscription
from tests.standin.serve import served
from tests.standin.trial import mirrored

pytestmark = pytest.mark.real

CHOICES = [
    (one.name, kernel) for one in all_recipes() if (one.family, one.arch) == ("dnf", "x86_64") for kernel in one.kernels
]
ODDEST = ("oracle-9", "uek")
"""What differs most from AlmaLinux 10, which is booted from its stand-in each time."""


def require_all_of(recipe: Recipe, kernel: str, tree: Tree) -> None:
    """What was asked for is there, and in the forms and places that this release has."""
    asked = {*recipe.packages, *recipe.kernels[kernel].packages, *recipe.boot_packages["both"]}
    asked.update(recipe.provisioning["cloud-init"].packages)
    assert asked <= set(tree.packages)
    assert recipe.rpm
    assert not [name for name in tree.packages for form in recipe.rpm.excluded if fnmatch.fnmatch(name, form)]
    assert tree.database == ("rpmdb.sqlite",)
    assert tree.absent == ()
    assert tree.differing == ()
    assert f".el{recipe.release}" in tree.kernel
    assert ("uek" in tree.kernel) == (kernel == "uek")
    assert f'ID="{recipe.os_ids[0] if recipe.os_ids else recipe.distro}"' in tree.os_release
    assert f'VERSION_ID="{recipe.release}"' in tree.os_release


@pytest.mark.parametrize(
    ("name", "kernel"),
    [pytest.param(*one, marks=() if one == ODDEST else pytest.mark.combination) for one in CHOICES],
)
def test_installs_in_full(tmp_path: Path, name: str, kernel: str) -> None:
    distro, _, release = name.partition("-")
    recipe = find_recipe(distro, release, "x86_64")
    with mirrored(recipe, Progress(), offline=offline()) as mirror:
        tree = installed(BuildRequest(distro, release, kernel=kernel, offline=offline(), **mirror), tmp_path)
    require_all_of(recipe, kernel, tree)


@pytest.mark.combination
def test_shows_an_entitlement_where_only_subscribers_may_fetch(tmp_path: Path) -> None:
    """The server speaks with nobody else, so that both Kiln and dnf have shown it."""
    recipe = find_recipe("rhel", "10", "x86_64")
    made, subscriber = standin(recipe, Progress()), subscription.make(tmp_path)
    with served(made.served, context=subscriber.context()) as here:
        request = BuildRequest("rhel", "10", mirror=here.url, mirror_key=made.key.public)
        tree = installed(replace(request, entitlement=subscriber.entitlement), tmp_path)
    require_all_of(recipe, "", tree)
    assert any("-primary.xml" in path for path in here.asked)
    assert not [word for log in tmp_path.glob("*/log") for word in subscriber.secrets if word in log.read_bytes()]
