"""What a cell of the matrix asks of `build`, as a request and as JSON, which travels to whoever does it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build.request import BuildRequest
from build.sizes import parse_size
from factory.matrix import Cell, Matrix

PATHS = ("spec", "mirror_key", "ssh_key", "lock")


def told(cell: Cell, matrix: Matrix, *, locked: bool) -> dict[str, Any]:
    """The request's words, without what is the recipe's own choice; `locked` names the image's lock."""
    words: dict[str, Any] = {
        "distro": cell.distro,
        "release": cell.release,
        "gen": cell.generation,
        "kind": cell.kind,
        "provisioner": cell.provisioner,
        "arch": cell.arch,
        "size": parse_size(cell.size) if cell.size else None,
        "spec": cell.spec,
        "mirror": cell.mirror,
        "mirror_key": cell.mirror_key,
        **({name: getattr(cell, name) for name in ("hostname", "admin", "ssh_key")} if _specialized(cell) else {}),
        "lock": lock_of(cell, matrix) if locked else None,
    }
    return {name: str(word) if isinstance(word, Path) else word for name, word in words.items() if word}


def request(words: Mapping[str, Any], **more: Any) -> BuildRequest:
    """The request of such words."""
    paths = {name: Path(words[name]) for name in PATHS if name in words}
    return BuildRequest(**{**words, **paths, **more})


def lock_of(cell: Cell, matrix: Matrix) -> Path | None:
    """Where the lock of a cell's image lies, written or not: both kinds of an image have the same packages."""
    if matrix.locks is None:
        return None
    spec = f"-{cell.spec.stem}" if cell.spec else ""
    name = f"{cell.distro}-{cell.release}{spec}-gen{cell.generation}-{cell.provisioner}-{cell.arch}.lock"
    return matrix.locks / name


def _specialized(cell: Cell) -> bool:
    return cell.kind == "specialized"
