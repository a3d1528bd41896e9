"""What was tried of each recipe: a record of what people saw, kept apart from what an image is made of.

An entry is made, or raised, when a test or a run showed it; what has none was not tried.
"""

from distros.recipe import Recipe

WORDS = {
    "archive": "built from its own archive and booted",
    "stand-in": "built from a stand-in of its archive and booted",
    "installed": "installed in full from a stand-in, not booted yet",
    "nothing": "not tried yet",
}
"""What a level means; a stand-in proves Kiln's code, not the distribution's content."""

SEEN = {
    ("debian-12", "x86_64"): "archive",
    ("debian-13", "x86_64"): "archive",
    ("debian-12", "aarch64"): "archive",
    ("debian-13", "aarch64"): "archive",
    ("almalinux-10", "x86_64"): "stand-in",
    ("ubuntu-24.04", "x86_64"): "archive",
    ("ubuntu-24.04", "aarch64"): "stand-in",
    ("flatcar-stable", "x86_64"): "stand-in",
    ("flatcar-beta", "x86_64"): "stand-in",
    ("flatcar-lts", "x86_64"): "stand-in",
    ("almalinux-9", "x86_64"): "stand-in",
    ("centos-9", "x86_64"): "stand-in",
    ("centos-10", "x86_64"): "stand-in",
    ("oracle-9", "x86_64"): "stand-in",
    ("oracle-10", "x86_64"): "stand-in",
    ("rhel-9", "x86_64"): "stand-in",
    ("rhel-10", "x86_64"): "stand-in",
    ("rocky-9", "x86_64"): "stand-in",
    ("rocky-10", "x86_64"): "stand-in",
    ("ubuntu-22.04", "x86_64"): "archive",
    ("ubuntu-26.04", "x86_64"): "archive",
    ("opensuse-16.0", "x86_64"): "stand-in",
    ("opensuse-tumbleweed", "x86_64"): "stand-in",
    ("sles-15.7", "x86_64"): "stand-in",
    ("sles-16.0", "x86_64"): "stand-in",
}
"""By the recipe's name and architecture."""


def proven(recipe: Recipe) -> str:
    """How far the recipe was tried, a key of WORDS."""
    return SEEN.get((recipe.name, recipe.arch), "nothing")
