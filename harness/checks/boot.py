"""From the firmware to the kernel: BIOS code, EFI loaders and GRUB's menu (catalogue 2.2)."""

import posixpath
import re

from build.gpt import BIOS_BOOT, ESP, MBR_ESP, SECTOR
from harness.checks.check import Complaints, check
from harness.diskfacts import DiskFacts
from harness.etc import configuration
from harness.filesystem import FileSystem
from harness.grub import FOLDERS, Entry, Menu, parse, read_menu
from harness.profile import GENERATION_1, GENERATION_2, Profile
from harness.tree import Tree
from harness.unified import Unified

FALLBACK = {"x86_64": "/EFI/BOOT/BOOTX64.EFI", "aarch64": "/EFI/BOOT/BOOTAA64.EFI"}
_LARGEST_LOADER = 16 << 20
_CORE_SEGMENT = 0x820
_PREFIX = re.compile(rb"\x03\0\0\0.{4}((?:\([^)\0]*\))?/[\w/.+-]+)\0", re.DOTALL)
"""GRUB's module of type "prefix" (grub/kernel.h: OBJ_TYPE_PREFIX), 8 bytes of head and the path."""


@check("grub.bios-code", source="GRUB manual, BIOS installation", repair="Install GRUB for i386-pc", when=GENERATION_1)
def a_bios_reaches_grub(disk: DiskFacts) -> Complaints:
    """Generation 1 has a BIOS: it runs the first sector, which loads GRUB's core from where it points."""
    first = disk.read(0, SECTOR)
    if not any(first[:440]):
        yield "the first sector holds no boot code"
        return
    if b"GRUB" not in first[:440]:
        yield "the boot code in the first sector is not GRUB's, so what it does cannot be told"
        return
    at = int.from_bytes(first[0x5C:0x64], "little")
    room = _room(disk, at)
    if not room:
        yield f"the boot code points to sector {at}, which is no place for GRUB's core"
        return
    core = disk.read(at * SECTOR, SECTOR)
    yield from _blocklist(disk, core, at, room)


def _room(disk: DiskFacts, at: int) -> int:
    """How many sectors from `at` on may belong to GRUB's core."""
    if disk.table and disk.table.kind == "gpt":
        return max((one.end - at for one in disk.table.of_type(BIOS_BOOT) if one.start <= at < one.end), default=0)
    first = min((one.start for one in disk.partitions), default=0)
    return first - at if 1 <= at < first else 0


def _blocklist(disk: DiskFacts, core: bytes, at: int, room: int) -> Complaints:
    if not any(core):
        yield f"the boot code points to sector {at}, which is empty"
        return
    start, count = int.from_bytes(core[0x1F4:0x1FC], "little"), int.from_bytes(core[0x1FC:0x1FE], "little")
    if int.from_bytes(core[0x1FE:0x200], "little") != _CORE_SEGMENT or start != at + 1:
        yield f"the core's block list at sector {at} leads to sector {start} instead of {at + 1}"
    elif count + 1 > room:
        yield f"GRUB's core has {count + 1} sectors, there is room for {room}"
    elif not any(disk.read(start * SECTOR, count * SECTOR)[-SECTOR * 8 :]):
        yield "GRUB's core breaks off before its end"


@check("efi.fallback", source="UEFI specification 3.5.1", repair="Put the signed shim there", when=GENERATION_2)
def the_firmware_finds_a_loader(esp: Tree, profile: Profile) -> Complaints:
    """A VHD carries no boot entries: the firmware starts the removable-media path and nothing else."""
    path = FALLBACK.get(profile.arch, "")
    head = esp.read_bytes(path, 2)
    if not esp.is_file(path):
        yield f"the EFI partition has no {path.lstrip('/')}"
    elif head != b"MZ":
        yield f"{path.lstrip('/')} is not a program"


@check("efi.esp", source="Microsoft: Generation 2 VMs", repair="Make an EFI system partition", when=GENERATION_2)
def there_is_an_efi_partition(disk: DiskFacts) -> Complaints:
    """Generation 2 is UEFI: without an EFI system partition there is nothing that it could start."""
    kinds = [disk.filesystems[one.number].kind for one in disk.partitions if one.type in (ESP, MBR_ESP)]
    if not kinds:
        yield "no partition has the type of an EFI system partition"
    elif "vfat" not in kinds:
        yield "the EFI system partition holds no FAT file system"


@check("efi.cfg-path", source="GRUB manual; shim", repair="Put a stub grub.cfg at that place", when=GENERATION_2)
def grub_for_efi_finds_its_menu(esp: Tree, tree: Tree, root: FileSystem, profile: Profile) -> Complaints:
    """The signed GRUB looks in the folder built into it: without a configuration there it stops at its prompt."""
    loader = _grub(esp, profile)
    if not loader:
        return  # Another boot loader than GRUB: nothing is said about a menu.
    folders = [found.decode() for found in _PREFIX.findall(esp.read_bytes(loader, _LARGEST_LOADER))]
    folder = next((one for one in folders if one.lower().startswith("/efi/")), posixpath.dirname(loader))
    stub = f"{folder}/grub.cfg"
    if not esp.is_file(stub):
        yield f"{loader.lstrip('/')} looks for {stub.lstrip('/')}, and the EFI partition has none"
        return
    yield from _stub_leads_on(stub, esp.read_text(stub), tree, root)


def _grub(esp: Tree, profile: Profile) -> str:
    folder = posixpath.dirname(FALLBACK.get(profile.arch, "/EFI/BOOT/x"))
    names = ("grubx64.efi", "grub.efi") if profile.arch == "x86_64" else ("grubaa64.efi", "grub.efi")
    return next((f"{folder}/{name}" for name in names if esp.is_file(f"{folder}/{name}")), "")


def _stub_leads_on(path: str, text: str, tree: Tree, root: FileSystem) -> Complaints:
    menu = parse(path, text, {})
    wanted = [word for line in menu.commands if line[0].startswith("search") for word in line if _is_uuid(word)]
    if menu.entries:
        return
    if wanted and root.uuid and root.uuid.lower() not in (word.lower() for word in wanted):
        on_boot = tree.read_text("/etc/fstab")
        if not any(word in on_boot for word in wanted):
            yield f"{path.lstrip('/')} looks for the file system {wanted[0]}, the root is {root.uuid}"
    prefix = menu.settings.get("prefix", "") or next((w for w in menu.words("set") if w.startswith("prefix=")), "")
    folder = prefix.rpartition(")")[2].strip("'\"")
    elsewhere = any(tree.is_file(f"{known}/grub.cfg") for known in FOLDERS)  # else the check of the menu says so
    if folder and elsewhere and not any(tree.is_file(f"{above}{folder}/grub.cfg") for above in ("", "/boot")):
        yield f"{path.lstrip('/')} goes on to {folder}/grub.cfg, which the image does not have"


def _is_uuid(word: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", word) is not None


@check("grub.menu", source="GRUB manual", repair="Run the image's own update-grub or grub2-mkconfig")
def there_is_a_menu(disk: DiskFacts, tree: Tree, unified: tuple[Unified, ...]) -> Complaints:
    """Without a menu GRUB stops at its prompt. Unified kernel images need none: the firmware can start them."""
    menu = read_menu(tree)
    if menu is None and unified:
        return
    if menu is None:
        yield f"the image has neither {' nor '.join(f'{folder}/grub.cfg' for folder in FOLDERS)}"
    elif menu.default is None:
        yield f"{menu.path} has no entry"


@check("grub.kernel", source="GRUB manual", repair="Run the image's own update-grub or grub2-mkconfig")
def the_default_entry_names_files_that_exist(entry: Entry, tree: Tree) -> Complaints:
    """A menu that names a kernel or an initramfs that is gone ends at GRUB's prompt."""
    if not entry.linux:
        yield f"the default entry {entry.title!r} loads no kernel"
    for path in () if entry.unified else (entry.linux, *entry.initrds):
        if path and not tree.is_file(path) and not tree.is_file(f"/boot{path}"):
            yield f"the default entry {entry.title!r} loads {path}, which does not exist"


@check("grub.serial", severity="recommended", source="Red Hat, SUSE: Azure images", repair="GRUB_TERMINAL=serial")
def grub_speaks_on_the_serial_console(grub: Menu, profile: Profile) -> Complaints:
    """Azure's serial console is the only way to GRUB's menu. On aarch64 it is UEFI's own console."""
    wanted = "console" if profile.arch == "aarch64" else "serial"
    if not any(wanted in grub.words(command) for command in ("terminal_output", "terminal_input")):
        yield f"{grub.path} does not use the terminal {wanted}"
    speed = next((word for word in grub.words("serial") if word.startswith("--speed")), "--speed=115200")
    if speed != "--speed=115200":
        yield f"{grub.path} sets the serial line to {speed}"


@check("grub.timeout", severity="recommended", source="Debian's and Red Hat's Azure images", repair="GRUB_TIMEOUT=1")
def grub_waits_a_moment(grub: Menu) -> Complaints:
    """Without a pause nobody can interrupt the boot on the serial console; a long one delays every start."""
    timeout = grub.settings.get("timeout", "")
    if timeout == "0":
        yield f"{grub.path} waits 0 seconds"
    elif timeout.lstrip("-").isdigit() and not 0 < int(timeout) <= 30:
        yield f"{grub.path} waits {timeout} seconds"


@check(
    "grub.bls",
    severity="recommended",
    source="Microsoft: Prepare a Red Hat VHD (8 and newer)",
    repair="Set GRUB_ENABLE_BLSCFG=true, `grub2-editenv - unset kernelopts`, and write the menu anew",
)
def the_menus_entries_have_one_source(grub: Menu, tree: Tree) -> Complaints:
    """Where entries lie in files of their own, the command line of a later kernel comes from there: what is written
    elsewhere changes nothing, or everything at the next run of grub2-mkconfig."""
    settings = [*configuration(tree, "/etc/default/grub", "/etc/default/grub.d/*.cfg")]
    for path, number, line in settings:
        if line.startswith("ENABLE_BLSCFG"):
            yield f"{path}:{number}: {line}: GRUB knows GRUB_ENABLE_BLSCFG alone"
    if not any(command[0] == "blscfg" for command in grub.commands):
        return
    told = [line.partition("=")[2].strip("\"'") for _, _, line in settings if line.startswith("GRUB_ENABLE_BLSCFG=")]
    if settings and told[-1:] != ["true"]:
        yield f"{grub.path} takes its entries from files, and GRUB_ENABLE_BLSCFG=true is set nowhere"
    if not any("$kernelopts" in tree.read_text(path) for path in tree.glob("/boot/loader/entries/*.conf")):
        for path, number, line in configuration(tree, f"{posixpath.dirname(grub.path)}/grubenv"):
            if line.startswith("kernelopts="):
                yield f"{path}:{number}: {line}: no entry uses it"
