"""Disk files as QEMU must be told to read them: decided by footer and magic, never by QEMU's probing.

Probing calls a fixed VHD raw (and 512 bytes too long), and QEMU takes the size of some creators' VHDs from their
geometry, which loses up to the last megabyte. The file itself is never written: a run writes to an overlay.
"""

import json
import struct
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from build.command import CommandFailed, run
from build.errors import CallerError
from build.vhd import DIFFERENCING, DYNAMIC, FIXED, LENGTH, MIB, Footer, read_footer

SECTOR = 512
BOOT_SIGNATURE = b"\x55\xaa"
QCOW2_HEADER = struct.Struct(">4sIQIIQ")
"""Magic, version, backing file's offset and length, cluster bits, virtual size (QEMU docs/interop/qcow2.txt)."""
VHDX_REGIONS = (192 << 10, 256 << 10)
VHDX_METADATA = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E")
VHDX_PARAMETERS = uuid.UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
VHDX_SIZE = uuid.UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
VHDX_HAS_PARENT = 2
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
    disk = recognise(path)
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


def recognise(path: Path) -> DiskFile:
    """The disk in `path`, whatever it holds. Raises CallerError where it is damaged, or only a part of a disk."""
    if part := stands_on_another(path):
        raise CallerError(f"{path} is only a part of a disk: {part}", "`qemu-img convert` or merge it first")
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(QCOW2):
        return _qcow2(path, head)
    if head.startswith(VHDX):
        return DiskFile(path, "vhdx", _size_told_by_qemu(path, "vhdx"), "vhdx")
    if footer := read_footer(path):
        return _vhd(path, footer)
    return DiskFile(path, "raw", path.stat().st_size, "raw")


def stands_on_another(path: Path) -> str:
    """Why this qcow2 or VHDX file is no disk without another file, "" where it is whole, or of another format.

    Read from the file's own metadata, before any program that would open that other file (QEMU docs/interop/qcow2.txt;
    Microsoft's VHDX format specification, sections 2.5 and 2.6).
    """
    with path.open("rb") as file:
        head = file.read(4096)
        if head.startswith(VHDX):
            return "a differencing VHDX is nothing without its parent" if _has_parent(file) else ""
    if head.startswith(QCOW2):
        _, version, backing_at, *_ = QCOW2_HEADER.unpack_from(head.ljust(QCOW2_HEADER.size, b"\0"))
        external = version >= 3 and int.from_bytes(head[72:80], "big") & EXTERNAL_DATA
        return "it stands on another file" if backing_at or external else ""
    return ""


def size_told(path: Path) -> int:
    """The virtual size in bytes that a qcow2 or VHDX file tells of itself, whole or not; the file's own of another."""
    with path.open("rb") as file:
        head = file.read(QCOW2_HEADER.size)
        if head.startswith(QCOW2) and len(head) == QCOW2_HEADER.size:
            return int(QCOW2_HEADER.unpack(head)[-1])
        places = _metadata(file, VHDX_SIZE) if head.startswith(VHDX) else ()
        sizes = (int.from_bytes(_at(file, place, 8), "little") for place in places)
        return next(sizes, path.stat().st_size)


def _has_parent(file: BinaryIO) -> bool:
    """Whether a VHDX's metadata say so, in either copy of the table that leads to them."""
    flags = (_at(file, place + 4, 1) for place in _metadata(file, VHDX_PARAMETERS))
    return any(byte and byte[0] & VHDX_HAS_PARENT for byte in flags)


def _metadata(file: BinaryIO, item: uuid.UUID) -> Iterator[int]:
    """Where in the file an item of a VHDX's metadata lies, by each copy of the table of regions."""
    for table in VHDX_REGIONS:
        for region in _listed(file, table, 16, VHDX_METADATA, "<Q"):
            yield from (region + place for place in _listed(file, region, 32, item, "<I"))


def _listed(file: BinaryIO, table: int, head: int, wanted: uuid.UUID, form: str) -> Iterator[int]:
    """Where a table of VHDX' says that an object lies; its entries follow a head and begin with the object's id."""
    raw = _at(file, table, 64 << 10)
    for at in range(head, len(raw) - 31, 32):
        if raw[at : at + 16] == wanted.bytes_le:
            yield struct.unpack_from(form, raw, at + 16)[0]
            return


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    try:
        file.seek(offset)
        return file.read(length)
    except (OSError, OverflowError):
        return b""


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
    *_, size = QCOW2_HEADER.unpack_from(head.ljust(QCOW2_HEADER.size, b"\0"))
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
