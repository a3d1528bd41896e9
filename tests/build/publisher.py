"""A web server over loopback whose files its key signs, as vendors publish images."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.standin.key import SigningKey
from tests.standin.serve import served


@dataclass(frozen=True)
class Publisher:
    """What lies in `folder` is offered at `url`; `key` signs, unless a call names another."""

    folder: Path
    key: SigningKey
    url: str

    def clear_sign(self, name: str, text: str, by: SigningKey | None = None) -> None:
        """Publish a text with its signature around it."""
        path = self._place(name)
        plain = path.with_name(f"{path.name}.plain")
        plain.write_text(text)
        with (by or self.key).opened() as opened:
            opened.clear_sign(plain, path)
        plain.unlink()

    def write(self, name: str, content: bytes) -> Path:
        """Publish a file; returns where it lies."""
        path = self._place(name)
        path.write_bytes(content)
        return path

    def sign(self, name: str, by: SigningKey | None = None, *, armor: bool = True) -> None:
        """Publish the signature of a file beside it, under its name with .sig."""
        file = self.folder / name
        with (by or self.key).opened() as opened:
            opened.detach_sign(file, file.with_name(f"{file.name}.sig"), armor=armor)

    def _place(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@contextmanager
def published(folder: Path, key: SigningKey) -> Iterator[Publisher]:
    """A publisher of what lies in this folder, which is made, while the block runs."""
    folder.mkdir()
    with served(folder) as server:
        yield Publisher(folder, key, server.url)
