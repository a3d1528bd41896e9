"""Image checks, one module a topic; each check is one function."""

import importlib
import pkgutil

from harness.checks.check import REGISTRY, Check


def all_checks() -> tuple[Check, ...]:
    """Every check of every topic, in the order of their ids."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"harness.checks.{module.name}")
    return tuple(REGISTRY[id] for id in sorted(REGISTRY))
