"""Golden plans: what every recipe comes to, in a file whose changes are read before they are committed.

Servers have numbers there: their names stand in `distros/` alone.

`KILN_GOLDEN=renew ./kiln test --fast -k golden` writes the files anew.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from distros import Recipe
from tests.build.plans import RECIPES, described, states

GOLDEN = Path(__file__).parent / "golden"
HOW = "look at what changed, then KILN_GOLDEN=renew ./kiln test --fast -k golden"


def file_of(recipe: Recipe) -> Path:
    return GOLDEN / f"{recipe.name}-{recipe.arch}.txt"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.name}-{recipe.arch}")
def test_golden_plan_is_what_the_recipe_comes_to(recipe: Recipe) -> None:
    file = file_of(recipe)
    if os.environ.get("KILN_GOLDEN") == "renew":
        file.write_text(described(recipe), encoding="utf-8")
    assert file.is_file(), HOW
    assert described(recipe) == file.read_text(encoding="utf-8"), HOW


def test_golden_plans_are_those_of_recipes_that_there_are() -> None:
    known = {file_of(recipe) for recipe in RECIPES}
    assert {file for file in GOLDEN.iterdir() if file not in known} == set()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.name}-{recipe.arch}")
def test_golden_plan_names_no_server(recipe: Recipe) -> None:
    archives = [urlsplit(state.url).netloc for state in states(recipe)]
    assert archives and not [name for name in archives if name in described(recipe)]
