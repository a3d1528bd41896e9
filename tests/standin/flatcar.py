"""The Flatcar stand-in: a release server with one image in Flatcar's shape, made of Debian 12, which boots.

The disk has Flatcar's partitions, its fixed id and its first-boot flag; the system is a read-only btrfs, Ignition is
Debian's own package in the initramfs. GRUB is Debian's, and asks for no signature: Secure Boot, verity, updates and all
that Flatcar itself does with an image are not proven by it.
"""

import bz2
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from build import mmdebstrap
from build.archive import Release
from build.errors import CallerError
from build.grub import embedded_core, patched_boot_sector
from build.oem import nothing_mounted
from build.progress import Progress
from build.request import find_recipe
from build.vhd import append_footer
from build.workspace import Workspace
from distros.recipe import Archive, Recipe
from tests.standin import Standin, workshop
from tests.standin.flatcar_guest import FIXED_DISK_ID, GRUB, INITRD, OEM, SYSTEM, UNITS, USR_A
from tests.standin.key import SigningKey
from tests.standin.report import Invented

SOURCES = ("flatcar", "flatcar_guest", "key", "workshop")
BASE = "Debian 12 (bookworm)"
MIRROR = ""
VERSION = "9999.2.0"
"""No version of Flatcar's: its numbers are days since July 2013, and will not be so large before 2040."""
MAKERS = ("gpg", "gpg-agent", "gpgconf", "btrfs-progs", "grub-common", "grub-pc-bin", "grub-efi-amd64-bin")
PACKAGES = (
    *("systemd-sysv", "systemd-resolved", "udev", "dbus", "libpam-systemd", "libnss-myhostname", "libnss-resolve"),
    *("linux-image-cloud-amd64", "dracut", "dracut-network", "ignition", "kmod", "curl", "openssh-server", "sudo"),
    *("iproute2", "fdisk", "e2fsprogs", "btrfs-progs", "dosfstools", "util-linux-extra", "procps", "eject"),
)
EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/i18n/*")
MIB = 1 << 20
SECTOR = 512
SLOTS = (
    (1, "EFI-SYSTEM", 128, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", ""),
    (2, "BIOS-BOOT", 2, "21686148-6449-6E6F-744E-656564454649", ""),
    (3, "USR-A", 1024, "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6", USR_A),
    (4, "USR-B", 64, "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6", "e03dd35c-7c2d-4a47-b3fe-27f15780a57c"),
    (5, "ROOT-C", 2, "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6", ""),
    (6, "OEM", 128, "0FC63DAF-8483-4772-8E79-3D69D8477DE4", ""),
    (7, "OEM-CONFIG", 64, "C95DC21A-DF0E-4340-8D7B-26CBFA9A03E0", ""),
    (8, "RESERVED", 2, "C95DC21A-DF0E-4340-8D7B-26CBFA9A03E0", ""),
    (9, "ROOT", 512, "3884DD41-8582-4404-B9A8-E9B84F2DF50E", ""),
)
"""Number, name, size in MiB, type and id: Flatcar's own ones (flatcar/scripts, disk_layout.json), smaller."""
START = 2
"""MiB before the first partition."""
SIZE = (START + sum(size for _, _, size, _, _ in SLOTS) + 2) * MIB
MODULES = (
    *("part_gpt", "fat", "ext2", "btrfs", "normal", "linux", "search", "search_label", "search_fs_uuid"),
    *("configfile", "test", "echo", "ls", "cat", "serial", "terminal", "all_video"),
)
FILE = "flatcar_production_azure_image.vhd.bz2"
RELEASE = """\
NAME="Flatcar Container Linux by Kinvolk (stand-in, Debian inside)"
PRETTY_NAME="Flatcar Container Linux by Kinvolk {version} (stand-in, Debian inside)"
ID=flatcar
ID_LIKE=coreos
VERSION={version}
VERSION_ID={version}
"""


def make(recipe: Recipe, folder: Path, progress: Progress) -> Standin:
    """Make the release server in this folder."""
    if recipe.arch != "x86_64":
        raise CallerError(f"there is no stand-in for {recipe.name} on {recipe.arch}", "name x86_64")
    base = (one for one in find_recipe("debian", "12", "x86_64").archives if isinstance(one, Archive))
    workshop.send(__name__, recipe, base, folder, progress, BASE)
    return load(recipe, folder)


def load(recipe: Recipe, folder: Path) -> Standin:
    """The stand-in that lies in this folder."""
    return Standin(recipe, folder, Invented.load(folder), MIRROR)


def main(letter: Mapping[str, Any]) -> int:
    """Make it, as root of its own view."""
    return workshop.work(letter, MAKERS, _make)


def _invented(recipe: Recipe) -> Invented:
    own = "the stand-in's own script, in place of Flatcar's"
    return Invented(
        f"{recipe.name} on {recipe.arch}",
        BASE,
        (RELEASE.format(version=VERSION).splitlines()[1], f"version {VERSION}"),
        (
            ("system", "Debian's packages on a read-only btrfs, without verity and without updates"),
            ("boot loader", "Debian's GRUB without signatures: Secure Boot is not proven"),
            ("Ignition", "Debian's package, of 2.14: what Flatcar's own has besides is not proven"),
            ("Ignition's set-up from the OEM partition, disk id, first-boot flag, growth of ROOT", own),
            ("afterburn, Azure agent", own),
        ),
        (),
    )


def _make(recipe: Recipe, states: tuple[Release, ...], work: Workspace) -> Invented:
    key = SigningKey.make(work.folder, work.tool, work.folder)
    _system(states, work)
    _disk(work)
    append_footer(work.disk, UUID(FIXED_DISK_ID), work.epoch)
    assert recipe.image
    server = recipe.image.version.split("://", 1)[1].partition("/")[2].rpartition("/current/")[0]
    current, version = (work.file("served") / server / name for name in ("current", VERSION))
    for folder in (current, version):
        folder.mkdir(parents=True)
    _packed(work.disk, version / FILE)
    digests = {name: hashlib.new(name, (version / FILE).read_bytes()).hexdigest() for name in ("md5", "sha1", "sha512")}
    listing = version / f"{FILE}.DIGESTS"
    listing.write_text("".join(f"# {name.upper()} HASH\n{value}  {FILE}\n" for name, value in digests.items()))
    with key.opened(work.tool, work.folder) as opened:
        opened.detach_sign(version / FILE, version / f"{FILE}.sig", armor=False)
        opened.clear_sign(listing, version / f"{FILE}.DIGESTS.asc")
    (current / "version.txt").write_text(f"FLATCAR_VERSION={VERSION}\nFLATCAR_VERSION_ID={VERSION}\n")
    return _invented(recipe)


def _packed(disk: Path, target: Path) -> None:
    with disk.open("rb") as plain, bz2.open(target, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed, MIB)


# The system


def _system(states: tuple[Release, ...], work: Workspace) -> None:
    mmdebstrap.run(
        *("--mode=root", "--variant=minbase", "--format=directory", "--skip=chroot/mount/sys,output/dev"),
        *(f"--keyring={keyring}" for keyring in dict.fromkeys(state.keyring for state in states)),
        f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED),
        *("--dpkgopt=force-unsafe-io", '--aptopt=APT::Install-Recommends "false"'),
        states[0].suite,
        work.tree,
        *(f"deb [signed-by={state.keyring}] {state.source}" for state in states),
        log=work.log,
        env={"SOURCE_DATE_EPOCH": str(work.epoch), "INITRD": "No"},
    )
    for path, (text, mode) in {**INITRD, **SYSTEM}.items():
        work.write(path, text, mode)
    work.inside("systemctl", "enable", *UNITS)
    work.inside("systemctl", "mask", "apt-daily.timer", "apt-daily-upgrade.timer")
    (kernel,) = (path.rsplit("/", 1)[1] for path in work.glob("/usr/lib/modules/*"))
    words = ("--force", "--no-hostonly", "--no-early-microcode", "--add", "standin ignition systemd-networkd")
    work.inside("dracut", *words, "--kver", kernel, "/boot/initrd-a", kernel)
    work.path(f"/boot/vmlinuz-{kernel}").rename(work.file("vmlinuz-a"))
    work.path("/boot/initrd-a").rename(work.file("initrd-a"))
    _bare(work)


def _bare(work: Workspace) -> None:
    """Nothing of one machine, and nothing of the build."""
    for folder in ("/boot", "/var/cache/apt", "/var/lib/apt/lists", "/var/log"):
        work.empty(folder)
    for path in work.glob("/etc/ssh/ssh_host_*"):
        work.remove(path)
    for path in ("/vmlinuz", "/vmlinuz.old", "/initrd.img", "/initrd.img.old", "/etc/hostname", "/etc/resolv.conf"):
        work.remove(path)
    work.write("/etc/machine-id", "uninitialized\n")
    work.write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    work.path("/etc/resolv.conf").symlink_to("/run/systemd/resolve/stub-resolv.conf")
    work.write("/usr/lib/os-release", RELEASE.format(version=VERSION))
    work.path("/oem").mkdir()


# The disk


def _disk(work: Workspace) -> None:
    with work.disk.open("wb") as file:
        file.truncate(SIZE)
    work.tool("/usr/sbin/sfdisk", "--quiet", "--no-tell-kernel", work.disk, text=_table())
    system, oem, root = work.file("usr"), work.file("oem"), work.tree
    work.path("/usr").rename(system)
    work.path("/usr").mkdir()
    for path, text in OEM.items():
        (oem / path).parent.mkdir(parents=True, exist_ok=True)
        (oem / path).write_text(text)
    nothing_mounted(work.tools)
    _fill(work, "USR-A", "/usr/sbin/mkfs.btrfs", "--quiet", "--label", "USR-A", "--rootdir", system)
    _fill(work, "OEM", "/usr/sbin/mkfs.btrfs", "--quiet", "--label", "OEM", "--mixed", "--rootdir", oem)
    _fill(work, "ROOT", "/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-L", "ROOT", "-d", root)
    _esp(work)
    _bios(work)


def _table() -> str:
    lines, at = [f"label: gpt\nlabel-id: {FIXED_DISK_ID}\nfirst-lba: 2048"], START * MIB
    for number, name, size, kind, identity in SLOTS:
        place = f"{number} : start={at // SECTOR}, size={size * MIB // SECTOR}, type={kind}, name={name}"
        lines.append(place + (f", uuid={identity}" if identity else ""))
        at += size * MIB
    return "\n".join(lines) + "\n"


def _place(wanted: str) -> tuple[int, int]:
    """Where a partition lies, and how long it is, in bytes."""
    at = START * MIB
    for _, name, size, _, _ in SLOTS:
        if name == wanted:
            return at, size * MIB
        at += size * MIB
    raise AssertionError(wanted)


def _fill(work: Workspace, name: str, *argv: str | Path) -> None:
    """Have a program make a file system in a file of the partition's size, and lay it there."""
    at, size = _place(name)
    image = work.file("part.img")
    with image.open("wb") as file:
        file.truncate(size)
    work.tool(*argv, image)
    assert image.stat().st_size == size, f"{name} takes {image.stat().st_size >> 20} MiB"
    _lay(work, image, at)


def _lay(work: Workspace, image: Path, at: int) -> None:
    source, target = (path.relative_to(work.tools) for path in (image, work.disk))
    work.tool("dd", f"bs={MIB}", f"seek={at // MIB}", "conv=notrunc,sparse", f"if=/{source}", f"of=/{target}")
    image.unlink()


def _esp(work: Workspace) -> None:
    at, size = _place("EFI-SYSTEM")
    image, loader, menu, flag = (work.file(name) for name in ("esp.img", "loader.efi", "grub.cfg", "first_boot"))
    with image.open("wb") as file:
        file.truncate(size)
    menu.write_text(GRUB)
    flag.touch()
    mkimage = ("/usr/bin/grub-mkimage", "--format=x86_64-efi", "--directory=/usr/lib/grub/x86_64-efi")
    work.tool(*mkimage, "--prefix=/flatcar/grub", f"--output=/{loader.relative_to(work.tools)}", *MODULES)
    work.tool("/usr/sbin/mkfs.vfat", "-F", "32", "-n", "EFI-SYSTEM", image)
    work.tool("/usr/bin/mmd", "-i", image, "::EFI", "::EFI/boot", "::flatcar", "::flatcar/grub")
    for source, target in (
        (loader, "EFI/boot/bootx64.efi"),
        (menu, "flatcar/grub/grub.cfg"),
        (work.file("vmlinuz-a"), "flatcar/vmlinuz-a"),
        (work.file("initrd-a"), "flatcar/initrd-a"),
        (flag, "flatcar/first_boot"),
    ):
        work.tool("/usr/bin/mcopy", "-i", image, source, f"::{target}")
    _lay(work, image, at)


def _bios(work: Workspace) -> None:
    """GRUB's BIOS code in its partition and in the first sector."""
    at, size = _place("BIOS-BOOT")
    core = work.file("core.img")
    mkimage = ("/usr/bin/grub-mkimage", "--format=i386-pc", "--directory=/usr/lib/grub/i386-pc")
    output = f"--output=/{core.relative_to(work.tools)}"
    work.tool(*mkimage, "--prefix=(,gpt1)/flatcar/grub", output, "biosdisk", *MODULES)
    boot = (work.tools / "usr/lib/grub/i386-pc/boot.img").read_bytes()
    with work.disk.open("r+b") as disk:
        first = patched_boot_sector(boot, disk.read(SECTOR), at // SECTOR)
        disk.seek(0)
        disk.write(first)
        disk.seek(at)
        disk.write(embedded_core(core.read_bytes(), at // SECTOR, size))
