"""The workspace: the one door between a build's steps and the file systems, programs and rights they use.

A workspace lies below the tools tree, so that a plain chroot into the tools tree sees it: no mount is needed, and the
same programs shape the image whatever machine this is. Steps run as root of their own view (see `build.privileges`).
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from build import emulated, wholefile
from build.command import Result, run
from build.errors import RecipeError
from build.privileges import can_mount

WARNINGS = "warnings"
SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
MOST_LINKS = 40
"""As many as Linux follows in one path (path_resolution(7))."""
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}

RESOLVER = ("/etc/resolv.conf", "/etc/hosts")
"""What a program that asks archives needs of this machine; it goes into the tools tree, never into an image."""
PROXIES = tuple(name for kind in ("http", "https", "all", "no") for name in (f"{kind}_proxy", f"{kind.upper()}_PROXY"))

DEVICES_FOR = """\
devices_for() {
    mkdir -p "$1/dev" "$1/proc"
    mount -t tmpfs -o mode=755 dev "$1/dev"
    for name in null zero full random urandom; do
        : >"$1/dev/$name"
        mount --bind "/dev/$name" "$1/dev/$name"
    done
    ln -s /proc/self/fd "$1/dev/fd"
    mount --rbind /proc "$1/proc"
}
"""
INSTALLER = """\
devices_for "$1"
devices_for "$2"
tools=$2
shift 2
exec chroot "$tools" "$@"
"""
"""Gives the tree and the tools tree their devices in a mount namespace that ends with the command behind them."""

WITH_DEVICES = f"""\
{DEVICES_FOR}tree=$1; shift
devices_for "$tree"
while [ "$1" != -- ]; do
    mkdir -p "$tree${{1%/*}}"
    : >"$tree$1"
    shift
done
shift
exec chroot "$tree" "$@"
"""
"""Gives a chroot its devices in a mount namespace that ends with it; empty files first, then the command behind --."""


@dataclass(frozen=True)
class Workspace:
    """A folder below the tools tree in which one image is made.

    `epoch` is the source date in seconds, to which every time in the image is clamped; `log` is the build's log;
    `offline` forbids steps to ask any archive; `credentials` is where lies what an archive of subscribers wants to see;
    `waiting` is told how far a step is that takes long.
    """

    tools: Path
    name: str
    cache: Path
    log: IO[str]
    epoch: int
    offline: bool = False
    credentials: str = ""
    waiting: Callable[[str], None] = lambda text: None

    @property
    def folder(self) -> Path:
        """Where everything of this build lies."""
        return self.tools / "work" / self.name

    @property
    def tree(self) -> Path:
        """The image's root file system as a tree."""
        return self.folder / "tree"

    @property
    def disk(self) -> Path:
        """The disk, raw and sparse; the VHD footer comes last."""
        return self.folder / "disk.vhd"

    def file(self, name: str) -> Path:
        """A file of the build itself, beside the tree."""
        return self.folder / name

    def warn(self, text: str) -> None:
        """Remember what whoever gets the image must be told: it goes into the manifest and onto the screen."""
        if text not in self.warnings():
            with self.file(WARNINGS).open("a") as file:
                print(text, file=file)

    def warnings(self) -> tuple[str, ...]:
        """What `warn` was told, in order."""
        path = self.file(WARNINGS)
        return tuple(path.read_text().splitlines()) if path.is_file() else ()

    def tool(
        self,
        *argv: str | Path,
        text: str | None = None,
        expect: tuple[int, ...] = (0,),
        worth: Callable[[str], bool] = lambda line: True,
    ) -> Result:
        """Run a program of the tools tree; paths below the workspace are translated. `worth`: which of its lines the
        log gets."""
        words = [f"/{word.relative_to(self.tools)}" if isinstance(word, Path) else word for word in argv]
        words = ["chroot", str(self.tools), *_clean_environment(self.epoch), *map(str, words)]
        return run(*words, text=text, log=self.log, expect=expect, worth=worth)

    def installer(self, *argv: str | Path, env: Mapping[str, str], expect: tuple[int, ...] = (0,)) -> Result:
        """Run a package manager of the tools tree, which fills the tree and runs packages' scripts in it.

        It asks archives by the caller's resolver and proxies; tools and tree have devices, and /proc where this
        process may mount it.
        """
        words = [f"/{word.relative_to(self.tools)}" if isinstance(word, Path) else word for word in argv]
        words = [*_clean_environment(self.epoch, {**way_out(), **env}), *words]
        for name in RESOLVER:
            _copy_over(Path(name), self.tools / name.lstrip("/"))
        if can_mount():
            trees = (str(self.tree), str(self.tools))
            script = ("sh", "-ec", f"{DEVICES_FOR}{INSTALLER}", "sh", *trees, *words)
            return run("unshare", "--mount", "--propagation", "private", *script, log=self.log, expect=expect)
        with _plain_devices(self.tree, ()):
            _make_nodes(self.tools / "dev")
            return run("chroot", self.tools, *words, log=self.log, expect=expect)

    def inside(
        self,
        *argv: str,
        empty_files: Iterable[str] = (),
        env: Mapping[str, str] | None = None,
        text: str | None = None,
        isolated: bool = False,
        expect: tuple[int, ...] = (0,),
    ) -> Result:
        """Run a program of the image in the image. `empty_files` exist below /dev while it runs, `text` is its input.

        `isolated` gives it a network of its own without any interface that is up, which takes the right to mount.
        """
        words = (*_clean_environment(self.epoch, env), *argv)
        if can_mount():
            script = ("sh", "-ec", WITH_DEVICES, "sh", str(self.tree), *empty_files, "--", *words)
            namespaces = ("--mount", "--propagation", "private", *(("--net",) if isolated else ()))
            return run("unshare", *namespaces, *script, text=text, log=self.log, expect=expect)
        assert not isolated
        with _plain_devices(self.tree, empty_files):
            return run("chroot", self.tree, *words, text=text, log=self.log, expect=expect)

    def path(self, inside: str) -> Path:
        """Where a path of the image lies, with its parent's links followed inside the image."""
        *parents, name = Path(inside).parts
        return resolved(self.tree, parents) / name if parents else self.tree

    def write(self, inside: str, content: str | bytes, mode: int = 0o644) -> None:
        """Put a file of root's into the image, in place of what is there."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.remove(inside)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)

    def remove(self, inside: str) -> None:
        """Take a file, link or folder out of the image, if it is there."""
        path = self.path(inside)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def empty(self, inside: str) -> None:
        """Take everything out of a folder of the image; the folder stays."""
        path = self.path(inside)
        for entry in path.iterdir() if path.is_dir() and not path.is_symlink() else ():
            self.remove(f"{inside}/{entry.name}")

    def glob(self, pattern: str) -> list[str]:
        """Paths of the image that match, sorted. `pattern` is absolute, in the image's terms."""
        return sorted(f"/{found.relative_to(self.tree)}" for found in self.tree.glob(pattern.lstrip("/")))


def _clean_environment(epoch: int, more: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Nothing of the caller's environment may reach an image: neither its language nor its proxies."""
    values = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", "SOURCE_DATE_EPOCH": str(epoch)}
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "MTOOLS_SKIP_CHECK": "1", **emulated.ENVIRONMENT}
    return ("/usr/bin/env", "-i", *(f"{name}={value}" for name, value in {**values, **quiet, **(more or {})}.items()))


def resolved(root: Path, parts: Sequence[str]) -> Path:
    """Where a path leads in a tree, all its links followed as a chroot would: none leaves the root.

    Raises RecipeError where links go round in circles.
    """
    here: list[str] = []
    todo, links = list(reversed(parts)), 0
    while todo:
        part = todo.pop()
        path = root.joinpath(*here, part)
        if part == "/":
            here = []
        elif part == "..":
            here = here[:-1]
        elif path.is_symlink():
            links += 1
            if links > MOST_LINKS:
                raise RecipeError(f"the image's links go round in circles at /{path.relative_to(root)}")
            todo.extend(reversed(path.readlink().parts))
        else:
            here.append(part)
    return root.joinpath(*here)


def way_out() -> dict[str, str]:
    """The caller's proxies: of all the environment only the way to the archives may reach a package manager."""
    return {name: os.environ[name] for name in PROXIES if name in os.environ}


def _copy_over(source: Path, target: Path) -> None:
    """Put a copy in place at once, whoever else reads or does the same; what this machine lacks is left out."""
    try:
        content = source.read_bytes()
    except OSError:
        return
    wholefile.write(target, content, wholefile.PUBLIC)


def _make_nodes(dev: Path) -> None:
    """The devices that this process may make."""
    for name, (major, minor) in DEVICES.items():
        with suppress(FileExistsError, PermissionError):
            os.mknod(dev / name, 0o20666, os.makedev(major, minor))
            (dev / name).chmod(0o666)


@contextmanager
def _plain_devices(tree: Path, empty_files: Iterable[str]) -> Iterator[None]:
    """What a machine without the right to mount can give: nodes where it may make them, else plain files."""
    dev = tree / "dev"
    dev.mkdir(exist_ok=True)
    _make_nodes(dev)
    for path in empty_files:
        (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tree / path.lstrip("/")).touch()
    try:
        yield
    finally:
        shutil.rmtree(dev)
        dev.mkdir(mode=0o755)
