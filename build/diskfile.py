"""Disk files as QEMU must be told to read them: decided by footer and magic, never by QEMU's probing.

Probing calls a fixed VHD raw (and 512 bytes too long), and QEMU takes the size of some creators' VHDs from their
geometry, which loses up to the last megabyte. The file itself is never written: a run writes to an overlay.
"""

import json
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from build.command import CommandFailed, run
from build.errors import CallerError
from build.vhd import DIFFERENCING, DYNAMIC, FIXED, LENGTH, MIB, Footer, read_footer

SECTOR = 512
BOOT_SIGNATURE = b"\x55\xaa"
QCOW2_HEADER = struct.Struct(">4sIQIIQ")
"""Magic, version, backing file's offset and length, cluster bits, virtual size (QEMU docs/interop/qcow2.txt)."""
QCOW2, VHDX = b"QFI\xfb", b"vhdxfile"
EXTERNAL_DATA = 1 << 2
"""The incompatible feature of a qcow2 file whose content lies in another file."""


@dataclass(frozen=True)
class DiskFile:
    """A disk in a file: `format` is fixed-vhd, dynamic-vhd, vhdx, qcow2 or raw, `virtual_size` is in bytes."""

    path: Path
    format: str
    virtual_size: int
    driver: str
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The disk as one of QEMU's `json:` file names (not `-blockdev`, which has no force_size_calc)."""
        file = {"driver": "file", "filename": str(self.path.absolute())}
        return "json:" + json.dumps({"driver": self.driver, **self.options, "file": file})


def open_image(path: Path) -> DiskFile:
    """The disk in `path`, as Azure would take it.

    Raises CallerError where there is none, or one that could not be booted whole: a differencing disk, a damaged or cut
    VHD, a qcow2 file that stands on another, a size that is not a whole number of MiB, no trace of a partition table.
    """
    disk = open_disk(path)
    if disk.virtual_size == 0 or disk.virtual_size % MIB:
        raise CallerError(
            f"{path} is not a disk that Azure takes: {disk.virtual_size} bytes is not a whole number of MiB",
            f"grow it to {-(-disk.virtual_size // MIB)} MiB: `qemu-img resize`",
        )
    return disk


def open_disk(path: Path) -> DiskFile:
    """The disk in `path`, of any size. Raises CallerError as `open_image` does for all else."""
    if not path.is_file():
        raise CallerError(f"{path} is not a file", "give an image's file, or the folder that a build printed")
    disk = _recognise(path)
    if not _has_partition_table(_first_sectors(disk)):
        raise CallerError(f"{path} is not a disk: it has no partition table", "an image of a whole disk is needed")
    return disk


def overlay(disk: DiskFile, path: Path, size: int) -> Path:
    """A new qcow2 file at `path` that shows `disk` grown to `size` bytes, and takes all writes in its stead.

    Raises CallerError where the image would not fit.
    """
    if size < disk.virtual_size:
        raise CallerError(f"a disk of {size} bytes is smaller than the image's {disk.virtual_size}", "ask for more")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", disk.driver, "-b", disk.source, path, str(size))
    return path


def _recognise(path: Path) -> DiskFile:
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(QCOW2):
        return _qcow2(path, head)
    if head.startswith(VHDX):
        return DiskFile(path, "vhdx", _size_told_by_qemu(path, "vhdx"), "vhdx")
    if footer := read_footer(path):
        return _vhd(path, footer)
    return DiskFile(path, "raw", path.stat().st_size, "raw")


def _vhd(path: Path, footer: Footer) -> DiskFile:
    if footer.disk_type == DIFFERENCING:
        raise CallerError(f"{path} is a differencing VHD, which is nothing without its parent", "merge it first")
    if footer.disk_type == DYNAMIC:
        return DiskFile(path, "dynamic-vhd", footer.current_size, "vpc", {"force_size_calc": "current_size"})
    if footer.disk_type != FIXED:
        raise CallerError(f"{path} is a VHD of the unknown type {footer.disk_type}", "convert it to a fixed VHD")
    if path.stat().st_size != footer.current_size + LENGTH:
        raise CallerError(
            f"{path} is cut or padded: its footer tells {footer.current_size} bytes and it has "
            f"{path.stat().st_size - LENGTH}",
            "copy it again",
        )
    return DiskFile(path, "fixed-vhd", footer.current_size, "raw", {"size": footer.current_size})


def _qcow2(path: Path, head: bytes) -> DiskFile:
    _, version, backing_at, _, _, size = QCOW2_HEADER.unpack_from(head)
    external = version >= 3 and int.from_bytes(head[72:80], "big") & EXTERNAL_DATA
    if backing_at or external:
        raise CallerError(f"{path} is only a part of a disk: it stands on another file", "`qemu-img convert` it")
    return DiskFile(path, "qcow2", size, "qcow2")


def _size_told_by_qemu(path: Path, driver: str) -> int:
    try:
        told = run("qemu-img", "info", "--output=json", "-U", "-f", driver, path, only_stdout=True)
    except CommandFailed as failure:
        raise CallerError(f"{path} is a damaged {driver} file: {failure.output.strip()}", "copy it again") from None
    return int(json.loads(told.stdout)["virtual-size"])


def _first_sectors(disk: DiskFile) -> bytes:
    """The first two sectors of the disk itself."""
    if disk.driver == "raw":
        with disk.path.open("rb") as file:
            return file.read(2 * SECTOR)
    with tempfile.TemporaryDirectory(prefix="kiln-") as folder:
        copy = Path(folder, "sectors")
        try:
            run("qemu-img", "dd", "-U", "-O", "raw", f"if={disk.source}", f"of={copy}", f"bs={SECTOR}", "count=2")
        except CommandFailed as failure:
            raise CallerError(f"{disk.path} cannot be read: {failure.output.strip()}", "copy it again") from None
        return copy.read_bytes()


def _has_partition_table(sectors: bytes) -> bool:
    return sectors[SECTOR - 2 : SECTOR] == BOOT_SIGNATURE or sectors[SECTOR : SECTOR + 8] == b"EFI PART"
