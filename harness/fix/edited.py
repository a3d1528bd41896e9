"""An image's files as they will be once edits are made: what one repair did, the next one sees."""

import posixpath
import stat
from collections.abc import Mapping
from dataclasses import replace

from harness.tree import Entry, Tree

Changes = Mapping[str, bytes | None]
"""New contents by real path; None where the file or folder goes."""


class Edited(Tree):
    """A tree with changes; the tree itself stays as it is."""

    def __init__(self, tree: Tree, changes: Changes) -> None:
        self.tree, self.changes = tree, dict(changes)

    def children(self, folder: str) -> Mapping[str, Entry]:
        """What the folder will hold."""
        found = dict(self.tree.children(folder))
        for path, content in self.changes.items():
            if posixpath.dirname(path) != folder:
                continue
            name = posixpath.basename(path)
            if content is None:
                found.pop(name, None)
            else:
                found[name] = replace(found.get(name, Entry(stat.S_IFREG | 0o644)), size=len(content))
        return found

    def target(self, path: str) -> str:
        """Where the link points."""
        return self.tree.target(path)

    def load(self, path: str, limit: int) -> bytes:
        """The first bytes that the file will have."""
        content = self.changes.get(path)
        return self.tree.load(path, limit) if content is None else content[:limit]
