"""How long a release lives: who is warned, and how it is listed."""

from dataclasses import replace
from datetime import date

import pytest

from distros import all_recipes, lifetime
from distros.proof import proven

RECIPES = {(recipe.name, recipe.arch): recipe for recipe in all_recipes()}
ALMA = RECIPES["almalinux-9", "x86_64"]
ROLLING = RECIPES["opensuse-tumbleweed", "x86_64"]


@pytest.mark.parametrize(("today", "ended"), [("2032-05-31", False), ("2032-06-01", True)])
def test_warns_from_the_day_after_the_end(today: str, ended: bool) -> None:
    found = lifetime.warnings(ALMA, date.fromisoformat(today))
    assert bool(found) is ended
    assert not ended or "AlmaLinux 9 ended on 2032-05-31" in found[0]


def test_never_warns_of_what_rolls() -> None:
    assert lifetime.warnings(ROLLING, date(2999, 1, 1)) == ()
    assert lifetime.support(ROLLING, date(2999, 1, 1)) == "rolling"


def test_lists_each_release_once_with_all_its_architectures() -> None:
    lines = list(lifetime.catalogue(all_recipes(), date(2026, 11, 23)))
    assert len(lines) == len({name for name, _ in RECIPES})
    (line,) = (line for line in lines if line.startswith("almalinux  10 "))
    assert line.split()[2:4] == ["x86_64", "aarch64"]
    assert line.endswith(
        "support until 2035-05-31, x86_64: built from a stand-in of its archive and booted; aarch64: not tried yet"
        "  (default)"
    )
    assert any(line.startswith("rocky      10 ") and "aarch64: not tried yet" in line for line in lines)
    assert any("support ended on 2026-07-11" in line for line in lines)


def test_tells_a_program_what_was_proven_and_what_has_ended() -> None:
    told = lifetime.entry(replace(ALMA, end_of_support="2020-01-01"), date(2026, 11, 23))
    assert (told["proven"], told["ended"], told["arch"]) == (proven(ALMA), True, "x86_64")
    assert lifetime.entry(RECIPES["oracle-9", "x86_64"], date(2026, 11, 23))["kernels"] == ["uek", "rhck"]
