"""The kernels that an image can boot: configuration, modules on disk and built in, by version."""

import posixpath
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.initrd import Initrd, read_initrd
from harness.tree import Tree, Unreadable

BOOT_DRIVERS = ("hv_vmbus", "hv_storvsc", "hv_netvsc")
"""Without the first two no disk of Hyper-V is found, without the third no network."""
_LARGEST_INITRD = 512 << 20


@dataclass(frozen=True)
class Kernel:
    """One kernel. `config` holds the options that are set ("y", "m" or a value) without their CONFIG_.

    `modules` and `builtin` are module names with underscores.
    """

    version: str
    config: Mapping[str, str] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()
    builtin: frozenset[str] = frozenset()

    def has(self, module: str) -> bool:
        """Whether it can use this driver, as a module or built in."""
        return module.replace("-", "_") in self.modules | self.builtin


def read_kernels(tree: Tree) -> Mapping[str, Kernel] | None:
    """The image's kernels by version, None where there is none."""
    booted = (path.removeprefix("/boot/vmlinuz-") for path in tree.glob("/boot/vmlinuz-*"))
    kept = (path.split("/")[4] for path in tree.glob("/usr/lib/modules/*/vmlinuz"))
    found = {version: read_kernel(tree, version) for version in sorted({*booted, *kept}) if "rescue" not in version}
    return found or None


def read_kernel(tree: Tree, version: str) -> Kernel:
    """The kernel of this version, as far as its configuration and modules are on the disk."""
    folder = f"/lib/modules/{version}"
    config = tree.read_text(f"/boot/config-{version}") or tree.read_text(f"{folder}/config")
    dependencies = tree.read_text(f"{folder}/modules.dep", 16 << 20)
    return Kernel(
        version,
        {
            name.removeprefix("CONFIG_"): value.strip('"')
            for name, equals, value in (line.partition("=") for line in config.splitlines())
            if equals and name.startswith("CONFIG_")
        },
        _names(line.partition(":")[0] for line in dependencies.splitlines()),
        _names(tree.read_text(f"{folder}/modules.builtin").splitlines()),
    )


def _names(paths: Iterable[str]) -> frozenset[str]:
    return frozenset(posixpath.basename(path).partition(".ko")[0].replace("-", "_") for path in paths)


def release_numbers(version: str) -> tuple[int, ...]:
    """A version's numbers up to its first word: 4.18.0-80.4.2.el8_0.x86_64 has six."""
    found = re.match(r"\d+(?:[.-]\d+)*", version)
    return tuple(int(number) for number in re.findall(r"\d+", found[0])) if found else ()


def initrd_path(tree: Tree, version: str) -> str:
    """Where a kernel's initramfs lies, "" where it has none."""
    names = (f"initrd.img-{version}", f"initramfs-{version}.img", f"initrd-{version}")
    return next((f"/boot/{name}" for name in names if tree.is_file(f"/boot/{name}")), "")


def read_initrds(tree: Tree, kernels: Mapping[str, Kernel], scratch: Path) -> Mapping[str, Initrd] | None:
    """The initramfs of each kernel that has one, by version; None where none has.

    Raises Unreadable where one is there and cannot be read.
    """
    found = {version: _read(tree, path, scratch) for version in kernels if (path := initrd_path(tree, version))}
    return found or None


def _read(tree: Tree, path: str, scratch: Path) -> Initrd:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        copy = Path(folder, "initrd")
        tree.copy(path, _LARGEST_INITRD, copy)
        return unpack(path, copy)


def unpack(path: str, copy: Path) -> Initrd:
    """The initramfs in the file `copy`; `path` is what people call it. Raises Unreadable where it is damaged."""
    try:
        return read_initrd(copy, keep=("conf/*", "etc/cmdline.d/*"))
    except Unreadable as broken:
        raise Unreadable(f"{path}: {broken.what}", broken.hint) from None
