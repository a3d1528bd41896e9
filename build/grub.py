"""GRUB without grub-install: both firmwares' loaders written into a disk that no kernel has mounted.

Sources: GRUB's own boot.S and diskboot.S for the fields that are patched, and its manual for the embedding areas.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

from build.errors import RecipeError
from build.layout import SECTOR, Layout
from build.workspace import Workspace
from distros.recipe import Grub, TextFile

FAKE_PROBE = """\
#!/bin/sh
# Answers for a disk that is not there yet what grub-probe would answer in the booted machine.
for word; do
    case $word in
        --target=*) target=${word#--target=} ;;
        -t) target=next ;;
        *) [ "$target" != next ] || target=$word ;;
    esac
done
case $target in
    device) echo /dev/disk/by-uuid/@UUID@ ;;
    fs) echo ext2 ;;
    fs_uuid) echo @UUID@ ;;
    partuuid) echo @PARTUUID@ ;;
    partmap) echo @PARTMAP@ ;;
    drive) echo '(hd0,@PARTMAP@@NUMBER@)' ;;
    compatibility_hint) echo 'hd0,@PARTMAP@@NUMBER@' ;;
    hints_string) echo '--hint=hd0,@PARTMAP@@NUMBER@' ;;
    *) ;;
esac
"""

FAKE_LIBRARY = """\
. @LIBRARY@
grub_probe=/run/kiln-grub/grub-probe
make_system_path_relative_to_its_root() { printf '%s\\n' "$1"; }
"""

STUB = """\
search --no-floppy --fs-uuid --set=root {uuid}
set prefix=($root){folder}
configfile $prefix/grub.cfg
"""
"""The signed GRUB's first configuration, which leads to the one on the root file system."""

CORE_MODULES = ("biosdisk", "ext2", "search_fs_uuid", "normal")
UNSUITABLE = "fdt.lst"


ESP_FOLDER = "/boot/efi/"


def keeps_loaders_on_esp(grub: Grub) -> bool:
    """Whether packages bring the loaders below the ESP's mount point: what lies there is on the ESP alone then."""
    return any(source.startswith(ESP_FOLDER) for source, _ in grub.loaders)


@dataclass(frozen=True)
class ConfigureGrub:
    """Write GRUB's defaults and let the image's own grub-mkconfig make grub.cfg from them."""

    grub: Grub
    defaults: TextFile
    layout: Layout

    def describe(self) -> str:
        """What a plan shows."""
        return f"Write {self.grub.folder}/grub.cfg with the image's own grub-mkconfig"

    def run(self, work: Workspace) -> None:
        """The root is named by UUID: neither /dev/sda nor a build machine's device may get into grub.cfg."""
        uuid, folder = self.layout.root_uuid, self.grub.folder
        work.write(self.defaults.path, self.defaults.text, self.defaults.mode)
        work.path(f"{folder}/grub.cfg").parent.mkdir(parents=True, exist_ok=True)
        work.write("/run/kiln-grub/grub-probe", self._probe(), 0o755)
        work.write("/run/kiln-grub/grub-mkconfig_lib", FAKE_LIBRARY.replace("@LIBRARY@", self.grub.mkconfig_library))
        work.inside(
            self.grub.mkconfig,
            "-o",
            f"{folder}/grub.cfg",
            empty_files=(f"/dev/disk/by-uuid/{uuid}",),
            env={"pkgdatadir": "/run/kiln-grub"},
        )
        work.remove("/run/kiln-grub")
        written = work.path(f"{folder}/grub.cfg").read_text()
        if f"root=UUID={uuid}" not in written:
            raise RecipeError(f"grub-mkconfig wrote no entry with root=UUID={uuid}", "the build's log has its output")

    def _probe(self) -> str:
        values = {
            "@UUID@": self.layout.root_uuid,
            "@PARTUUID@": self.layout.root.guid or f"{self.layout.disk_id.removeprefix('0x')}-01",
            "@PARTMAP@": "gpt" if self.layout.label == "gpt" else "msdos",
            "@NUMBER@": str(self.layout.root.number),
        }
        text = FAKE_PROBE
        for mark, value in values.items():
            text = text.replace(mark, value)
        return text


@dataclass(frozen=True)
class InstallBiosModules:
    """Put GRUB's BIOS modules where core.img looks for them, and make core.img of the same build."""

    grub: Grub
    layout: Layout

    def describe(self) -> str:
        """What a plan shows."""
        return "Make GRUB's core image for BIOS"

    def run(self, work: Workspace) -> None:
        """Must run before the root file system is made, which takes the modules along."""
        target = _copy_modules(work, self.grub.bios_modules, self.grub.folder)
        prefix = f"{self.layout.core_prefix}{self.grub.folder}"
        early = f"search.fs_uuid {self.layout.root_uuid} root\nset prefix=($root){self.grub.folder}\n"
        work.write("/run/kiln-core/early.cfg", early)
        part = "part_gpt" if self.layout.label == "gpt" else "part_msdos"
        work.inside(
            self.grub.mkimage,
            "--format=i386-pc",
            f"--directory={self.grub.bios_modules}",
            "--config=/run/kiln-core/early.cfg",
            f"--prefix={prefix}",
            "--output=/run/kiln-core/core.img",
            part,
            *CORE_MODULES,
        )
        work.file("core.img").write_bytes(work.path("/run/kiln-core/core.img").read_bytes())
        work.file("boot.img").write_bytes(work.path(f"{self.grub.bios_modules}/boot.img").read_bytes())
        work.write(f"{target}/core.img", work.file("core.img").read_bytes())
        work.write(f"{target}/boot.img", work.file("boot.img").read_bytes())
        work.remove("/run/kiln-core")


@dataclass(frozen=True)
class InstallUefiModules:
    """Put GRUB's UEFI modules beside its menu, as grub-install does: a menu may ask for one that the signed GRUB does
    not hold, as Debian 13's does for bli, and an error at each boot is the answer where it is not there."""

    grub: Grub

    def describe(self) -> str:
        """What a plan shows."""
        return "Put GRUB's UEFI modules beside its menu"

    def run(self, work: Workspace) -> None:
        """Must run before the root file system is made, which takes the modules along."""
        _copy_modules(work, self.grub.uefi_modules, self.grub.folder)


def _copy_modules(work: Workspace, source: str, folder: str) -> str:
    """Copy a platform's modules to where GRUB looks for them, and return that folder."""
    target = f"{folder}/{Path(source).name}"
    for path in work.glob(f"{source}/*"):
        name = Path(path).name
        if name.endswith((".mod", ".lst", ".o")) and name != UNSUITABLE:
            work.write(f"{target}/{name}", work.path(path).read_bytes())
    return target


@dataclass(frozen=True)
class WriteBiosLoader:
    """Write boot.img and core.img into the disk, as grub-bios-setup would on a mounted one."""

    layout: Layout

    def describe(self) -> str:
        """What a plan shows."""
        return f"Write the BIOS boot loader at sector {self.layout.core_at}"

    def run(self, work: Workspace) -> None:
        """The partition table in the first sector stays as it is."""
        room = self.layout.bios.size if self.layout.bios else self.layout.root.start - SECTOR
        core = embedded_core(work.file("core.img").read_bytes(), self.layout.core_at, room)
        with work.disk.open("r+b") as disk:
            first = patched_boot_sector(work.file("boot.img").read_bytes(), disk.read(SECTOR), self.layout.core_at)
            disk.seek(0)
            disk.write(first)
            disk.seek(self.layout.core_at * SECTOR)
            disk.write(core)


def embedded_core(core: bytes, sector: int, room: int) -> bytes:
    """core.img for that place: its first sector's block list says where the rest of it lies, contiguously.

    The last 12 bytes of diskboot.img are start (u64), length in sectors (u16) and segment (u16); grub-mkimage has set
    all but the start. Raises RecipeError where it does not fit into `room` bytes.
    """
    padded = bytearray(core + b"\0" * (-len(core) % SECTOR))
    if len(padded) > room:
        raise RecipeError(f"GRUB's core image takes {len(padded)} bytes, its place has {room}", "use fewer modules")
    struct.pack_into("<Q", padded, 0x1F4, sector + 1)
    return bytes(padded)


def patched_boot_sector(boot: bytes, present: bytes, sector: int) -> bytes:
    """boot.img around a disk's own partition table, pointing at core.img's first sector.

    0x5C holds that sector (u64), 0x64 the drive (0xFF: as the BIOS says), 0x66 a jump that a hard disk is spared so
    that a BIOS which hands over a bad drive number still boots.
    """
    first = bytearray(boot[:SECTOR])
    first[0x03:0x5A] = present[0x03:0x5A]
    first[0x1B8:SECTOR] = present[0x1B8:SECTOR]
    struct.pack_into("<Q", first, 0x5C, sector)
    first[0x64] = 0xFF
    first[0x66:0x68] = b"\x90\x90"
    return bytes(first)
