"""Debian's kernel under the version that a recipe's kernel has: what `uname -r` tells is also its folder of modules.

The version is changed where the kernel holds it (init_uts_ns), in the compressed program inside the bzImage
(Documentation/arch/x86/boot.rst, payload_offset). Modules compare another text, which stays. The signature for Secure
Boot holds no more.
"""

import struct
from pathlib import Path

from build import cache
from build.errors import Bug
from build.workspace import Workspace

SECTOR = 512
SETUP_SECTORS, PAYLOAD = 0x1F1, 0x248
"""Offsets in a bzImage: sectors of real-mode code less one; where in what follows the program lies, and its length."""
SIZE_AT_END = 4
"""The payload's last bytes: the program's size, which kbuild appends to what zstd makes."""
FIELD = 65
"""Bytes of each field of struct new_utsname; the name of the node, "(none)", stands before the release."""
SECTIONS = 0x28
"""Offset of the section table's offset in an ELF file; 0x3A and 0x3C hold an entry's size and their number."""


def name_for(debian: str, marks: tuple[str, ...]) -> str:
    """The version with one of the marks: Debian's own where it has one already, or where none is asked for.

    "6.12.9+deb13-cloud-amd64" becomes "6.12.9-1-default" for "-default", "6.12.9-1.el9.x86_64" for ".el9.".
    """
    if not marks or any(mark in debian for mark in marks):
        return debian
    mark = marks[0].rstrip("._")
    return f"{debian.partition('+')[0].partition('-')[0]}-1{mark}{'.x86_64' if mark.startswith('.') else ''}"


def image(work: Workspace, source: Path, old: str, new: str) -> Path:
    """The kernel `source` with the version `new` in place of `old`, in the cache."""
    if old == new:
        return source
    made = cache.folder() / "standin-kernels" / f"{work.tools.name}-{new}"
    with cache.locked(f"standin-kernel-{made.name}"):
        if not made.exists():
            made.parent.mkdir(exist_ok=True)
            fresh = made.with_suffix(".partial")
            fresh.write_bytes(_changed(work, source.read_bytes(), old, new))
            fresh.rename(made)
    return made


def _changed(work: Workspace, kernel: bytes, old: str, new: str) -> bytes:
    offset, length = struct.unpack_from("<II", kernel, PAYLOAD)
    begin = (kernel[SETUP_SECTORS] + 1) * SECTOR + offset
    end = begin + length - SIZE_AT_END
    program = _zstd(work, kernel[begin:end], "--decompress")
    payload = _zstd(work, without_sections(with_release(program, old, new)), "--ultra", "-22", "--no-check")
    if begin + len(payload) > end:
        raise Bug(f"the kernel called {new} is {begin + len(payload) - end} bytes too long", "zstd packs it otherwise")
    # The kernel's decompressor looks for the end of the frame itself: what follows does not matter.
    return kernel[:begin] + payload.ljust(end - begin, b"\0") + kernel[end:]


def with_release(program: bytes, old: str, new: str) -> bytes:
    """The program with another release in its struct new_utsname."""
    node = b"(none)".ljust(FIELD, b"\0")
    found = node + old.encode().ljust(FIELD, b"\0")
    if found not in program:
        raise Bug(f"the kernel's version is not {old}", "its file's name says otherwise")
    return program.replace(found, node + new.encode().ljust(FIELD, b"\0"))


def without_sections(program: bytes) -> bytes:
    """The program without its table of sections, which nothing reads: room for what another version takes."""
    table = int.from_bytes(program[SECTIONS : SECTIONS + 8], "little")
    size, number = int.from_bytes(program[0x3A:0x3C], "little"), int.from_bytes(program[0x3C:0x3E], "little")
    return program[:table] + b"\0" * (size * number) + program[table + size * number :]


def _zstd(work: Workspace, content: bytes, *words: str) -> bytes:
    before, after = work.file("kernel.before"), work.file("kernel.after")
    before.write_bytes(content)
    work.tool("zstd", "--quiet", "--force", *words, before, "-o", after)
    return after.read_bytes()
