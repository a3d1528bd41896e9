"""The kernel and its initramfs, where the image's own dracut makes it: once all is installed, for any machine.

File names in /boot follow what kernel-install's plugins of the distributions write there.
"""

import re
import shutil
from dataclasses import dataclass

from build.errors import RecipeError
from build.workspace import Workspace
from distros.recipe import Initramfs

MODULES = "/usr/lib/modules"
BESIDE = {
    "vmlinuz": "vmlinuz-{kernel}",
    "Image": "Image-{kernel}",
    "System.map": "System.map-{kernel}",
    "config": "config-{kernel}",
    "dtb": "dtb-{kernel}",
    "symvers.gz": "symvers-{kernel}.gz",
    "symvers.xz": "symvers-{kernel}.xz",
    ".vmlinuz.hmac": ".vmlinuz-{kernel}.hmac",
}
"""What packages keep in a kernel's folder of modules, and its name in /boot."""


@dataclass(frozen=True)
class MakeInitramfs:
    """Put the kernel into /boot where no package has, and make its initramfs. `marks` tell the kernel's flavour."""

    initramfs: Initramfs
    marks: tuple[str, ...]

    def describe(self) -> str:
        """Its title, and what it comes to."""
        drivers = " ".join(self.initramfs.drivers)
        return f"Make the initramfs for any machine with {self.initramfs.tool}\n    with the drivers {drivers}"

    def run(self, work: Workspace) -> None:
        """By the image's own dracut; updates inside a VM keep to the same by the file in dracut.conf.d."""
        kernel = chosen_kernel(work, self.marks)
        self._place_kernel(work, kernel)
        drivers = " ".join(self.initramfs.drivers)
        work.write(
            "/etc/dracut.conf.d/azure.conf",
            f'# The disk and the network of an Azure VM, whatever machine the initramfs is made on.\nhostonly="no"\n'
            f'add_drivers+=" {drivers} "\n',
        )
        target = self.initramfs.name.format(kernel=kernel)
        work.path("/var/tmp").mkdir(parents=True, exist_ok=True)
        work.inside(
            *("dracut", "--force", "--no-hostonly", "--no-hostonly-cmdline", "--reproducible", "--kver", kernel),
            *("--add-drivers", drivers, target),
            # Only some who build may make device nodes; the kernel brings /dev/console, and devtmpfs the others.
            env={"DRACUT_NO_MKNOD": "1"},
        )
        if not work.path(target).is_file():
            raise RecipeError(f"dracut made no {target}", "the build's log has its output")
        for link, pattern in self.initramfs.links:
            work.remove(link)
            work.path(link).symlink_to(pattern.format(kernel=kernel))

    def _place_kernel(self, work: Workspace, kernel: str) -> None:
        folder = work.path(f"{MODULES}/{kernel}/vmlinuz").parent
        work.path("/boot/vmlinuz").parent.mkdir(exist_ok=True)
        for name, pattern in BESIDE.items():
            source, target = folder / name, work.path(f"/boot/{pattern.format(kernel=kernel)}")
            if source.is_file() and not target.exists():
                target.unlink(missing_ok=True)
                shutil.copy2(source, target)


def chosen_kernel(work: Workspace, marks: tuple[str, ...]) -> str:
    """The version of the newest kernel of that flavour in the tree. Raises RecipeError where there is none."""
    there = {path.split("/")[-2] for path in work.glob(f"{MODULES}/*/vmlinuz")}
    there |= {path.removeprefix("/boot/vmlinuz-") for path in work.glob("/boot/vmlinuz-*")}
    # A system that keeps its kernels elsewhere has their modules all the same.
    there = there or {path.split("/")[-1] for path in work.glob(f"{MODULES}/*")}
    own = [version for version in there if not marks or any(mark in version for mark in marks)]
    if not own:
        found = ", ".join(sorted(there)) or "none at all"
        raise RecipeError(f"no kernel is installed whose version has {' or '.join(marks) or 'any'}: {found}")
    return max(own, key=version_order)


def version_order(version: str) -> list[tuple[int, str]]:
    """What puts versions into their order: numbers count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|[a-zA-Z]+", version)]
