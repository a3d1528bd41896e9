"""Files of a spec that come from a file or a whole folder beside it."""

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

from build.spec.value import Content, File


def from_source(source: Path, path: str, mode: int | None) -> Iterator[File]:
    """The file, or every file and link below the folder, sorted by name; the path in the image is that of the source.

    Whoever checks a folder out has his own umask: of a file's own mode counts only whether it can be run.
    Raises OSError, and ValueError for what is no file.
    """
    status = source.stat()
    if stat.S_ISDIR(status.st_mode):
        for entry in sorted(source.iterdir()):
            if entry.is_symlink():
                yield File(f"{path}/{entry.name}", None, target=str(entry.readlink()))
            else:
                yield from from_source(entry, f"{path}/{entry.name}", mode)
    elif stat.S_ISREG(status.st_mode):
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        usual = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        yield File(path, Content(digest, path=str(source.absolute())), usual if mode is None else mode)
    else:
        raise ValueError("it holds something that is neither a file nor a folder nor a link")
