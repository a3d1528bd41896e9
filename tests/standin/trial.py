"""A stand-in that serves while tests build from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from build import cache
from build.progress import Progress
from distros.recipe import Recipe
from tests.standin import standin
from tests.standin.serve import served

PORT = 8766
"""Always the same: a mirror's URL is part of what a tree in the cache is known by."""


class Mirror(TypedDict):
    """What a BuildRequest says of a mirror."""

    mirror: str
    mirror_key: Path


@contextmanager
def mirrored(recipe: Recipe, progress: Progress, *, offline: bool = False) -> Iterator[Mirror]:
    """Serve the recipe's stand-in while the block runs; one at a time on this machine."""
    made = standin(recipe, progress, offline=offline)
    with cache.locked("standin-port", waiting=progress.note), served(made.served, PORT, at=made.place) as here:
        yield {"mirror": made.url(here.url), "mirror_key": made.key.public}
