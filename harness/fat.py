"""The EFI system partition inside a disk file, read by mtools at an offset. Names compare without regard to case."""

import posixpath
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from build.command import CommandFailed, run
from harness.tree import Entry, Tree, Unreadable

LARGEST = 256 << 20
"""Bytes of the largest file that is copied out for a look; a kernel with its initramfs in one file is the largest."""
_MTOOLS = {"MTOOLS_SKIP_CHECK": "1", "MTOOLSRC": "/dev/null"}


class FatTree(Tree):
    """The FAT file system at a byte `offset` of `disk`; `scratch` is a folder for what is copied out."""

    def __init__(self, disk: Path, offset: int, scratch: Path) -> None:
        self.drive, self.scratch = f"{disk}@@{offset}", scratch
        self._folders = self._walk()

    def spell(self, name: str) -> str:
        """FAT keeps a name's case, and does not care about it."""
        return name.lower()

    def children(self, folder: str) -> Mapping[str, Entry]:
        """What the folder holds, in small letters."""
        return self._folders.get(folder.lower(), {})

    def target(self, path: str) -> str:
        """FAT has no links."""
        return ""

    def load(self, path: str, limit: int) -> bytes:
        """The file's first bytes."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            copy = Path(folder, "copy")
            try:
                run("mcopy", "-n", "-i", self.drive, f"::{_literal(path)}", copy, env=_MTOOLS, timeout=60)
            except CommandFailed as failed:
                raise Unreadable(f"{path} on the EFI partition: {failed.output.strip()}", "is it whole?") from None
            with copy.open("rb") as file:
                return file.read(min(limit, LARGEST))

    def _walk(self) -> dict[str, dict[str, Entry]]:
        try:
            listing = run(
                "mdir", "-b", "-s", "-a", "-i", self.drive, "::/", env=_MTOOLS, only_stdout=True, timeout=60
            ).stdout
        except CommandFailed as failed:
            raise Unreadable(f"the EFI partition: {failed.output.strip()}", "is it a FAT file system?") from None
        folders: dict[str, dict[str, Entry]] = {"/": {}}
        for line in listing.splitlines():
            path = line.removeprefix("::").lower()
            _enter(folders, path.rstrip("/"), stat.S_IFDIR if path.endswith("/") else stat.S_IFREG)
        return folders


def _enter(folders: dict[str, dict[str, Entry]], path: str, kind: int) -> None:
    above, name = posixpath.split(path)
    if not name:
        return
    if above not in folders:
        _enter(folders, above, stat.S_IFDIR)
    folders.setdefault(above, {})[name] = Entry(kind | 0o700)
    if kind == stat.S_IFDIR:
        folders.setdefault(path, {})


def _literal(path: str) -> str:
    """The path with the signs that mtools would take for a pattern escaped."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in path)
