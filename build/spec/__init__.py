"""Specs: the user's own image, layered on a recipe. `load` gives the value, `steps` applies it to a tree."""

from build.spec.load import load
from build.spec.recipe import effect, layered, require_first_boot, sources
from build.spec.value import NOTHING, Spec

__all__ = ["NOTHING", "Spec", "effect", "layered", "load", "require_first_boot", "sources"]
