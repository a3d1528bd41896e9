"""Unified kernel images: kernel, initramfs and command line as sections of one EFI program (UAPI group).

They lie in EFI/Linux of the EFI partition or of /boot (Boot Loader Specification, type 2). Their sections are read by
harness.pe.
"""

import posixpath
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from harness.grub import Entry, version_order
from harness.initrd import Initrd
from harness.kernels import Kernel, read_kernel, unpack
from harness.pe import NotPe, contents
from harness.tree import Tree, Unreadable

FOLDER = "/EFI/Linux"
LARGEST = 256 << 20
_MOST_IMAGES = 16
_LONGEST = 64 << 10
_FALLBACKS = ("/EFI/BOOT/BOOTX64.EFI", "/EFI/BOOT/BOOTAA64.EFI")
_SYSTEMD_BOOT = b"LoaderInfo: systemd-boot"


@dataclass(frozen=True)
class Unified:
    """One such image: `path` is on its own partition, `version` is the kernel's (uname -r), "" where it is not told.

    `args` is the command line in it; `initrd` is None where it has none.
    """

    path: str
    version: str
    args: tuple[str, ...]
    has_kernel: bool
    initrd: Initrd | None

    @property
    def name(self) -> str:
        """The file's name, which boot loaders take for its id."""
        return posixpath.basename(self.path)

    @property
    def entry(self) -> Entry:
        """As a boot loader's menu shows it."""
        path = self.path if self.has_kernel else ""
        inside = (self.path,) if self.initrd else ()
        return Entry(self.name, self.version or self.name, self.name, path, self.args, inside, unified=True)


def read_unified(esp: Tree | None, tree: Tree, scratch: Path) -> tuple[Unified, ...]:
    """The image's unified kernel images, the newest first. Raises Unreadable where one is damaged."""
    places = [(esp, FOLDER)] if esp else []
    places += [(tree, f"{point}{FOLDER}") for point in ("/boot", "/boot/efi", "/efi")]
    found: dict[str, Unified] = {}
    for where, folder in places:
        for path in where.glob(f"{folder}/*.efi")[:_MOST_IMAGES]:
            found.setdefault(posixpath.basename(path).lower(), _read(where, path, scratch))
    return tuple(sorted(found.values(), key=lambda one: version_order(one.name), reverse=True))


def _read(tree: Tree, path: str, scratch: Path) -> Unified:
    raw = tree.read_bytes(path, LARGEST)
    try:
        parts = contents(raw)
    except NotPe as broken:
        raise Unreadable(f"{path} is no EFI program: {broken}", "was it written to its end?") from None
    initrd = _initrd(path, parts[".initrd"], scratch) if parts.get(".initrd") else None
    version, words = (_text(parts.get(name, b"")) for name in (".uname", ".cmdline"))
    return Unified(path, version, tuple(words.split()), bool(parts.get(".linux")), initrd)


def _initrd(path: str, content: memoryview, scratch: Path) -> Initrd:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        copy = Path(folder, "initrd")
        copy.write_bytes(content)
        return unpack(path, copy)


def _text(raw: bytes | memoryview) -> str:
    return bytes(raw[:_LONGEST]).partition(b"\0")[0].decode("utf-8", "replace").strip()


def chosen(images: tuple[Unified, ...], esp: Tree | None) -> Entry | None:
    """The entry that a boot loader starts by itself: the one that loader.conf (systemd-boot) names, or the newest."""
    wanted = ""
    for line in (esp.read_text("/loader/loader.conf") if esp else "").splitlines():
        key, _, value = line.strip().partition(" ")
        wanted = value.strip().lower() if key == "default" else wanted
    named = [one for one in images if wanted and fnmatchcase(one.name.lower(), wanted)]
    return next((one.entry for one in (*named, *images)), None)


def starts_unified(images: tuple[Unified, ...], esp: Tree | None) -> bool:
    """Whether the firmware starts systemd-boot, which lists these images and not GRUB's menu."""
    return bool(images) and any(esp is not None and _SYSTEMD_BOOT in esp.read_bytes(path) for path in _FALLBACKS)


def kernels_of(images: tuple[Unified, ...], tree: Tree, known: Mapping[str, Kernel]) -> Mapping[str, Kernel]:
    """The kernels in these images, by version, or by version and file where the image has one of that version apart."""
    found = {}
    for one in images:
        if one.has_kernel and one.version:
            name = label(one, known)
            found[name] = replace(read_kernel(tree, one.version), version=name)
    return found


def initrds_of(images: tuple[Unified, ...], known: Mapping[str, Kernel]) -> Mapping[str, Initrd]:
    """What these images have for an initramfs, by the same names."""
    return {label(one, known): one.initrd for one in images if one.has_kernel and one.version and one.initrd}


def label(image: Unified, known: Mapping[str, Kernel]) -> str:
    """What its kernel is called beside the `known` ones."""
    return f"{image.version} in {image.name}" if image.version in known else image.version
