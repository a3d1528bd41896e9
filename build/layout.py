"""Partition layouts as values: where each partition of an image lies and what identifies it."""

import uuid
from dataclasses import dataclass

from build.errors import CallerError

MIB = 1 << 20
SECTOR = 512
BIOS_BOOT_TYPE = "21686148-6449-6E6F-744E-656564454649"
ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
ROOT_TYPES = {
    "x86_64": "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
    "aarch64": "B921B045-1DF0-41C3-AF44-4C6F280D3FAE",
}
"""GPT types of root partitions (UAPI.2, the Discoverable Partitions Specification)."""
MBR_LINUX = "83"
NAMESPACE = uuid.UUID("5f0a1d0e-6c1b-5f0e-9a53-6b696c6e0001")
"""Whatever identifies a part of an image is derived below this, from the image's name: the same build, the same ids."""
LARGEST = 4095 << 30
"""Azure's largest OS disk with host caching, in bytes."""
LARGEST_MBR = 2047 << 30
"""An MBR counts sectors in 32 bits."""
ROOT_AT_LEAST = 512 * MIB
"""Bytes below which no Linux fits; what is installed decides by itself, once it is there (`build.capacity`)."""


@dataclass(frozen=True)
class Slot:
    """One partition: number, start and size in bytes, type (GPT GUID or MBR byte), and its GUID on GPT."""

    number: int
    start: int
    size: int
    type: str
    name: str
    guid: str

    def script(self, label: str) -> str:
        """Its line for sfdisk."""
        place = f"{self.number} : start={self.start // SECTOR}, size={self.size // SECTOR}, type={self.type}"
        return f"{place}, bootable" if label == "dos" else f"{place}, name={self.name}, uuid={self.guid}"


@dataclass(frozen=True)
class Layout:
    """A disk: size in bytes, kind of table ("gpt" or "dos"), its id, its partitions, and its file systems' ids."""

    size: int
    label: str
    disk_id: str
    root: Slot
    root_uuid: str
    esp: Slot | None = None
    esp_serial: str = ""
    bios: Slot | None = None
    boots_bios: bool = False

    def script(self) -> str:
        """The whole table for sfdisk. Three MiB are the BIOS boot partition's, as in Debian's own images."""
        slots = [slot for slot in (self.root, self.bios, self.esp) if slot]
        lines = [f"label: {self.label}", f"label-id: {self.disk_id}", *(slot.script(self.label) for slot in slots)]
        return "\n".join(lines) + "\n"

    @property
    def core_at(self) -> int:
        """The sector where GRUB's core image begins: its own partition on GPT, the gap behind the MBR without one."""
        return self.bios.start // SECTOR if self.bios else 1

    @property
    def core_prefix(self) -> str:
        """The root partition as GRUB names it from the disk that it was started from."""
        return f"(,{'gpt' if self.label == 'gpt' else 'msdos'}{self.root.number})"


@dataclass(frozen=True)
class Whole:
    """A disk whose layout is its distribution's own: all that is chosen is its size in bytes."""

    size: int
    root_uuid: str = ""


def lay_out(image: str, generation: str, size: int, esp_mib: int, arch: str) -> Layout:
    """The layout of an image for generation "1", "2" or "both".

    Root is last, so that it can grow; on GPT the first 2048 sectors hold nothing but the table, where Azure writes
    its own metadata. Raises CallerError where the size is not whole MiB or too small.
    """
    if size % MIB:
        raise CallerError(f"{size} bytes are not whole MiB", "Azure takes no other sizes: say --size 30G, for example")
    if size > (most := LARGEST_MBR if generation == "1" else LARGEST):
        raise CallerError(f"a disk of {size // MIB} MiB is too large", f"it can have at most --size {most // MIB}M")
    ids = _Ids(image)
    if generation == "1":
        root = Slot(1, MIB, size - MIB, MBR_LINUX, "root", "")
        return _checked(Layout(size, "dos", f"0x{ids.number('disk'):08x}", root, ids.guid("root-fs"), boots_bios=True))
    bios = Slot(14, MIB, 3 * MIB, BIOS_BOOT_TYPE, "bios", ids.guid("bios")) if generation == "both" else None
    esp_start = bios.start + bios.size if bios else MIB
    esp = Slot(15, esp_start, esp_mib * MIB, ESP_TYPE, "esp", ids.guid("esp"))
    root_start = esp.start + esp.size
    # The backup table takes the last 33 sectors: the last MiB stays free.
    root = Slot(1, root_start, size - root_start - MIB, ROOT_TYPES[arch], "root", ids.guid("root"))
    serial = f"{ids.number('esp-fs'):08X}"
    layout = Layout(size, "gpt", ids.guid("disk"), root, ids.guid("root-fs"), esp, serial, bios, bios is not None)
    return _checked(layout)


def _checked(layout: Layout) -> Layout:
    if layout.root.size < ROOT_AT_LEAST:
        least = (layout.size - layout.root.size + ROOT_AT_LEAST) // MIB
        raise CallerError(f"a disk of {layout.size // MIB} MiB is too small", f"it takes at least --size {least}M")
    return layout


@dataclass(frozen=True)
class _Ids:
    image: str

    def guid(self, part: str) -> str:
        return str(uuid.uuid5(NAMESPACE, f"{self.image}/{part}"))

    def number(self, part: str) -> int:
        return uuid.uuid5(NAMESPACE, f"{self.image}/{part}").int & 0xFFFFFFFF
