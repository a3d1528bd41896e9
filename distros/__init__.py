"""What an image is made of: plain values, no input or output. One module a distribution, found by being there."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from distros.recipe import Recipe

__all__ = ["Recipe", "all_recipes", "withheld"]


def all_recipes() -> Iterator[Recipe]:
    """Every recipe of every distribution's module, in the order of the modules' names."""
    for module in _modules():
        yield from getattr(module, "RECIPES", ())


def withheld(distro: str, release: str) -> str:
    """Why a release of this distribution is not offered, minor versions included; empty where nobody said.

    A module says so in WITHHELD: reasons by release.
    """
    for module in _modules():
        if any(recipe.distro == distro for recipe in getattr(module, "RECIPES", ())):
            reasons: dict[str, str] = getattr(module, "WITHHELD", {})
            return reasons.get(release) or reasons.get(release.partition(".")[0], "")
    return ""


def _modules() -> Iterator[ModuleType]:
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        yield importlib.import_module(f"distros.{module.name}")
