"""ext2, ext3 and ext4 inside a disk file, read by debugfs at an offset: no mount, no loop device, no root.

Files are asked for by inode number, so that no name of the image ever becomes part of a debugfs command.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from build.command import CommandFailed, run
from harness.tree import Entry, Tree, Unreadable

LARGEST = 1 << 30
"""Bytes of the largest file that is copied out of an image for a look."""
SMALL = 1 << 16
"""Bytes of a file that is kept once it was read: several checks ask for the same settings."""
_ROOT = 2
_PROMPT = "debugfs: "
_LINE = re.compile(r"^/(\d+)/(\d{6})/(-?\d+)/(-?\d+)/(.*)/(\d*)/$", re.DOTALL)
_FAST_LINK = re.compile(r'^Fast link dest: "(.*)"$', re.MULTILINE)


class ExtTree(Tree):
    """The file system at a byte `offset` of `disk`; `scratch` is a folder for what is copied out."""

    def __init__(self, disk: Path, offset: int, scratch: Path) -> None:
        self.disk, self.offset, self.scratch = disk, offset, scratch
        self._folders: dict[int, Mapping[str, Entry]] = {}
        self._targets: dict[int, str] = {}
        self._small: dict[int, bytes] = {}
        self._options: tuple[str, ...] = ()
        if not self._list(_ROOT):
            raise Unreadable(f"{disk.name}: debugfs finds no root folder at byte {offset}", "is the file system whole?")
        # It has opened once with all its own checks. From here on without the maps of free blocks, which nobody asks
        # for and of which a large disk has many.
        self._options = ("-c",)

    def children(self, folder: str) -> Mapping[str, Entry]:
        """What the folder holds."""
        entry = self._entry(folder)
        inode = _ROOT if folder == "/" else entry.inode if entry and entry.is_folder else 0
        return self._list(inode) if inode else {}

    def target(self, path: str) -> str:
        """Where the link points; every other link of its folder is looked up along with it."""
        entry = self._entry(path)
        if entry is None or not entry.is_link:
            return ""
        if entry.inode not in self._targets:
            siblings = self.children(path.rpartition("/")[0] or "/").values()
            self._read_links({one.inode: one.size for one in siblings if one.is_link})
        return self._targets[entry.inode]

    def load(self, path: str, limit: int) -> bytes:
        """The file's first bytes."""
        entry = self._entry(path)
        if entry is None or not entry.is_file or not limit:
            return b""
        if entry.size > SMALL:
            return self._read(path, entry, limit)
        if entry.inode not in self._small:
            self._small[entry.inode] = self._read(path, entry, SMALL)
        return self._small[entry.inode][:limit]

    def attribute(self, path: str, name: str) -> bytes | None:
        """What `ea_get` says, with the zero at the end of a label, if it has one."""
        real = self.resolve(path)
        entry = self._entry(real) if real else None
        if entry is None:
            return b""
        with tempfile.NamedTemporaryFile(dir=self.scratch) as copy:
            self._ask((f'ea_get -f "{copy.name}" <{entry.inode}> {name}',))
            return copy.read()

    def _read(self, path: str, entry: Entry, limit: int) -> bytes:
        with tempfile.NamedTemporaryFile(dir=self.scratch) as copy:
            self._dump(path, entry, copy.name)
            copy.seek(0)
            return copy.read(limit)

    def save(self, path: str, limit: int, target: Path) -> None:
        """Write the file's first bytes, without having all of them in memory."""
        entry = self._entry(path)
        if entry is not None and entry.is_file:
            self._dump(path, entry, target)
            os.truncate(target, min(limit, entry.size))

    def _dump(self, path: str, entry: Entry, target: str | Path) -> None:
        if entry.size > LARGEST:
            raise Unreadable(f"{path} claims {entry.size} bytes", "is the file system whole?")
        self._ask((f'dump <{entry.inode}> "{target}"',))

    def _list(self, inode: int) -> Mapping[str, Entry]:
        if inode not in self._folders:
            (answer,) = self._ask((f"ls -p <{inode}>",))
            self._folders[inode] = dict(_entries(answer))
        return self._folders[inode]

    def _read_links(self, links: Mapping[int, int]) -> None:
        answers = self._ask(f"stat <{inode}>" for inode in links)
        for (inode, size), answer in zip(links.items(), answers, strict=True):
            fast = _FAST_LINK.search(answer)
            self._targets[inode] = fast[1] if fast else self._long_link(inode, size)

    def _long_link(self, inode: int, size: int) -> str:
        (answer,) = self._ask((f"cat <{inode}>",))
        return answer[:size]

    def _ask(self, commands: Iterable[str]) -> list[str]:
        """What debugfs answers to each command, in one process."""
        return ask(self.disk, self.offset, commands, *self._options)


def ask(
    disk: Path, offset: int, commands: Iterable[str], *options: str, env: Mapping[str, str] | None = None
) -> list[str]:
    """What debugfs, called with these options, answers to each command about the file system there, in one process.

    Raises Unreadable where it does not answer.
    """
    asked = list(commands)
    where = f"{disk}?offset={offset}" if offset else str(disk)
    try:
        # The request log is what separates the answers: each begins with the command itself.
        words = ("debugfs", *options, "-f", "-", where)
        said = run(*words, text="\n".join(asked) + "\n", only_stdout=True, timeout=120, env=env)
    except CommandFailed as failed:
        raise Unreadable(f"{disk.name}: {failed.output.strip()}", "is the file system whole?") from None
    return _answers(asked, said.stdout)


def _answers(asked: list[str], said: str) -> list[str]:
    answers, at = [], 0
    for command in asked:
        mark = f"{_PROMPT}{command}\n"
        begin = said.find(mark, at)
        if begin < 0:
            raise Unreadable("debugfs did not answer", "is the file system whole?")
        answers.append(begin + len(mark))
        at = begin + len(mark)
    ends = [start - len(f"{_PROMPT}{command}\n") for start, command in zip(answers, asked, strict=True)][1:]
    return [said[start:end] for start, end in zip(answers, [*ends, len(said)], strict=True)]


def _entries(answer: str) -> Iterable[tuple[str, Entry]]:
    for line in answer.split("/\n"):
        found = _LINE.match(line.lstrip("\n") + "/")
        if found and found[5] not in (".", "..") and int(found[1]):
            inode, mode, uid, gid, name, size = found.groups()
            yield name, Entry(int(mode, 8), int(uid), int(gid), int(size or 0), int(inode))
