"""The disk itself: table and file systems, written into one sparse file without a loop device or a mount."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from build.capacity import least_root
from build.errors import CallerError
from build.grub import STUB
from build.layout import MIB, Layout
from build.workspace import Workspace
from distros.recipe import Grub

CHUNK = MIB
ESP_FOLDER = "esp"
MKE2FS = "/usr/sbin/mke2fs"


@dataclass(frozen=True)
class WriteFstab:
    """Mounts by UUID: device names differ between Azure's disk controllers."""

    layout: Layout

    def describe(self) -> str:
        """What a plan shows."""
        return "Write /etc/fstab by UUID"

    def run(self, work: Workspace) -> None:
        """The root file system grows to its partition when it is mounted (x-systemd.growfs)."""
        lines = [f"UUID={self.layout.root_uuid} / ext4 discard,errors=remount-ro,x-systemd.growfs 0 1"]
        if self.layout.esp:
            work.path("/boot/efi").mkdir(exist_ok=True)
            serial = f"{self.layout.esp_serial[:4]}-{self.layout.esp_serial[4:]}"
            lines.append(f"UUID={serial} /boot/efi vfat umask=0077 0 1")
        work.write("/etc/fstab", "\n".join(lines) + "\n")


@dataclass(frozen=True)
class PartitionDisk:
    """A sparse disk of the wanted size with its partition table."""

    layout: Layout

    def describe(self) -> str:
        """What a plan shows."""
        slots = [slot.name for slot in (self.layout.bios, self.layout.esp, self.layout.root) if slot]
        return f"Make a disk of {self.layout.size // MIB} MiB: {self.layout.label.upper()} with {', '.join(slots)}"

    def run(self, work: Workspace) -> None:
        """An earlier attempt's disk is dropped."""
        work.disk.unlink(missing_ok=True)
        with work.disk.open("wb") as disk:
            disk.truncate(self.layout.size)
        work.tool("/usr/sbin/sfdisk", "--quiet", "--no-tell-kernel", work.disk, text=self.layout.script())


@dataclass(frozen=True)
class FillRoot:
    """The root file system, made from the tree in one go."""

    layout: Layout
    features: str

    def describe(self) -> str:
        """What a plan shows."""
        return f"Make the root file system (ext4) of {self.layout.root.size // MIB} MiB from the tree"

    def run(self, work: Workspace) -> None:
        """The disk's blocks read as zeros: neither inode tables nor journal need writing, now or at first mount."""
        root = self.layout.root
        if (least := least_root(work.tree)) > root.size:
            size = (self.layout.size - root.size + least) // MIB
            raise CallerError(
                f"a disk of {self.layout.size // MIB} MiB is too small for what is installed",
                f"it takes at least --size {size}M",
            )
        options = f"offset={root.start},hash_seed={self.layout.root_uuid},lazy_itable_init=0,lazy_journal_init=1"
        work.tool(
            *(MKE2FS, "-q", "-F", "-t", "ext4", "-b", "4096", "-L", "root", "-U", self.layout.root_uuid),
            *("-O", self.features, "-E", options, "-d", work.tree, work.disk, f"{root.size // 1024}k"),
        )


@dataclass(frozen=True)
class StageEsp:
    """What will lie on the EFI system partition, put together beside the tree."""

    layout: Layout
    grub: Grub

    def describe(self) -> str:
        """What a plan shows."""
        return "Put the signed loaders together for the EFI system partition"

    def run(self, work: Workspace) -> None:
        """An earlier attempt's folder is dropped."""
        staged = work.file(ESP_FOLDER)
        shutil.rmtree(staged, ignore_errors=True)
        stub = STUB.format(uuid=self.layout.root_uuid, folder=self.grub.folder).encode()
        loaders = [(target, work.path(source).read_bytes()) for source, target in self.grub.loaders]
        for target, content in [*loaders, *((path, stub) for path in self.grub.stubs)]:
            path = staged / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@dataclass(frozen=True)
class ClearMountPoint:
    """What packages put below the ESP's mount point goes: the ESP has it, and would hide it."""

    def describe(self) -> str:
        """What a plan shows."""
        return "Take out of the tree what the EFI system partition holds"

    def run(self, work: Workspace) -> None:
        """Comes after the loaders were put together. Without an ESP they are of no use."""
        work.empty("/boot/efi")


@dataclass(frozen=True)
class FillEsp:
    """The EFI system partition: signed loaders on the removable path, which Azure starts, and in their own folder."""

    layout: Layout

    def describe(self) -> str:
        """What a plan shows."""
        return "Make the EFI system partition with the signed shim and GRUB"

    def run(self, work: Workspace) -> None:
        """Empty blocks are left as holes."""
        esp = self.layout.esp
        assert esp is not None
        image = work.file("esp.img")
        image.unlink(missing_ok=True)
        with image.open("wb") as file:
            file.truncate(esp.size)
        fat = ("/usr/sbin/mkfs.vfat", "-F", "32", "--invariant", "-i", self.layout.esp_serial, "-n", "UEFI")
        work.tool(*fat, image)
        staged = work.file(ESP_FOLDER)
        folders = sorted(path for path in staged.rglob("*") if path.is_dir())
        work.tool("/usr/bin/mmd", "-i", image, *(f"::{path.relative_to(staged)}" for path in folders))
        for folder in (staged, *folders):
            if files := sorted(path for path in folder.iterdir() if path.is_file()):
                work.tool("/usr/bin/mcopy", "-i", image, *files, f"::{folder.relative_to(staged)}")
        _lay(image, work.disk, esp.start)
        image.unlink()


def _lay(source: Path, disk: Path, at: int) -> None:
    """Copy a file into the disk at this byte, leaving its zeros out."""
    with source.open("rb") as file, disk.open("r+b") as target:
        zeros = bytes(CHUNK)
        position = at
        while block := file.read(CHUNK):
            if block != zeros[: len(block)]:
                target.seek(position)
                target.write(block)
            position += len(block)
