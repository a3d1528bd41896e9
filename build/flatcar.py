"""What a Flatcar image must be, looked at before anything is done to it: its system, its flag, its disk's id."""

import shutil
from dataclasses import dataclass

from build.errors import MachineError
from build.gpt import ESP, read_table
from build.oem import BTRFS, nothing_mounted, partition, read_partition
from build.workspace import Workspace

FIXED_DISK_ID = "00000000-0000-0000-0000-000000000001"
FLAG = "::/flatcar/first_boot"
SYSTEM = "USR-A"
LOOKED_AT = "^/(|lib(|/os-release|/modules(|/[^/]+)))$"
"""Paths of the system's partition that are read: its release file, and its kernels' versions."""


@dataclass(frozen=True)
class CheckSystem:
    """That the image is of the version that was announced, and has never been booted."""

    distro: str
    version: str

    def describe(self) -> str:
        """What a plan shows."""
        return f"Check that it is {self.distro} {self.version}, and was never booted"

    def run(self, work: Workspace) -> None:
        """The tree gets what was read. Raises MachineError where the image is another."""
        self._check_disk(work)
        nothing_mounted(work.tools)
        system, files = work.file("usr.img"), work.file("usr")
        read_partition(work.disk, partition(work.disk, SYSTEM), system)
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        work.tool(BTRFS, "restore", "-mSx", "--path-regex", LOOKED_AT, system, files)
        system.unlink()
        shutil.rmtree(work.tree, ignore_errors=True)
        (work.tree / "usr").mkdir(parents=True)
        (files / "lib").rename(work.tree / "usr/lib")
        shutil.rmtree(files)
        self._check_release(work)

    def _check_disk(self, work: Workspace) -> None:
        with work.disk.open("rb") as file:
            table = read_table(file, work.disk.stat().st_size)
        if table.disk_guid != FIXED_DISK_ID:
            raise MachineError(f"the disk's id is {table.disk_guid}: the image was booted", "use another mirror")
        (esp, *_) = [*table.of_type(ESP), None]
        if esp is None:
            raise MachineError("the image has no EFI system partition", "is it a Flatcar image?")
        image = f"/{work.disk.relative_to(work.tools)}@@{esp.offset}"
        if work.tool("/usr/bin/mdir", "-b", "-i", image, FLAG, expect=(0, 1)).status:
            raise MachineError("the image has no first-boot flag: it was booted", "use another mirror")

    def _check_release(self, work: Workspace) -> None:
        release = work.path("/usr/lib/os-release")
        told = dict(line.split("=", 1) for line in release.read_text().splitlines() if "=" in line)
        found = told.get("ID", "").strip('"'), told.get("VERSION_ID", "").strip('"')
        if found != (self.distro, self.version):
            raise MachineError(
                f"the image holds {' '.join(found)}, and {self.distro} {self.version} was announced",
                "the release server is being renewed, or altered: try again, or another mirror",
            )
