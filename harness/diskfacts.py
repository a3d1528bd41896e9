"""A disk file as its container: what format it has, what its footer says, and its partitions. Findings, not errors:
even a damaged file is described as far as it goes, so that checks can say what is wrong with it.
"""

import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from build.command import CommandFailed, run
from build.diskfile import QCOW2, VHDX, recognise, size_told, stands_on_another
from build.errors import CallerError
from build.gpt import NotADisk, Partition, PartitionTable, read_table
from build.vhd import CHECKSUM_AT, COOKIE, DIFFERENCING, DYNAMIC, FIXED, LENGTH, Footer
from harness.filesystem import FileSystem, identify
from harness.volume import Volume
from harness.volumes import find_volumes

_TYPES = {FIXED: "fixed VHD", DYNAMIC: "dynamic VHD", DIFFERENCING: "differencing VHD"}
_PACKED = {QCOW2: "qcow2", VHDX: "VHDX"}
_FOOTER_FIELDS = bytes.fromhex("0000000200010000")
"""`features` and the format version, which no footer has otherwise."""


@dataclass(frozen=True)
class DiskFacts:
    """A disk file and what it says of itself. Sizes are in bytes, `virtual_size` is 0 where nothing tells it.

    `content` is a file with the disk's bytes from its first on: the file itself, or a raw copy of one in another
    format. `container` is "fixed VHD", "dynamic VHD", "differencing VHD", "VHDX", "qcow2" or "raw". `footer` holds the
    fields of the last 512 bytes if they look like a footer, sound or not; `cookie` and `checksum_is_right` tell.
    `unreadable` says why nothing is known of what the disk holds, where that is so.
    """

    path: Path
    content: Path
    container: str
    file_size: int
    virtual_size: int
    footer: Footer | None = None
    cookie: bytes = b""
    checksum_is_right: bool = True
    unreadable: str = ""
    table: PartitionTable | None = None
    table_problem: str = ""
    filesystems: dict[int, FileSystem] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    """Its partitions and logical volumes, the likeliest root first."""
    volume_problems: tuple[str, ...] = ()
    """Which of LVM's volumes cannot be read, and why."""
    unread: str = ""
    """Why its content cannot be read, "" where it can: then only its container is judged."""

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the disk; fewer where it ends."""
        with self.content.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """Its partitions; none without a readable table."""
        return self.table.partitions if self.table else ()

    def holders(self, filesystem: FileSystem) -> tuple[Partition, ...]:
        """The partitions that a file system lies on, by itself or in a logical volume."""
        numbers = {number for one in self.volumes if one.filesystem is filesystem for number in one.partitions}
        return tuple(one for one in self.partitions if one.number in numbers)


def read_disk(path: Path, scratch: Path) -> DiskFacts:
    """The facts about a disk file; other formats than raw and fixed VHD are unpacked, sparse, into `scratch`.

    Raises CallerError where the file is no disk at all: neither a footer nor a partition table.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(LENGTH)
        file.seek(max(0, size - LENGTH))
        tail = file.read(LENGTH)
    if not _looks_like_a_footer(tail) and not head.startswith(COOKIE):
        container = next((name for magic, name in _PACKED.items() if head.startswith(magic)), "raw")
        facts = DiskFacts(path, path, container, size, size_told(path))
        return _with_table(facts) if container == "raw" else _unpacked(facts, scratch)
    if not _looks_like_a_footer(tail):
        footer, sound = _fields(head), head[CHECKSUM_AT] == checksum(head)
        facts = DiskFacts(path, path, "dynamic VHD", size, footer.current_size, footer, head[:8], sound)
        return replace(facts, unread="the footer at its end is missing: the file is cut")
    footer = _fields(tail)
    container = _TYPES.get(footer.disk_type, f"VHD of type {footer.disk_type}")
    if container == "dynamic VHD" and not head.startswith(COOKIE):
        # Such a disk has its footer twice: without the copy in front, what is wrong is the type.
        container = f"VHD of type {footer.disk_type}"
    facts = DiskFacts(
        path, path, container, size, footer.current_size, footer, tail[:8], tail[CHECKSUM_AT] == checksum(tail)
    )
    if container == "differencing VHD":
        return replace(facts, unread="a differencing VHD is nothing without its parent")
    return _unpacked(facts, scratch) if container == "dynamic VHD" else _with_table(facts)


def checksum(footer: bytes) -> bytes:
    """The checksum that these 512 bytes should have: one's complement of the sum of the others."""
    total = sum(footer) - sum(footer[CHECKSUM_AT])
    return (~total & 0xFFFFFFFF).to_bytes(4, "big")


def _looks_like_a_footer(tail: bytes) -> bool:
    return len(tail) == LENGTH and (tail.startswith(COOKIE) or tail[8:16] == _FOOTER_FIELDS)


def _fields(tail: bytes) -> Footer:
    """The footer's fields, whatever its cookie and checksum."""
    sound = COOKIE + tail[8:]
    return Footer.parse(sound[: CHECKSUM_AT.start] + checksum(sound) + sound[CHECKSUM_AT.stop :])


def _unpacked(facts: DiskFacts, scratch: Path) -> DiskFacts:
    """With its content in a sparse file of `scratch`. No other file than this one is ever opened for it."""
    if part := stands_on_another(facts.path):
        return replace(facts, unread=part)
    copy = Path(tempfile.mkdtemp(dir=scratch), "disk.raw")
    try:
        disk = recognise(facts.path)
        run("qemu-img", "convert", "-U", "-S", "4k", "-O", "raw", disk.source, copy)
    except CallerError as damaged:
        return replace(facts, unread=damaged.what)
    except CommandFailed as failed:
        return replace(facts, unread=f"the {facts.container} file cannot be unpacked: {failed.output.strip()}")
    return _with_table(replace(facts, content=copy, virtual_size=disk.virtual_size))


def _with_table(facts: DiskFacts) -> DiskFacts:
    if facts.unreadable:
        return facts
    size = min(facts.virtual_size, _length(facts.content))
    try:
        with facts.content.open("rb") as file:
            table = read_table(file, size)
    except NotADisk as nothing:
        if facts.container == "raw":
            raise CallerError(f"{facts.path} is not a disk: {nothing.what}", nothing.hint) from None
        return _partitioned(facts, None, nothing.what)
    return _partitioned(facts, table)


def _partitioned(facts: DiskFacts, table: PartitionTable | None, problem: str = "") -> DiskFacts:
    found = {one.number: identify(facts.read, one.offset) for one in table.partitions} if table else {}
    facts = replace(facts, table=table, table_problem=problem, filesystems=found)
    if not table:
        return facts
    volumes, problems = find_volumes(facts.content, table.partitions, found)
    return replace(facts, volumes=volumes, volume_problems=problems)


def _length(path: Path) -> int:
    with path.open("rb") as file:
        return file.seek(0, os.SEEK_END)
