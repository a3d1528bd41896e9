"""What an image is made of: plain values, no input or output. One module a distribution, found by being there."""

import importlib
import pkgutil
from collections.abc import Iterator

from distros.recipe import Recipe

__all__ = ["Recipe", "all_recipes"]


def all_recipes() -> Iterator[Recipe]:
    """Every recipe of every distribution's module, in the order of the modules' names."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        yield from getattr(importlib.import_module(f"distros.{module.name}"), "RECIPES", ())
