"""What the trees of file systems that Kiln reads itself have in common: paths lead to inodes, inodes to what they hold.

A reader answers four questions about a place; the walk from the root folder, and what is kept of it, are here.
"""

import posixpath
import struct
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from harness.tree import Entry, Tree, Unreadable
from harness.volume import Volume

Place = tuple[int, int]
"""An inode: the subvolume that it belongs to (0 where there are none), and its number."""
LARGEST = 1 << 30
"""Bytes of the largest file that is read at all."""
_MOST_NAMES = 200_000
_LONGEST_LINK = 4096


@dataclass(frozen=True)
class Inode:
    """What an inode says of itself: the whole st_mode, owner and group, the size in bytes."""

    mode: int
    uid: int
    gid: int
    size: int

    @property
    def entry(self) -> Entry:
        """As trees give it."""
        return Entry(self.mode, self.uid, self.gid, self.size)


class InodeTree(Tree):
    """A file system inside a volume."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self._folders: dict[str, Mapping[str, Entry]] = {}
        self._places: dict[str, Place] = {}
        self._homes: dict[Place, str] = {}

    @property
    @abstractmethod
    def top(self) -> Place:
        """The root folder."""

    @abstractmethod
    def inode(self, place: Place) -> Inode:
        """What is known of an inode. Raises Unreadable where there is none."""

    @abstractmethod
    def names(self, place: Place) -> Iterator[tuple[str, Place]]:
        """The names in a folder, in any order; `.` and `..` may be among them."""

    @abstractmethod
    def content(self, place: Place, limit: int) -> bytes:
        """At most `limit` bytes of a file, or of where a link points."""

    @abstractmethod
    def mark(self, place: Place, name: str) -> bytes | None:
        """The extended attribute of that whole name; b"" where the inode has none, None where it lies too far off."""

    def broken(self, what: str) -> Unreadable:
        """What to raise where the volume's bytes make no sense."""
        return Unreadable(f"{self.volume.name}: {what}", "is the file system whole?")

    @contextmanager
    def sound(self, what: str) -> Iterator[None]:
        """Where structures are taken apart: one that is too short is a damage of the file system, not of Kiln."""
        try:
            yield
        except (struct.error, IndexError, OverflowError) as broken:
            raise self.broken(f"{what} cannot be read ({broken})") from None

    def children(self, folder: str) -> Mapping[str, Entry]:
        """What the folder holds."""
        if folder not in self._folders:
            entry = self._entry(folder)
            self._folders[folder] = self._list(folder) if entry and entry.is_folder else {}
        return self._folders[folder]

    def _list(self, folder: str) -> Mapping[str, Entry]:
        found: dict[str, Entry] = {}
        above = self._place(folder)
        with self.sound(folder):
            for name, place in self.names(above):
                if name in (".", ".."):
                    continue
                if "/" in name or "\0" in name or not name:
                    raise self.broken(f"{folder} holds something that is no name")
                entry = self.inode(place).entry
                path = posixpath.join(folder, name)
                if entry.is_folder:
                    self._settle(path, place, above)
                self._places[path], found[name] = place, entry
                if len(found) > _MOST_NAMES:
                    raise self.broken(f"{folder} holds more than {_MOST_NAMES} names")
        return found

    def _settle(self, path: str, place: Place, above: Place) -> None:
        """A folder has one place: else there would be no end to a walk."""
        if self._homes.setdefault(place, path) == path and place != self.top:
            return
        if place[0] == above[0]:
            raise self.broken(f"{path} is a folder within itself, or in two places")
        self._folders[path] = {}  # a subvolume within another's snapshot, which the kernel shows empty, too

    def _place(self, path: str) -> Place:
        if path == "/":
            return self.top
        self.children(posixpath.dirname(path))
        return self._places[path]

    def target(self, path: str) -> str:
        """Where the link points."""
        entry = self._entry(path)
        return self._bytes(path, _LONGEST_LINK).decode("utf-8", "replace") if entry and entry.is_link else ""

    def attribute(self, path: str, name: str) -> bytes | None:
        """What the inode says that the path leads to."""
        real = self.resolve(path)
        if real is None:
            return b""
        with self.sound(path):
            return self.mark(self._place(real), name)

    def load(self, path: str, limit: int) -> bytes:
        """The file's first bytes."""
        entry = self._entry(path)
        if entry is None or not entry.is_file or not limit:
            return b""
        if entry.size > LARGEST:
            raise self.broken(f"{path} claims {entry.size} bytes")
        return self._bytes(path, limit)

    def _bytes(self, path: str, limit: int) -> bytes:
        with self.sound(path):
            return self.content(self._place(path), limit)
