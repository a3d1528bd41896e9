"""An image's folder put together of what the store has: its files are the store's own, its runs are gathered."""

import os
import shutil
from pathlib import Path

from factory.kinds import Bench


def assembled(bench: Bench, *, runs: bool = False) -> Path:
    """A folder of the bench's with the image's files, as links, and with `runs` what its boots have left.

    The store's files are read only: whoever boots an image writes beside them.
    """
    image = bench.given("image")
    folder = bench.folder / _name(bench)
    folder.mkdir()
    for file in image.iterdir():
        _link(file, folder / file.name)
    if runs:
        digests = [one.artefacts["runs"] for one in bench.inputs.values() if "runs" in one.artefacts]
        for kept in filter(None, map(bench.store.artefact, digests)):
            shutil.copytree(kept, folder / "runs", copy_function=_link, dirs_exist_ok=True)
    return folder


def _name(bench: Bench) -> str:
    return next(str(one.facts["name"]) for one in bench.inputs.values() if "name" in one.facts)


def _link(source: str | Path, target: str | Path) -> None:
    """A second name for a file, or a symbolic link to it from another file system."""
    try:
        os.link(source, target)
    except OSError:
        Path(target).symlink_to(source)
