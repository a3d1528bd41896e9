"""Traces of the machine that built an image, searched for in every file of its tree."""

import getpass
import os
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from build import cache

PROJECT = Path(__file__).parents[2]
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
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


def find_words(tree: Path, words: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Each file (or link's target) of a tree that holds one of the words, and the word."""
    pattern = re.compile(b"|".join(map(re.escape, sorted(words))))
    for path in sorted(tree.rglob("*")):
        if path.is_symlink():
            content = os.fsencode(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        else:
            continue
        if found := pattern.search(content):
            yield f"/{path.relative_to(tree)}", found[0]
