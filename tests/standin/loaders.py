"""GRUB and shim as a recipe wants them: under its paths, for its folder on the ESP, from Debian's files.

Upstream GRUB reads Boot Loader Specification entries from 2.14 on, by the module blsuki; RHEL's GRUB has the same
commands in a module blscfg. Here blsuki bears that name: the names are of one length, so the bytes are changed in
place. Nothing here is signed for Secure Boot.
"""

from pathlib import Path, PurePosixPath

from build.workspace import Workspace
from distros.recipe import Grub
from tests.standin.carve import Entry
from tests.standin.parcel import Parcel

FOREIGN, OWN = b"blsuki", b"blscfg"
MODULES = (
    *("all_video", "boot", "blscfg", "btrfs", "cat", "chain", "configfile", "echo", "efinet", "ext2", "fat", "font"),
    *("gfxmenu", "gfxterm", "gzio", "halt", "iso9660", "jpeg", "linux", "loadenv", "loopback", "lvm", "minicmd"),
    *("normal", "part_gpt", "part_msdos", "password_pbkdf2", "png", "probe", "read", "reboot", "regexp", "search"),
    *("search_fs_file", "search_fs_uuid", "search_label", "serial", "sleep", "test", "tftp", "true", "video", "xfs"),
)
"""What RHEL and SUSE build into their signed GRUB."""
SHIM, MOK_MANAGER = "usr/lib/shim/shimx64.efi.signed", "usr/lib/shim/mmx64.efi.signed"
SECOND_STAGE = "grubx64.efi"
"""The program that Debian's shim starts, from the folder where it lies itself."""


def renamed(content: bytes) -> bytes:
    """A module, or a list of modules, with blsuki under the name of RHEL's module."""
    return content.replace(FOREIGN, OWN)


def modules(source: Path, target: Path) -> None:
    """A copy of a platform's modules with blsuki renamed."""
    target.mkdir(parents=True)
    for file in sorted(path for path in source.iterdir() if path.is_file()):
        content = file.read_bytes()
        changed = file.name.startswith(FOREIGN.decode()) or file.suffix == ".lst"
        name = file.name.replace(FOREIGN.decode(), OWN.decode())
        (target / name).write_bytes(renamed(content) if changed else content)


def prefix(grub: Grub) -> str:
    """The folder that is built into GRUB for UEFI: the only one with a stub, or none: the one that it starts from."""
    return str(PurePosixPath("/") / PurePosixPath(grub.stubs[0]).parent) if len(grub.stubs) == 1 else ""


def efi_image(work: Workspace, base: Path, grub: Grub) -> bytes:
    """GRUB for UEFI as one program."""
    source, image = work.file("x86_64-efi"), work.file("grub.efi")
    modules(base / "usr/lib/grub/x86_64-efi", source)
    folder = ("--directory", source, "--prefix", prefix(grub))
    work.tool("grub-mkimage", "--format", "x86_64-efi", *folder, "--output", image, *MODULES)
    return image.read_bytes()


def shim(base: Path, second_stage: str) -> bytes:
    """Debian's shim, which starts a program of that name; under another than Debian's its signature holds no more."""
    content = (base / SHIM).read_bytes()
    old, new = SECOND_STAGE.encode("utf-16-le"), second_stage.encode("utf-16-le")
    assert old in content
    return content.replace(old, new.ljust(len(old), b"\0"))


def second_stage(grub: Grub) -> str:
    """What the recipe calls GRUB beside shim in the removable folder."""
    names = [PurePosixPath(there).name for _, there in grub.loaders]
    return next(name for name in names if name.startswith("grub"))


def efi_files(work: Workspace, base: Path, grub: Grub) -> dict[str, dict[str, bytes]]:
    """The loaders of a recipe by package, "shim" and "grub": path in the image and content."""
    program = efi_image(work, base, grub)
    first = shim(base, second_stage(grub))
    manager = (base / MOK_MANAGER).read_bytes()
    found: dict[str, dict[str, bytes]] = {"shim": {}, "grub": {}}
    for path in dict.fromkeys(source for source, _ in grub.loaders):
        name = PurePosixPath(path).name.lower()
        kind = "grub" if name.startswith("grub") else "shim"
        found[kind][path] = program if kind == "grub" else manager if name.startswith("m") else first
    return found


def bios_modules(parcel: Parcel, base: Path, grub: Grub, scratch: Path) -> None:
    """The modules for BIOS where the recipe looks for them."""
    modules(base / "usr/lib/grub/i386-pc", scratch)
    for file in sorted(scratch.iterdir()):
        parcel.copy(f"{grub.bios_modules}/{file.name}", file)


def tools(parcel: Parcel, base: Path, grub: Grub, entries: tuple[Entry, ...]) -> None:
    """GRUB's programs and scripts, under the recipe's names besides their own."""
    for entry in entries:
        if entry.path == THEME:
            continue
        source = base / entry.path.lstrip("/")
        if entry.kind == "file" and entry.path in TEXTS:
            text = source.read_text().replace("/boot/grub", grub.folder)
            parcel.write(entry.path, text, entry.mode)
        elif entry.kind != "folder":
            parcel.copy(entry.path, source, entry)
        name = PurePosixPath(entry.path).name
        if entry.path.startswith(("/usr/bin/grub-", "/usr/sbin/grub-")):
            parcel.link(f"{PurePosixPath(entry.path).parent}/{name.replace('grub-', 'grub2-', 1)}", name)
    library = "/usr/share/grub/grub-mkconfig_lib"
    if grub.mkconfig_library != library:
        parcel.link(grub.mkconfig_library, library)
    parcel.folder(grub.folder)


THEME = "/etc/grub.d/05_debian_theme"
"""Only Debian has it, and it fails where there is no /boot/grub."""
TEXTS = ("/usr/sbin/grub-mkconfig", "/usr/share/grub/grub-mkconfig_lib", "/etc/grub.d/00_header")
"""Scripts in which Debian's folder of GRUB stands."""
