"""Words that must not be in an image, searched for in every file of its tree, packed ones and the initramfs too."""

import bz2
import getpass
import lzma
import mmap
import os
import re
import socket
import stat
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from build import cache

PROJECT = Path(__file__).parents[2]
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
ARCHIVE = b"070701"
"""What a cpio archive begins with, as an initramfs does that has microcode in front."""
END_OF_ARCHIVE = re.compile(rb"TRAILER!!!\0+")
PACKED: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b\x08", lambda packed: zlib.decompressobj(31).decompress(packed)),
    (b"BZh", lambda packed: bz2.BZ2Decompressor().decompress(packed)),
    (b"\xfd7zXZ\0", lambda packed: lzma.LZMADecompressor().decompress(packed)),
    (b"\x28\xb5\x2f\xfd", lambda packed: _through("zstd", packed)),
)
"""How packed files begin, and what they hold; what follows the packed part is left out."""
ROOT_AT = 128
"""MiB before the root file system of an image for both generations."""


def unpack_root(disk: Path, folder: Path) -> Path:
    """The root file system of an image for both generations, as a tree, without mounting it."""
    partition = folder / "root.img"
    tree = folder / "tree"
    tree.mkdir()
    copy = ("dd", f"if={disk}", f"of={partition}", "bs=1M", f"skip={ROOT_AT}", "conv=sparse", "status=none")
    subprocess.run(copy, check=True)
    dump = ("debugfs", "-R", f"rdump / {tree}", partition)
    subprocess.run(dump, check=True, capture_output=True)
    partition.unlink()
    return tree


def host_words() -> set[bytes]:
    """Words that tell this machine: paths, names, name servers, proxies. Those too short to be telling are left out."""
    resolver = Path("/etc/resolv.conf")
    servers = re.findall(r"^nameserver\s+(\S+)", resolver.read_text() if resolver.exists() else "", re.MULTILINE)
    names = [socket.gethostname(), getpass.getuser()]
    proxies = [os.environ[name] for name in PROXIES if name in os.environ]
    words = [str(PROJECT), str(cache.folder()), *servers, *proxies, *(name for name in names if len(name) > 7)]
    ordinary = {"127.0.0.1", "127.0.0.53", "::1", "1.1.1.1", "8.8.8.8", "localhost"}
    return {word.encode() for word in words if word not in ordinary}


def files_with(words: Iterable[bytes], place: Path, since: float = 0) -> Iterator[Path]:
    """Each file at this place, or below it, that was written since that time (seconds) and holds one of the words.

    Its bytes are looked at as they are, a disk's too: what is packed is `find_words`' to find.
    """
    pattern = re.compile(b"|".join(map(re.escape, sorted(words))))
    for path in (place, *place.rglob("*")) if place.is_dir() else (place,):
        told = path.lstat()
        if stat.S_ISREG(told.st_mode) and told.st_size and told.st_ctime >= since:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if pattern.search(content):
                    yield path


def find_words(tree: Path, words: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Each file (or link's target) of a tree that holds one of the words, packed or not, with each word in it."""
    pattern = re.compile(b"|".join(map(re.escape, sorted(words))))
    for path in sorted(tree.rglob("*")):
        if path.is_symlink():
            contents: Iterable[bytes] = (os.fsencode(path.readlink()),)
        elif path.is_file():
            contents = unpacked(path.read_bytes())
        else:
            continue
        for word in sorted({word for content in contents for word in pattern.findall(content)}):
            yield f"/{path.relative_to(tree)}", word


def _through(program: str, packed: bytes) -> bytes:
    # It complains about what follows the packed part.
    return subprocess.run([program, "-dcq"], input=packed, capture_output=True, check=False).stdout


def unpacked(content: bytes) -> Iterator[bytes]:
    """A file's bytes, and where it is packed, behind archives of an initramfs or not, what they hold."""
    yield content
    at = 0
    while content.startswith(ARCHIVE, at) and (end := END_OF_ARCHIVE.search(content, at)):
        at = end.end()
    for mark, unpack in PACKED:
        if content.startswith(mark, at):
            yield unpack(content[at:])
