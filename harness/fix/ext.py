"""Changing files inside an ext2, ext3 or ext4 file system of a disk file, by debugfs: no mount, no root.

Works on a copy that nobody else has open. What was removed is overwritten with zeros where it lay, so that no key of
the image can be found in its free blocks. Times are that of the file system's last write: equal images stay equal.
"""

import re
import struct
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from build.command import run
from build.errors import Bug
from harness.ext import ExtTree, ask
from harness.fix.proof import LABEL, Place, has_label
from harness.fix.repair import Unsafe

NEW_MODE = 0o100644
_SUPERBLOCK = 1024
_NEEDS_RECOVERY, _CLEAN, _WITH_ERRORS = 0x4, 0x1, 0x2
_FREE = re.compile(r"Block (\d+) not in use")


@dataclass(frozen=True)
class Change:
    """A file's new content at its place, or None where it goes."""

    place: Place
    content: bytes | None


def require_whole(disk: Path, offset: int) -> None:
    """Raises Unsafe where the file system there has a journal to be replayed, or e2fsck finds anything to repair."""
    with disk.open("rb") as file:
        file.seek(offset + _SUPERBLOCK)
        block = file.read(1024)
    (state,) = struct.unpack_from("<H", block, 0x3A)
    (incompatible,) = struct.unpack_from("<I", block, 0x60)
    if incompatible & _NEEDS_RECOVERY or not state & _CLEAN or state & _WITH_ERRORS:
        raise Unsafe("the file system was not unmounted: boot and shut it down, or run e2fsck over it, first")
    checked = run("e2fsck", "-fn", f"{disk}?offset={offset}", expect=tuple(range(256)))
    if checked.status:
        said = [line.strip() for line in checked.stdout.splitlines() if line.strip()]
        found = [line for line in said if not line.startswith(("e2fsck ", "Pass ", str(disk)))]
        raise Unsafe(f"the file system is not whole, e2fsck says: {found[0] if found else checked.status}")


def apply(disk: Path, changes: Iterable[Change], scratch: Path) -> None:
    """Make the changes in `disk`, a copy of the one that their places were proven on; `scratch` is a folder for them.

    Raises Unsafe where a file system is not whole before, Bug where one is not as it should be afterwards: the copy
    is then of no use.
    """
    by_offset: dict[int, list[Change]] = {}
    for change in changes:
        by_offset.setdefault(change.place.tree.offset, []).append(change)
    for offset, here in by_offset.items():
        require_whole(disk, offset)
        _change(disk, offset, here, Path(tempfile.mkdtemp(dir=scratch)))
        try:
            require_whole(disk, offset)
        except Unsafe as damage:
            raise Bug(f"a repair has damaged the file system at byte {offset}: {damage}") from None
        _verify(disk, offset, here, scratch)


def _change(disk: Path, offset: int, changes: list[Change], scratch: Path) -> None:
    with disk.open("rb") as file:
        file.seek(offset + _SUPERBLOCK)
        block = file.read(1024)
    (written,) = struct.unpack_from("<I", block, 0x30)
    commands = [command for number, change in enumerate(changes) for command in _commands(change, scratch, number)]
    old = [one.place.entry.inode for one in changes if one.place.entry and one.place.entry.is_file]
    blocks = _numbers(ask(disk, offset, (f"blocks <{inode}>" for inode in old))) if old else []
    ask(disk, offset, commands, "-w", env={"E2FSPROGS_FAKE_TIME": str(max(1, written))})
    _wipe(disk, offset, blocks, 1024 << int.from_bytes(block[0x18:0x1C], "little"))


def _commands(change: Change, scratch: Path, number: int) -> Iterator[str]:
    place, entry = change.place, change.place.entry
    label = scratch / f"label-{number}"
    labelled = change.content is not None and has_label(place)
    if labelled:
        yield f'ea_get -f "{label}" <{entry.inode if entry else place.like}> {LABEL}'
    if entry:
        yield f'{"rmdir" if entry.is_folder else "rm"} "{place.path}"'
    if change.content is None:
        return
    piece = scratch / f"content-{number}"
    piece.write_bytes(change.content)
    yield f'write "{piece}" "{place.path}"'
    yield f'sif "{place.path}" mode 0{entry.mode if entry else NEW_MODE:o}'
    for field, value in (("uid", entry.uid if entry else 0), ("gid", entry.gid if entry else 0)):
        yield f'sif "{place.path}" {field} {value}'
    if labelled:
        yield f'ea_set -f "{label}" "{place.path}" {LABEL}'


def _numbers(answers: Iterable[str]) -> list[int]:
    return [int(word) for answer in answers for word in answer.split() if word.isdigit()]


def _wipe(disk: Path, offset: int, blocks: list[int], size: int) -> None:
    """Zeros over those of these blocks that belong to nobody now."""
    answers = ask(disk, offset, (f"testb {number}" for number in blocks)) if blocks else []
    with disk.open("r+b") as file:
        for number in (int(found[1]) for answer in answers if (found := _FREE.search(answer))):
            file.seek(offset + number * size)
            file.write(bytes(size))


def _verify(disk: Path, offset: int, changes: list[Change], scratch: Path) -> None:
    """Read everything back: debugfs ends well whatever its commands did. Raises Bug."""
    tree = ExtTree(disk, offset, scratch)
    for one in changes:
        path, before, now = one.place.path, one.place.entry, tree.lstat(one.place.path)
        if one.content is None:
            right = now is None
        else:
            owner = (before.mode, before.uid, before.gid) if before else (NEW_MODE, 0, 0)
            labelled = not has_label(one.place) or (now and has_label(Place(tree, path, now)))
            right = bool(now and labelled) and now is not None and (now.mode, now.uid, now.gid) == owner
            right = right and tree.load(path, len(one.content) + 1) == one.content
        if not right:
            raise Bug(f"debugfs did not change {path} as it was told to")
