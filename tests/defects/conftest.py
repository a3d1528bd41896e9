"""The small good image and its copies, which the tests of the harness have, too."""

from tests.harness.conftest import disk, good, root, tree

__all__ = ["disk", "good", "root", "tree"]
