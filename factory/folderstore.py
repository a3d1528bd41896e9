"""The store in a folder, which machines may share: links, renames and times of its file system are all that it needs.

Below it lie `results/` and `artefacts/` by key and digest, `leases/`, and `documents/`.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from build.digest import content_digest
from build.errors import MachineError
from factory.job import Result

SILENT = 60.0
"""Seconds without a sign of life after which a lease is anybody's."""
ABANDONED = 24 * 3600.0
"""Seconds after which nobody writes any more what was begun."""
LARGE = 64 << 20
"""Bytes from which on a file counts by its non-zero blocks: disks are sparse."""


@dataclass(frozen=True)
class FolderLease:
    """A lease by a file: its content says whose it is, its time of change when they last gave a sign of life."""

    path: Path
    token: str

    def renew(self) -> bool:
        """The file system writes the time down by its own clock."""
        if not self._is_ours():
            return False
        with suppress(FileNotFoundError):
            os.utime(self.path)
            return True
        return False

    def release(self) -> None:
        """Remove the file, if it is ours."""
        if self._is_ours():
            self.path.unlink(missing_ok=True)

    def _is_ours(self) -> bool:
        try:
            return bool(json.loads(self.path.read_text())["token"] == self.token)
        except (OSError, ValueError, KeyError):
            return False


class FolderStore:
    """A store in this folder, made if it is missing. Raises MachineError where it cannot be written."""

    def __init__(self, root: Path, silent: float = SILENT) -> None:
        self.root, self.silent = root.absolute(), silent
        try:
            for name in ("results", "artefacts", "leases", "documents", "fresh"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
        except OSError as refusal:
            raise MachineError(
                f"the store {self.root} cannot be made: {refusal.strerror}", "name another folder"
            ) from None

    def result(self, key: str) -> Result | None:
        """What is kept under this key; what is damaged counts as missing."""
        try:
            return Result.read(self._place("results", key).read_text())
        except (OSError, ValueError):
            return None

    def put(self, key: str, result: Result) -> Result:
        """Keep it, unless there is a sound one."""
        place = self._place("results", key)
        fresh = self._fresh()
        _write(fresh, result.text())
        place.parent.mkdir(exist_ok=True)
        try:
            os.link(fresh, place)
        except FileExistsError:
            if present := self.result(key):
                return present
            fresh.replace(place)
        finally:
            fresh.unlink(missing_ok=True)
        _settle(place.parent)
        return result

    def keep(self, folder: Path) -> str:
        """Keep a folder: moved where it lies on the same file system, copied, holes kept, where it does not."""
        digest = digest_of(folder)
        place = self._place("artefacts", digest)
        if not place.is_dir():
            self._take(folder, place)
        shutil.rmtree(folder, ignore_errors=True)
        return digest

    def _take(self, folder: Path, place: Path) -> None:
        fresh = self._fresh()
        try:
            folder.rename(fresh)
        except OSError:
            shutil.copytree(folder, fresh, copy_function=_copy_sparse)
        for path in fresh.rglob("*"):
            _settle(path)
        place.parent.mkdir(exist_ok=True)
        try:
            fresh.rename(place)
        except OSError:
            # Somebody else was first, with the same content.
            shutil.rmtree(fresh, ignore_errors=True)
            if not place.is_dir():
                raise
        _settle(place.parent)

    def artefact(self, digest: str) -> Path | None:
        """The folder itself."""
        place = self._place("artefacts", digest)
        return place if place.is_dir() else None

    def lease(self, name: str, owner: str) -> FolderLease | None:
        """Make its file, or take one over that has been silent for long."""
        path = self.root / "leases" / name
        lease = FolderLease(path, uuid.uuid4().hex)
        for _ in range(2):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                if not self._drop_if_silent(path):
                    return None
                continue
            with os.fdopen(descriptor, "w") as file:
                json.dump({"token": lease.token, "owner": owner}, file)
            return lease
        return None

    def held(self, prefix: str) -> tuple[str, ...]:
        """The owners of leases whose names begin so, and who have given a sign of life of late."""
        now, owners = self._now(), []
        for path in sorted((self.root / "leases").glob(f"{prefix}*")):
            with suppress(OSError, ValueError, KeyError):
                if now - path.stat().st_mtime < self.silent:
                    owners.append(str(json.loads(path.read_text())["owner"]))
        return tuple(owners)

    def _drop_if_silent(self, path: Path) -> bool:
        """Whether the lease is free now: its holder has been silent for too long, or has let it go meanwhile."""
        try:
            seen = path.stat()
            told = path.read_text()
        except FileNotFoundError:
            return True
        if self._now() - seen.st_mtime < self.silent:
            return False
        aside = self._fresh()
        try:
            path.rename(aside)
        except FileNotFoundError:
            return True
        taken = aside.read_text()
        if taken != told:
            # It was taken over between the look and the move, and is somebody's: back it goes.
            with suppress(FileExistsError):
                os.link(aside, path)
        aside.unlink(missing_ok=True)
        return taken == told

    def _now(self) -> float:
        """The time by the clock that writes the leases' times."""
        probe = self._fresh()
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        return now

    def note(self, name: str, text: str) -> None:
        """Write it whole, or leave what is there."""
        place, fresh = self.root / "documents" / name, self._fresh()
        place.parent.mkdir(parents=True, exist_ok=True)
        _write(fresh, text)
        fresh.replace(place)
        _settle(place.parent)

    def read(self, name: str) -> str | None:
        """The document, None where there is none."""
        try:
            return (self.root / "documents" / name).read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, folder: str) -> Iterator[str]:
        """Every document below it."""
        top = self.root / "documents"
        yield from sorted(str(path.relative_to(top)) for path in (top / folder).rglob("*") if path.is_file())

    def results(self) -> Iterator[tuple[str, Result]]:
        """All results that are sound, by key."""
        for path in (self.root / "results").glob("??/*"):
            if found := self.result(path.name):
                yield path.name, found

    def old_artefacts(self) -> Iterator[str]:
        """The digests of artefacts that were kept a day ago or longer: what is younger, nobody may have spoken of."""
        before = self._now() - ABANDONED
        for path in (self.root / "artefacts").glob("??/*"):
            if path.stat().st_ctime < before:
                yield path.name

    def drop_result(self, key: str) -> None:
        """Forget a result."""
        self._place("results", key).unlink(missing_ok=True)

    def drop_artefact(self, digest: str) -> None:
        """Remove an artefact: out of sight at once, then for good."""
        aside = self._fresh()
        with suppress(FileNotFoundError):
            self._place("artefacts", digest).rename(aside)
            shutil.rmtree(aside)

    def drop_document(self, name: str) -> None:
        """Remove a document."""
        (self.root / "documents" / name).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what was being written, and what was held, when its owner died long ago."""
        before = self._now() - ABANDONED
        for path in (*(self.root / "fresh").iterdir(), *(self.root / "leases").iterdir()):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _place(self, kind: str, name: str) -> Path:
        return self.root / kind / name[:2] / name

    def _fresh(self) -> Path:
        return self.root / "fresh" / uuid.uuid4().hex


def digest_of(folder: Path) -> str:
    """sha256, hexadecimal, of a folder's files: names, which of them can be run, and contents."""
    digest = hashlib.sha256()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        runs = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"{path.relative_to(folder)}\0{runs}\0{_content(path)}\n".encode())
    return digest.hexdigest()


def _content(path: Path) -> str:
    size = path.stat().st_size
    if size >= LARGE:
        return f"{size} {content_digest(path, size)}"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _copy_sparse(source: str, target: str) -> None:
    """Copy a file with its mode, leaving its holes holes."""
    size = Path(source).stat().st_size
    with Path(source).open("rb", buffering=0) as given, Path(target).open("wb", buffering=0) as taken:
        at = 0
        while at < size:
            try:
                at = os.lseek(given.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(given.fileno(), at, os.SEEK_HOLE)
            os.lseek(taken.fileno(), at, os.SEEK_SET)
            while at < end and (sent := os.sendfile(taken.fileno(), given.fileno(), at, min(end - at, LARGE))):
                at += sent
        taken.truncate(size)
    shutil.copystat(source, target)


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _settle(path: Path) -> None:
    """Have what was written reach the disk: a result must not outlive what it speaks of."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
