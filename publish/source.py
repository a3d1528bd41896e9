"""The file that is sent: a fixed VHD, read once for where its data is and what it is."""

import hashlib
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

from build.digest import BLOCK, non_zero_blocks
from build.errors import CallerError
from build.vhd import FIXED, LENGTH, MIB, read_footer
from publish.blocks import Blocks

CONVERT = "`./kiln convert` makes a fixed VHD of it"


@dataclass(frozen=True)
class Source:
    """A fixed VHD: `size` is its disk's in bytes, without the footer; `digest` that of its content (`build.digest`).

    `blocks` are its non-zero blocks of 64 KiB with a digest of each; `stamp` tells whether the file was changed since.
    """

    path: Path
    size: int
    digest: str
    footer: bytes
    blocks: Blocks = field(repr=False)
    stamp: tuple[int, int, int]

    @property
    def length(self) -> int:
        """Bytes of the whole file."""
        return self.size + LENGTH

    def require_unchanged(self) -> None:
        """Raise CallerError where the file is another than the one that was read."""
        if not self.path.is_file() or _stamp(self.path) != self.stamp:
            raise CallerError(f"{self.path} was changed while it was read", "let it be, and run it again")


def read(path: Path) -> Source:
    """The file at `path`, read to its end.

    Raises CallerError where it is no fixed VHD of whole MiB, or is changed meanwhile.
    """
    size, footer = _shape(path)
    stamp = _stamp(path)
    digest, blocks = hashlib.sha256(struct.pack("<Q", size)), bytearray()
    with path.open("rb", buffering=0) as file:
        for offset, block in non_zero_blocks(file, size):
            digest.update(struct.pack("<QQ", offset, len(block)))
            digest.update(block)
            blocks += Blocks.entry(offset // BLOCK, block)
    source = Source(path, size, digest.hexdigest(), footer, Blocks(bytes(blocks)), stamp)
    source.require_unchanged()
    return source


def _shape(path: Path) -> tuple[int, bytes]:
    """The disk's size in bytes, and the footer."""
    try:
        footer = read_footer(path)
        length = path.stat().st_size
        with path.open("rb") as file:
            file.seek(-min(LENGTH, length), os.SEEK_END)
            raw = file.read(LENGTH)
    except OSError as refusal:
        raise CallerError(f"{path} cannot be read: {refusal.strerror}", "name a fixed VHD") from None
    if footer is None:
        raise CallerError(f"{path} is no VHD: it has no footer", CONVERT)
    if footer.disk_type != FIXED:
        raise CallerError(f"{path} is a dynamic VHD, and Azure takes fixed ones alone", CONVERT)
    if footer.current_size != length - LENGTH:
        raise CallerError(f"{path} is cut or padded: its footer says {footer.current_size} bytes", "copy it again")
    if footer.current_size % MIB:
        raise CallerError(f"{path}: {footer.current_size} bytes are no whole number of MiB, which Azure wants", CONVERT)
    return footer.current_size, raw


def _stamp(path: Path) -> tuple[int, int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns, state.st_ino
