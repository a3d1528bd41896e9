"""What is packed, streamed: gzip, bzip2, xz, lzma, zstd and lz4. The last two go through their programs, as Python 3.11
has neither."""

import bz2
import gzip
import lzma
import os
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import IO, BinaryIO

from build.command import find
from harness.tree import Unreadable

DAMAGES = (EOFError, OSError, lzma.LZMAError, zlib.error)
"""What a damaged file raises while it is unpacked; a program's output merely ends."""
_MARKS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"]\0\0": "lzma",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x02\x21\x4c\x18": "lz4",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x89LZO": "lzo",
}


def packed_by(head: bytes) -> str:
    """How what begins like this is packed, "" where it is not known to be."""
    return next((name for mark, name in _MARKS.items() if head.startswith(mark)), "")


@contextmanager
def unpacked(file: BinaryIO, how: str) -> Iterator[IO[bytes]]:
    """What is packed in the file from where it stands. Raises Unreadable for a way that is not understood, MachineError
    where a program is missing; what is damaged raises one of DAMAGES when it is read."""
    openers = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open, "lzma": lzma.open}
    if how in openers:
        with closing(openers[how](file)) as stream:  # type: ignore[operator]
            yield stream
    elif how in ("zstd", "lz4"):
        yield from _through(find(how), file)
    else:
        raise Unreadable(f"it is packed by {how}, which Kiln does not read", "pack it with zstd or gzip")


def _through(program: str, file: BinaryIO) -> Iterator[IO[bytes]]:
    """The output of a program that unpacks; it is ended early where nobody reads on."""
    # The program reads from the descriptor's own offset, which buffering has moved on.
    os.lseek(file.fileno(), file.tell(), os.SEEK_SET)
    with subprocess.Popen((program, "-dc"), stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        try:
            assert running.stdout is not None
            yield running.stdout
        finally:
            running.kill()
