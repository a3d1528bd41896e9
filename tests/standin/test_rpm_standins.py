"""One real rpm stand-in, and what its lists and signatures say."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from build.command import CommandFailed, run
from build.progress import Progress
from distros import all_recipes
from distros.recipe import Repository
from tests.standin import Standin, damage, repositories, standin
from tests.standin.flavour import wanted

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=["almalinux-10", "opensuse-16.0"])
def good(request: pytest.FixtureRequest) -> Standin:
    recipe = next(one for one in all_recipes() if one.name == request.param and one.arch == "x86_64")
    return standin(recipe, Progress())


def names(good: Standin) -> set[str]:
    return {file.name.rsplit("-", 2)[0] for file in good.served.rglob("*.rpm")}


def test_offers_every_name_that_the_recipe_asks_for(good: Standin) -> None:
    assert set(wanted(good.recipe)) <= names(good)
    assert set(good.invented.empty) <= names(good)


def test_has_every_repository_of_the_recipe(good: Standin) -> None:
    for one in good.recipe.archives:
        assert isinstance(one, Repository)
        folder = good.served / repositories.place(good.recipe, one)
        ElementTree.parse(folder / damage.REPOMD)
        assert (folder / f"{damage.REPOMD}.asc").exists() == one.signed_metadata


def holds(good: Standin, served: Path) -> bool:
    """Whether the signature of the first repository's list holds."""
    one = good.recipe.archives[0]
    assert isinstance(one, Repository)
    repomd = served / repositories.place(good.recipe, one) / damage.REPOMD
    keyring = good.folder / "keyring.gpg"
    keyring.write_bytes(good.key.binary())
    try:
        run("gpgv", "--keyring", keyring, f"{repomd}.asc", repomd)
    except CommandFailed:
        return False
    return True


def test_signs_lists_whose_change_shows(good: Standin, tmp_path: Path) -> None:
    first = good.recipe.archives[0]
    assert isinstance(first, Repository)
    if not first.signed_metadata:
        pytest.skip("this distribution does not sign its lists")
    assert holds(good, good.served)
    assert not holds(good, damage.altered_metadata(good, tmp_path))


@pytest.mark.parametrize("make", [damage.unsigned_package, damage.foreign_package, damage.altered_and_listed_package])
def test_damages_one_package_and_lists_it_so(good: Standin, tmp_path: Path, make: damage.Damage) -> None:
    served = make(good, tmp_path, "bash")
    changed = [file.name for file in served.rglob("*.rpm") if not file.samefile(good.served / file.relative_to(served))]
    assert len(changed) == 1 and changed[0].startswith("bash-")
    first = good.recipe.archives[0]
    assert isinstance(first, Repository)
    assert not first.signed_metadata or holds(good, served)
