"""The appliance: a Linux of our own that reads the files of any disk image, whatever its file systems are.

User space programs read some file systems and lose what they do not know; a kernel reads all of them whole. So a small
machine under QEMU is given the image (read only) and an empty disk, mounts what the image's own fstab names, and writes
it as one tar archive onto that disk. It has no network card, starts nothing of the image, and needs no right here.
Kernel and programs come from Debian's archive, as those of the tools tree do.
"""

import hashlib
import lzma
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from build import archive, cache, mmdebstrap
from build.archive import Release
from build.command import find, run
from build.diskfile import DiskFile
from build.errors import CallerError, MachineError
from build.tools import KEYRING

PACKAGES = ("linux-image-cloud-amd64", "busybox-static", "lvm2", "tar")
PROGRAMS = ("usr/bin/tar", "usr/sbin/lvm")
MODULES = (
    "virtio_pci",
    "virtio_blk",
    "ext4",
    "xfs",
    "btrfs",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "nls_iso8859-1",
    "dm-mod",
)
CHECKSUMS = ("crc32c_generic", "xxhash_generic", "blake2b_generic", "sha256_generic")
"""What file systems ask the kernel for by name when they are loaded, though their modules do not depend on them."""
DONE = re.compile(r"^kiln: read (\d+)", re.MULTILINE)
MOUNTED = re.compile(r"^kiln: mount (\S+) (\S+)$", re.MULTILINE)
FAILED = re.compile(r"^kiln: (?!read|mount|without)(.*)", re.MULTILINE)
LARGEST = 2 << 40
"""Bytes: the size of the disk that takes the archive; a sparse file."""
ACCELERATOR = ("-accel", "tcg", "-cpu", "Nehalem,-cx16")
"""Emulation works wherever QEMU does. Without cmpxchg16b, which QEMU 7.2 emulates so that flags are lost: the kernel's
allocator uses it where it is, and then dies of a debug exception that nobody asked for."""
PATIENCE = 1800
"""Seconds for a whole image under emulation."""

SCRIPT = """\
#!/bin/busybox sh
# Finds the root file system of /dev/vda, mounts what its fstab names, and writes all of it to /dev/vdb as tar.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1
say() { echo "kiln: $*"; }
finish() { say "$*"; sync; poweroff -f; sleep 60; }
for module in MODULES_IN_ORDER; do insmod "/modules/$module.ko"; done
sleep 1
lvm vgchange -ay --sysinit --noudevsync && lvm vgmknodes

# Mounts $1 at $2 read only, with options $3; a journal or log that wants a replay is left alone. Tells the type.
attach() {
    for type in ext4 xfs btrfs vfat; do
        case $type in
            ext4) extra=noload;; xfs) extra=norecovery,nouuid;; btrfs) extra=rescue=nologreplay;; *) extra=;;
        esac
        mount -t $type -o "ro${3:+,$3}${extra:+,$extra}" "$1" "$2" 2>/dev/null && return
    done
    return 1
}

is_root() { [ -f /image/etc/fstab ] && { [ -e /image/etc/os-release ] || [ -L /image/etc/os-release ]; }; }

find_root() {
    for device in /dev/vda* /dev/mapper/*; do
        [ -b "$device" ] && [ "$device" != /dev/vda ] || continue
        for subvolume in "" root @ @rootfs; do
            attach "$device" /image "${subvolume:+subvol=$subvolume}" || continue
            is_root && return
            umount /image
        done
    done
    return 1
}

# Bytes of the disk, $2 of them from $1 on, in hexadecimal.
bytes() { hexdump -v -s "$1" -n "$2" -e '1/1 "%02x "' /dev/vda; }

# The unique id of partition $1: the GUID in its slot of the GPT, or the MBR's own id and its number.
id_of() {
    if [ "$(echo $(bytes 512 8))" = "45 46 49 20 50 41 52 54" ]; then  # EFI PART
        set -- $(bytes $((1024 + ($1 - 1) * 128 + 16)) 16)
        echo "$4$3$2$1-$6$5-$8$7-$9${10}-${11}${12}${13}${14}${15}${16}"
    else
        number=$1; set -- $(bytes 440 4)
        printf '%s%s%s%s-%02x\\n' "$4" "$3" "$2" "$1" "$number"
    fi
}

# The partition with this unique id.
partition() {
    for node in /dev/vda[0-9]*; do
        [ "$(id_of "${node#/dev/vda}")" = "$(echo "$1" | tr A-F a-f)" ] && echo "$node"
    done
}

# The partition of this name, which GPT alone has.
named() {
    for file in /sys/class/block/vda[0-9]*/uevent; do
        grep -qx "PARTNAME=$1" "$file" && { file=${file%/uevent}; echo "/dev/${file##*/}"; }
    done
}

# The device that this first field of fstab(5) means.
device_of() {
    case $1 in
        UUID=*|LABEL=*) findfs "$1";;
        PARTUUID=*) partition "${1#*=}";;
        PARTLABEL=*) named "${1#*=}";;
        /dev/disk/by-uuid/*) findfs "UUID=${1##*/}";;
        /dev/disk/by-label/*) findfs "LABEL=${1##*/}";;
        /dev/disk/by-partuuid/*) partition "${1##*/}";;
        /dev/disk/by-partlabel/*) named "${1##*/}";;
        *) echo "$1";;
    esac
}

mkdir -p /image
find_root || finish "no root file system found in the image"
say "mount $type /"
tr -d '"' </image/etc/fstab | sed 's/^[[:space:]]*//; s/[[:space:]][[:space:]]*/ /g; /^#/d' | sort -k2 >/fstab
while read -r source target kind options rest; do
    case $kind in ext2|ext3|ext4|xfs|btrfs|vfat|auto) ;; *) continue;; esac
    # Snapshots of the root hold all of it once more, and are of no use outside of btrfs.
    case $target in /|/.snapshots) continue;; esac
    subvolume=$(echo "$options" | tr , '\\n' | grep -e '^subvol=' -e '^subvolid=')
    if attach "$(device_of "$source")" "/image$target" "$subvolume"; then
        say "mount $type $target"
        continue
    fi
    case ",$options," in
        *,nofail,*|*,noauto,*) say "without $source for $target";;
        *) finish "its fstab wants $source at $target, which is not there";;
    esac
done </fstab
/usr/bin/tar -C /image --create --file=/dev/vdb --numeric-owner --sort=name --xattrs --xattrs-include='*' --acls \\
    --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' --exclude='./run/*' --exclude='./tmp/*' \\
    --exclude='./.snapshots' . || finish "tar ended with status $?"
finish "read $(du -s -k /image | cut -f1) KiB"
"""


@dataclass(frozen=True)
class Mount:
    """A file system of an image: where it is mounted, and its type as the kernel has it (ext4 is ext2 and ext3 too)."""

    path: str
    type: str


@dataclass(frozen=True)
class Appliance:
    """Its kernel and its initial file system, as files."""

    kernel: Path
    initrd: Path


def key(state: Release) -> str:
    """What names the appliance that this state of Debian's archive gives."""
    made_of = (state.sha256, PACKAGES, PROGRAMS, SCRIPT, CHECKSUMS, MODULES)
    return hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]


def make(state: Release, log: IO[str], *, offline: bool) -> Appliance:
    """Make it unless it is there; must run as root of its own view. Raises MachineError, as the tools tree does."""
    folder = cache.folder() / "appliance" / key(state)
    with cache.locked(f"appliance-{folder.name}"):
        if not folder.is_dir():
            if offline:
                raise MachineError("the appliance has never been made here", "build once without --offline")
            archive.verify(state, KEYRING, mirror=False)
            _make(state, folder, log)
    return Appliance(folder / "vmlinuz", folder / "initrd")


def _make(state: Release, folder: Path, log: IO[str]) -> None:
    tree, fresh = folder.with_suffix(".tree"), folder.with_suffix(".partial")
    for left in (tree, fresh):
        cache.remove(left)
    fresh.mkdir(parents=True)
    mmdebstrap.run(
        *("--mode=root", "--variant=extract", "--format=directory", "--skip=chroot/mount/sys,output/dev"),
        *(f"--keyring={KEYRING}", f"--include={','.join(PACKAGES)}"),
        *(state.suite, tree, f"deb [signed-by={KEYRING}] {state.source}"),
        log=log,
        env={"SOURCE_DATE_EPOCH": str(state.date)},
    )
    (kernel,) = tree.glob("boot/vmlinuz-*")
    (fresh / "vmlinuz").write_bytes(kernel.read_bytes())
    with (fresh / "initrd").open("wb") as file:
        write_cpio(file, _content(tree))
    fresh.rename(folder)
    cache.remove(tree)


def _content(tree: Path) -> Iterator[tuple[str, int, bytes]]:
    """Path, mode and content of everything in the initial file system."""
    for name in ("bin", "sbin", "dev", "proc", "sys", "usr", "usr/bin", "usr/sbin", "etc", "modules", "lib64"):
        yield name, 0o040755, b""
    yield "bin/busybox", 0o100755, (tree / "usr/bin/busybox").read_bytes()
    yield "lib64/ld-linux-x86-64.so.2", 0o100755, (tree / "usr/lib64/ld-linux-x86-64.so.2").read_bytes()
    yield "lib", 0o040755, b""
    for program in PROGRAMS:
        yield program, 0o100755, (tree / program).read_bytes()
    for library in sorted({path for program in PROGRAMS for path in _libraries(tree, tree / program)}):
        yield f"lib/{library.name}", 0o100755, library.read_bytes()
    modules = dict(_modules(tree, (*CHECKSUMS, *MODULES)))
    for name, content in modules.items():
        yield f"modules/{name}.ko", 0o100644, content
    yield "init", 0o100755, SCRIPT.replace("MODULES_IN_ORDER", " ".join(modules)).encode()


def _libraries(tree: Path, program: Path) -> Iterator[Path]:
    """The shared libraries of a program, found by the tree's own loader."""
    places = ":".join(str(path) for path in (tree / "usr/lib").glob("*-linux-gnu"))
    loader = tree / "usr/lib64/ld-linux-x86-64.so.2"
    for line in run(loader, "--library-path", places, "--list", program).stdout.splitlines():
        if "=> /" in line:
            yield Path(line.partition("=> ")[2].split()[0])


def _modules(tree: Path, wanted: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Modules with those that they depend on before them; what is built into the kernel is no file."""
    files = {path.name.split(".")[0].replace("-", "_"): path for path in tree.glob("usr/lib/modules/*/kernel/**/*.ko*")}
    seen: set[str] = set()

    def load(name: str) -> Iterator[tuple[str, bytes]]:
        name = name.replace("-", "_")
        if name in seen or name not in files:
            return
        seen.add(name)
        packed = files[name].read_bytes()
        content = lzma.decompress(packed) if files[name].suffix == ".xz" else packed
        for other in re.findall(rb"\0depends=([^\0]*)", content)[:1]:
            for one in filter(None, other.decode().split(",")):
                yield from load(one)
        yield name, content

    for name in wanted:
        yield from load(name)


def write_cpio(file: IO[bytes], entries: Iterable[tuple[str, int, bytes]]) -> None:
    """An initial file system in the "newc" form (Linux, Documentation/driver-api/early-userspace/buffer-format)."""
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        file.write(header + path + b"\0" * (-(len(header) + len(path)) % 4))
        file.write(content + b"\0" * (-len(content) % 4))


def read_files(appliance: Appliance, disk: DiskFile, tar: Path, log: IO[str]) -> tuple[Mount, ...]:
    """Write the files of the image's root, and of what its fstab mounts, to a sparse file that holds a tar archive.

    Returns the file systems that they lay on, the root first.

    Raises CallerError where the image holds no Linux that can be found, or not all that its fstab wants; MachineError
    where QEMU fails.
    """
    tar.unlink(missing_ok=True)
    with tar.open("wb") as file:
        file.truncate(LARGEST)
    command: list[str | Path] = [
        *(find("timeout"), "--signal=KILL", str(PATIENCE), find("qemu-system-x86_64")),
        *("-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-no-reboot", "-machine", "q35"),
        *("-m", "1024", *ACCELERATOR, "-serial", "stdio"),
        *("-kernel", appliance.kernel, "-initrd", appliance.initrd, "-append", "console=ttyS0 panic=-1 quiet"),
        *("-drive", f"if=virtio,readonly=on,file={_escaped(disk.source)}"),
        *("-drive", f"if=virtio,format=raw,cache=unsafe,file={_escaped(str(tar))}"),
    ]
    told = run(*command, log=log, expect=(0, 1, 137)).stdout.replace("\r", "")
    if not DONE.search(told):
        reasons = FAILED.findall(told)
        if reasons:
            raise CallerError(
                f"{disk.path.name} cannot be read: {reasons[-1]}", "is it an image of a whole Linux disk?"
            )
        raise MachineError(f"reading {disk.path.name} broke off: {told.strip()[-300:]}", "run the build again")
    return tuple(Mount(path, type) for type, path in MOUNTED.findall(told))


def _escaped(text: str) -> str:
    """For QEMU's option lists, in which a comma is doubled."""
    return text.replace(",", ",,")
