"""Files of packages that are made here and not cut from the base, put into a build root as they are named."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.standin.carve import Entry


@dataclass
class Parcel:
    """What one package holds. `shared` are the folders that the package "filesystem" has already."""

    root: Path
    shared: frozenset[str]
    held: dict[str, Entry] = field(default_factory=dict)

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """A file of root's with this content."""
        place = self._place(path)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        self._hold(path, "file", mode)

    def copy(self, path: str, source: Path, entry: Entry | None = None) -> None:
        """A file as `source` is, with the owner and mode of `entry`; a link stays a link."""
        place = self._place(path)
        if source.is_symlink():
            place.symlink_to(source.readlink())
        else:
            place.hardlink_to(source)
        self._hold(path, "link" if source.is_symlink() else "file", entry.mode if entry else 0o644)

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._place(path).symlink_to(target)
        self._hold(path, "link", 0o777)

    def folder(self, path: str) -> None:
        """A folder and those above it, unless all packages share it."""
        if path == "/" or path in self.shared or path in self.held:
            return
        self.folder(str(Path(path).parent))
        (self.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        self._hold(path, "folder", 0o755)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What the package's list names, sorted."""
        return tuple(self.held[path] for path in sorted(self.held))

    def _place(self, path: str) -> Path:
        self.folder(str(Path(path).parent))
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        return place

    def _hold(self, path: str, kind: str, mode: int) -> None:
        self.held[path] = Entry(path, kind, mode)
