"""Repositories in the workspace, made of packages that were chosen before: nothing else can be installed from them.

Their lists are signed by nobody: whoever made the choice has checked the files, and rpm checks each package again.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from build import cache, packages
from build.families.rpm.settings import inside_tools
from build.families.rpm.state import Metadata
from build.families.rpm.step import Offer
from build.lock import LockedPackage
from build.workspace import Workspace

FOLDER = "offered"
"""The folder beside the tree with a folder for each source of packages."""
DESCRIBE = ("/usr/bin/createrepo_c", "--quiet", "--no-database")


@contextmanager
def offered(
    work: Workspace, states: Iterable[Metadata], files: Iterable[tuple[LockedPackage, Path]]
) -> Iterator[tuple[Offer, ...]]:
    """A repository for each state that has some of these packages, while the block runs: linked or copied.

    The packages of each are listed by their rank and then by their names, which the order of installation depends on.
    """
    cache.remove(work.file(FOLDER))
    chosen = sorted(files, key=lambda pair: (pair[0].rank, pair[0]))
    parts = [(state, [pair for pair in chosen if pair[0].source == state.suite]) for state in states]
    try:
        yield tuple(_described(work, state, part) for state, part in parts if part)
    finally:
        cache.remove(work.file(FOLDER))


def _described(work: Workspace, state: Metadata, files: list[tuple[LockedPackage, Path]]) -> Offer:
    folder = work.file(FOLDER) / state.suite
    folder.mkdir(parents=True)
    for number, (package, file) in enumerate(files):
        # createrepo_c lists packages by the names of their files.
        packages.lay(file, folder / f"{number:06}-{packages.file_name(package)}")
    work.tool(*DESCRIBE, folder)
    return Offer(state, (f"file://{inside_tools(work, folder)}",), signed=False)
