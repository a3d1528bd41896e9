"""An image's files, read without mounting anything. Read-only, and never out of the image: links are resolved here.

`Tree` is what checks see; `FolderTree` reads an unpacked root tree, `ExtTree` (harness.ext) and `FatTree`
(harness.fat) read file systems inside a disk, and `Mounted` joins them as the image's fstab would.
"""

import errno
import fnmatch
import os
import posixpath
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from build.errors import KilnError

TEXT_LIMIT = 1 << 20
"""Bytes of a text file that a check gets to see."""
_MOST_LINKS = 40


class Unreadable(KilnError):
    """A file or folder of the image cannot be read: a damaged file system, or more than a check should ask for."""


@dataclass(frozen=True)
class Entry:
    """One name in a folder. `mode` are the whole st_mode bits, `size` is in bytes."""

    mode: int
    uid: int = 0
    gid: int = 0
    size: int = 0
    inode: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder itself, not a link to one."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)


class Tree(ABC):
    """A root file system. Paths are absolute paths of the image, symbolic links are followed as the image would.

    What implements it answers for real paths only: no link among their folders.
    """

    @abstractmethod
    def children(self, folder: str) -> Mapping[str, Entry]:
        """What a real folder holds, without `.` and `..`; empty where there is no such folder."""

    @abstractmethod
    def target(self, path: str) -> str:
        """Where the symbolic link at a real path points."""

    @abstractmethod
    def load(self, path: str, limit: int) -> bytes:
        """At most `limit` bytes of the regular file at a real path."""

    def save(self, path: str, limit: int, target: Path) -> None:
        """Write at most `limit` bytes of the regular file at a real path to `target`."""
        target.write_bytes(self.load(path, limit))

    def local(self, path: str) -> Path | None:
        """The file outside the image that this real path is, where it is one."""
        return None

    def attribute(self, path: str, name: str) -> bytes | None:
        """The extended attribute of that name, links followed; nothing where the file has none, None where this way of
        reading cannot tell."""
        return None

    def _entry(self, path: str) -> Entry | None:
        if path == "/":
            return Entry(stat.S_IFDIR | 0o755)
        return self.children(posixpath.dirname(path)).get(self.spell(posixpath.basename(path)))

    def spell(self, name: str) -> str:
        """The name as this file system compares names."""
        return name

    def resolve(self, path: str, last: bool = True) -> str | None:
        """The real path, or None where something on the way is missing or goes in circles.

        Without `last` a link at the very end stays as it is.
        """
        left, at, links = _parts(path), "/", 0
        while left:
            name = left.pop(0)
            if name == "..":
                at = posixpath.dirname(at)
                continue
            here = posixpath.join(at, self.spell(name))
            entry = self._entry(here)
            if entry is None:
                return None
            if not entry.is_link or (not left and not last):
                at = here
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            target = self.target(here)
            left = _parts(target) + left
            at = "/" if target.startswith("/") else at
        return at

    def stat(self, path: str) -> Entry | None:
        """What a path leads to, links followed; None where it leads nowhere."""
        real = self.resolve(path)
        return None if real is None else self._entry(real)

    def lstat(self, path: str) -> Entry | None:
        """What lies at a path, a link as the link itself; None where nothing does."""
        real = self.resolve(path, last=False)
        return None if real is None else self._entry(real)

    def exists(self, path: str) -> bool:
        """Whether the path leads somewhere."""
        return self.resolve(path) is not None

    def is_link(self, path: str) -> bool:
        """Whether the path itself is a symbolic link, dangling or not."""
        entry = self.lstat(path)
        return entry is not None and entry.is_link

    def is_file(self, path: str) -> bool:
        """Whether the path leads to a regular file."""
        entry = self.stat(path)
        return entry is not None and entry.is_file

    def is_folder(self, path: str) -> bool:
        """Whether the path leads to a folder."""
        entry = self.stat(path)
        return entry is not None and entry.is_folder

    def link(self, path: str) -> str:
        """Where the link at this path points, "" where there is no link."""
        real = self.resolve(path, last=False)
        entry = None if real is None else self._entry(real)
        return self.target(real) if real and entry and entry.is_link else ""

    def read_bytes(self, path: str, limit: int = TEXT_LIMIT) -> bytes:
        """At most `limit` bytes of a file; nothing where there is no regular file."""
        real = self.resolve(path)
        entry = None if real is None else self._entry(real)
        if real is None or entry is None or not entry.is_file:
            return b""
        return self.load(real, limit)

    def copy(self, path: str, limit: int, target: Path) -> None:
        """Write at most `limit` bytes of a file to `target`, an empty file where there is no regular one."""
        real = self.resolve(path)
        entry = None if real is None else self._entry(real)
        if real is None or entry is None or not entry.is_file:
            target.write_bytes(b"")
        else:
            self.save(real, limit, target)

    def read_text(self, path: str, limit: int = TEXT_LIMIT) -> str:
        """A text file, "" where there is none."""
        return self.read_bytes(path, limit).decode("utf-8", "replace")

    def list(self, folder: str) -> tuple[str, ...]:
        """The names in a folder, sorted; none where it is missing."""
        real = self.resolve(folder)
        return () if real is None else tuple(sorted(self.children(real)))

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The paths that match, sorted; `*` and `?` stay within one name. Dangling links count."""
        found = ["/"]
        for part in _parts(pattern):
            found = [match for folder in found for match in self._matches(folder, part)]
        return tuple(sorted(found))

    def _matches(self, folder: str, part: str) -> Iterator[str]:
        if not any(sign in part for sign in "*?["):
            path = posixpath.join(folder, part)
            if self.lstat(path) is not None:
                yield path
            return
        for name in self.list(folder):
            if fnmatch.fnmatchcase(name, part) and (part.startswith(".") or not name.startswith(".")):
                yield posixpath.join(folder, name)

    def files(self, folder: str, depth: int = 6) -> Iterator[str]:
        """Every path below a folder that is not a folder, sorted by folder; links are not followed."""
        for name in self.list(folder):
            path = posixpath.join(folder, name)
            entry = self.lstat(path)
            if entry is not None and entry.is_folder:
                if depth:
                    yield from self.files(path, depth - 1)
            else:
                yield path


class FolderTree(Tree):
    """A root tree in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def local(self, path: str) -> Path:
        """Where it lies on this machine."""
        return self.root / path.lstrip("/")

    def attribute(self, path: str, name: str) -> bytes | None:
        """The attribute that the file has here: of a tree that was unpacked without them, none. A file system of this
        machine that cannot have any tells nothing."""
        real = self.resolve(path)
        try:
            return os.getxattr(self.local(real), name, follow_symlinks=False) if real else b""
        except OSError as refused:
            return b"" if refused.errno == errno.ENODATA else None

    def children(self, folder: str) -> Mapping[str, Entry]:
        """What the folder holds."""
        here = self.local(folder)
        try:
            return {one.name: _from_stat(one) for one in here.iterdir()}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as broken:
            raise Unreadable(f"{folder} cannot be read: {broken.strerror}", "inspect as the tree's owner") from None

    def _entry(self, path: str) -> Entry | None:
        try:
            found = os.lstat(f"{self.root}{path}")
        except OSError:
            return None
        return Entry(found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_ino)

    def target(self, path: str) -> str:
        """Where the link points."""
        return str(self.local(path).readlink())

    def load(self, path: str, limit: int) -> bytes:
        """The file's first bytes."""
        try:
            with self.local(path).open("rb") as file:
                return file.read(limit)
        except OSError as broken:
            raise Unreadable(f"{path} cannot be read: {broken.strerror}", "inspect as the tree's owner") from None


class Mounted(Tree):
    """One tree with others mounted on folders of it."""

    def __init__(self, root: Tree, mounts: Mapping[str, Tree]) -> None:
        self.root, self.mounts = root, dict(mounts)

    def _part(self, path: str) -> tuple[Tree, str]:
        for point in sorted(self.mounts, key=len, reverse=True):
            if path == point or path.startswith(point + "/"):
                return self.mounts[point], path[len(point) :] or "/"
        return self.root, path

    def children(self, folder: str) -> Mapping[str, Entry]:
        """What the folder holds, in the tree that is mounted there."""
        tree, path = self._part(folder)
        return tree.children(path)

    def _entry(self, path: str) -> Entry | None:
        tree, inside = self._part(path)
        return tree._entry(inside)

    def target(self, path: str) -> str:
        """Where the link points."""
        tree, inside = self._part(path)
        return tree.target(inside)

    def load(self, path: str, limit: int) -> bytes:
        """The file's first bytes."""
        tree, inside = self._part(path)
        return tree.load(inside, limit)

    def save(self, path: str, limit: int, target: Path) -> None:
        """Write the file's first bytes."""
        tree, inside = self._part(path)
        tree.save(inside, limit, target)

    def local(self, path: str) -> Path | None:
        """Where it lies on this machine."""
        tree, inside = self._part(path)
        return tree.local(inside)

    def attribute(self, path: str, name: str) -> bytes | None:
        """The attribute, in the tree where the path leads to."""
        real = self.resolve(path)
        tree, inside = self._part(real or path)
        return tree.attribute(inside, name)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _from_stat(path: Path) -> Entry:
    found = path.lstat()
    return Entry(found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_ino)
