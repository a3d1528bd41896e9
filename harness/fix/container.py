"""Repairs of what makes a raw disk a VHD: its size, both copies of its partition table, and its footer.

The footer is written anew after every repair. What must be proven is how many bytes of the file are the disk.
"""

import os
from collections.abc import Set
from dataclasses import dataclass, replace
from pathlib import Path

from build.digest import content_digest, disk_id
from build.gpt import NotADisk
from build.gptgrow import mend
from build.vhd import COOKIE, EPOCH, LENGTH, MIB, append_footer
from harness.diskfacts import DiskFacts
from harness.fix.repair import Unsafe

FOOTER = ("vhd.fixed", "vhd.cookie", "vhd.checksum", "vhd.type", "vhd.geometry", "vhd.length", "vhd.resize-raw")
ALIGNMENT = "vhd.align"
TABLE = "part.table"
IDS = (*FOOTER, ALIGNMENT, TABLE)
BEYOND = ("differ", "overlap", "is empty", "behind the disk's last", "protective")
"""Words in what `build.gpt` says of a table that no other copy repairs."""


@dataclass(frozen=True)
class Shape:
    """The disk that a file holds: `length` bytes of the file are its content, it is to have `size` bytes.

    `footer` tells whether it is to have one, with `timestamp` in seconds since 1970, `table` whether its GPT is to be
    written anew.
    """

    length: int
    size: int
    footer: bool
    timestamp: int
    table: bool = False


def shape(disk: DiskFacts, ids: Set[str]) -> Shape:
    """How a raw disk or fixed VHD is to be once these findings of IDS are repaired.

    Raises Unsafe where it is not certain which bytes are the disk, or these repairs do not go without others.
    """
    if disk.container not in ("raw", "fixed VHD") and not disk.container.startswith("VHD of type"):
        raise Unsafe(f"a {disk.container} is made a fixed VHD by `./kiln convert`")
    sound = disk.footer is not None and disk.cookie == COOKIE and disk.checksum_is_right
    if disk.footer and not sound and not ids & set(FOOTER):
        raise Unsafe("the footer is damaged, and must be repaired as well")
    length = _length(disk, disk.file_size - LENGTH, sound) if disk.footer else disk.file_size
    footer = disk.footer is not None or "vhd.fixed" in ids
    size = -(-length // MIB) * MIB if ALIGNMENT in ids else length
    if footer and size % MIB:
        raise Unsafe(f"no VHD can be made of {length} bytes: {ALIGNMENT} must be repaired as well")
    timestamp = disk.footer.timestamp if disk.footer and sound else EPOCH
    now = Shape(length, size, footer, timestamp)
    return replace(now, table=_needs_table(disk, size != length, TABLE in ids)) if ids else now


def _length(disk: DiskFacts, before_footer: int, sound: bool) -> int:
    """Bytes of the disk in front of a footer."""
    assert disk.footer
    told = disk.footer.current_size
    if told == before_footer or not sound:
        return before_footer
    if told > before_footer:
        raise Unsafe(f"the file is cut: {told - before_footer} bytes of the disk are missing")
    if _something(disk.path, told, before_footer):
        raise Unsafe("there is something between the end of the disk and the footer")
    return told


def _something(path: Path, start: int, end: int) -> bool:
    """Whether there is anything but zeros between two offsets."""
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (piece := file.read(min(MIB, end - start))):
            if any(piece):
                return True
            start += len(piece)
    return False


def _needs_table(disk: DiskFacts, grown: bool, mended: bool) -> bool:
    """Whether the GPT is to be written anew. A whole table is what proves that the bytes are a disk of that size.

    `mended` tells whether the table itself may be repaired. Raises Unsafe.
    """
    if disk.table is None:
        raise Unsafe(f"the disk has no readable partition table: {disk.table_problem}")
    problems = " ".join(disk.table.problems)
    if disk.table.kind != "gpt":
        if problems:
            raise Unsafe(f"an MBR has no second copy to repair it by: {problems}")
        return False
    if found := next((word for word in BEYOND if word in problems), ""):
        raise Unsafe(f"the whole copy of the partition table cannot be told, or is wrong itself ({found}): {problems}")
    if problems and not mended:
        raise Unsafe(f"{TABLE} must be repaired as well: {problems}")
    return grown or bool(problems)


def reshape(copy: Path, now: Shape) -> None:
    """Cut the footer off, grow the disk, and write its table anew. Raises Unsafe where the table cannot be."""
    os.truncate(copy, now.length)
    if now.size > now.length:
        os.truncate(copy, now.size)
    if now.table:
        try:
            mend(copy, now.size)
        except NotADisk as reason:
            raise Unsafe(reason.what) from None


def seal(copy: Path, now: Shape) -> str:
    """Append the footer, if the disk is to have one; gives back the digest of its content."""
    digest = content_digest(copy, now.size)
    if now.footer:
        append_footer(copy, disk_id(digest), now.timestamp)
    return digest
