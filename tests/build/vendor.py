"""Small vendor's images on file systems that Kiln itself never makes, and what the appliance reads of them.

Made by user-space tools of a tools tree; LVM by a kernel of the appliance's own, since nothing else can.
"""

import os
import secrets
import struct
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build import appliance, archive, cache, tools
from build.command import run
from build.diskfile import open_disk
from build.oem import nothing_mounted
from build.workspace import Workspace
from distros.debian import TOOLS
from tests.harness.images import LINUX_ROOT, write_gpt

MIB = 1 << 20
ESP_GUID = str(uuid.uuid5(uuid.NAMESPACE_OID, "3")).upper()
"""As `write_gpt` numbers partitions."""
ROOT_UUID = "11111111-2222-4333-8444-555555555555"
BOOT_UUID = "66666666-7777-4888-9999-aaaaaaaaaaaa"
FILES = {"etc/os-release": "ID=vendor\n", "usr/bin/program": "#!/bin/sh\n", "srv/data": "0123456789\n" * 10_000}
LVM_MAKER = """\
#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1
set -e
trap 'sync; poweroff -f; sleep 60' EXIT
for module in MODULES; do insmod "/modules/$module.ko" || true; done
sleep 1
quiet='--config devices{use_devicesfile=0}'
lvm pvcreate --yes $quiet /dev/vda1
lvm vgcreate $quiet rootvg /dev/vda1
lvm lvcreate --yes --noudevsync -Wn -Zn $quiet --size 64m --name rootlv rootvg
lvm vgmknodes
dd if=/dev/vdb of=/dev/mapper/rootvg-rootlv bs=1M count=64
echo "made: it"
"""


@dataclass(frozen=True)
class Bench:
    """Where images are made: `work` has the tools, `reader` is the appliance."""

    work: Workspace
    reader: appliance.Appliance

    def tree(self, name: str, files: Mapping[str, str]) -> Path:
        """A folder of the workspace with these files."""
        folder = self.work.file(name)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    def blank(self, name: str, mib: int) -> Path:
        """An empty file of that size."""
        path = self.work.file(name)
        with path.open("wb") as file:
            file.truncate(mib * MIB)
        return path


def fstab(*lines: str) -> dict[str, str]:
    """A root's files, its fstab of these lines."""
    return {**FILES, "etc/fstab": "# what the vendor mounts\n" + "".join(f"{line}\n" for line in lines)}


def disk(bench: Bench, parts: Iterable[Path], *, gpt: bool = False) -> Path:
    """A disk with these file systems as partitions of an MBR or a GPT, each from a whole MiB on."""
    at, places = MIB, []
    for part in parts:
        places.append((at, part))
        at += part.stat().st_size
    path = bench.blank("vendor.raw", at // MIB + 1)
    sectors = [(start // 512, part.stat().st_size // 512) for start, part in places]
    with path.open("r+b") as file:
        if gpt:
            slots = [(number, LINUX_ROOT, *place) for number, place in enumerate(sectors, 1)]
            write_gpt(file, path.stat().st_size, slots)
        else:
            rows = b"".join(struct.pack("<B3sB3sII", 0, b"\0" * 3, 0x83, b"\0" * 3, *place) for place in sectors)
            file.seek(510 - 64)
            file.write(rows.ljust(64, b"\0") + b"\x55\xaa")
    for start, part in places:
        run("dd", f"if={part}", f"of={path}", "bs=1M", f"seek={start // MIB}", "conv=notrunc,sparse", "status=none")
    return path


def xfs(bench: Bench) -> Path:
    """As RHEL's: /boot apart, the ESP below it, all of it by UUID but for the ESP, and one disk that may be missing."""
    root = fstab(
        f"UUID={BOOT_UUID} /boot\txfs defaults 0 0",
        f"UUID={ROOT_UUID} / xfs defaults,uquota 0 0",
        f"PARTUUID={ESP_GUID}       /boot/efi vfat umask=0077 0 2",
        "/dev/disk/cloud/azure_resource-part1 /mnt auto defaults,nofail 0 2",
    )
    for name, identity, files in (("root", ROOT_UUID, root), ("boot", BOOT_UUID, {"vmlinuz-1": "kernel\n"})):
        tree = bench.tree(f"{name}-tree", files)
        proto = bench.work.file(f"{name}.proto")
        proto.write_text("/dev/null\n0 0\nd--755 0 0\n" + "".join(protofile(bench.work, tree, _points(name))) + "$\n")
        bench.work.tool(
            "/usr/sbin/mkfs.xfs", "-q", "-m", f"uuid={identity}", "-p", proto, bench.blank(f"{name}.img", 300)
        )
    esp = bench.blank("esp.img", 40)
    bench.work.tool("/usr/sbin/mkfs.vfat", esp)
    bench.work.tool("/usr/bin/mcopy", "-i", esp, bench.tree("esp-tree", {"loader.efi": "MZ"}) / "loader.efi", "::")
    return disk(bench, [bench.work.file(f"{name}.img") for name in ("boot", "root", "esp")], gpt=True)


def _points(name: str) -> tuple[str, ...]:
    return ("boot", "mnt") if name == "root" else ("efi",)


def protofile(work: Workspace, folder: Path, empty: Iterable[str] = ()) -> list[str]:
    """The lines by which mkfs.xfs(8) copies a folder, and makes empty folders in it."""
    lines = [f"{name} d--755 0 0\n$\n" for name in empty]
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            lines += [f"{path.name} d--755 0 0\n", *protofile(work, path), "$\n"]
        else:
            lines.append(f"{path.name} ---640 0 7 /{path.relative_to(work.tools)}\n")
    return lines


def btrfs(bench: Bench) -> Path:
    """As SUSE's and Ubuntu's: subvolumes, one of them with snapshots."""
    where = f"UUID={ROOT_UUID}"
    root = fstab(
        f"{where} / btrfs subvol=/@ 0 0",
        f"{where} /srv btrfs noatime,subvol=/@srv 0 0",
        f"{where} /.snapshots btrfs subvol=/@snapshots 0 0",
    )
    inside = {path: text for path, text in root.items() if not path.startswith("srv/")}
    tree = bench.tree("tree", {f"@/{path}": text for path, text in inside.items()})
    bench.tree("tree", {"@srv/data": FILES["srv/data"], "@snapshots/1/etc/fstab": "once more\n"})
    for point in ("srv", ".snapshots", "boot"):
        (tree / "@" / point).mkdir()
    (tree / "@/usr/bin/link").symlink_to("program")
    volumes = [word for name in ("@", "@srv", "@snapshots") for word in ("--subvol", f"rw:{name}")]
    image = bench.blank("root.img", 200)
    nothing_mounted(bench.work.tools)
    bench.work.tool("/usr/sbin/mkfs.btrfs", "-q", "-U", ROOT_UUID, "--rootdir", tree, *volumes, image)
    return disk(bench, [image])


def lvm(bench: Bench) -> Path:
    """As RHEL's for Azure: the root on a logical volume."""
    root = bench.blank("root.img", 64)
    tree = bench.tree("tree", fstab("/dev/mapper/rootvg-rootlv / ext4 defaults 0 0"))
    bench.work.tool("/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, root)
    path = disk(bench, [bench.blank("pv.img", 96)])
    maker = bench.work.file("maker.cpio")
    modules = " ".join(("crc32c_generic", "virtio_pci", "virtio_blk", "dm_mod"))
    with maker.open("wb") as file:
        file.write(bench.reader.initrd.read_bytes())
        appliance.write_cpio(file, [("init", 0o100755, LVM_MAKER.replace("MODULES", modules).encode())])
    disks = ("-drive", f"if=virtio,format=raw,file={path}", "-drive", f"if=virtio,format=raw,file={root}")
    words = ("-nodefaults", "-display", "none", "-no-reboot", "-machine", "q35", "-m", "1024", "-serial", "stdio")
    boot = ("-kernel", bench.reader.kernel, "-initrd", maker, "-append", "console=ttyS0 panic=-1 quiet")
    told = run("timeout", "120", "qemu-system-x86_64", *words, *appliance.ACCELERATOR, *boot, *disks, expect=(0, 124))
    assert "made: it" in told.stdout, told.stdout[-2000:]
    return path


def incomplete(bench: Bench) -> Path:
    """Its /usr lies on a disk that nobody has."""
    root = bench.blank("root.img", 32)
    tree = bench.tree("tree", fstab(f"UUID={BOOT_UUID} /usr ext4 defaults 0 0"))
    bench.work.tool("/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, root)
    return disk(bench, [root])


VENDORS: Mapping[str, Callable[[Bench], Path]] = {one.__name__: one for one in (xfs, btrfs, lvm, incomplete)}


def main(letter: Mapping[str, Any]) -> int:
    """Make the image `vendor`, read it, and write to `result` its mounts, and its files with modes, owners, sizes."""
    os.umask(0o022)
    with cache.faults_explained(), Path(letter["log"]).open("a") as log:
        (state,) = archive.releases((TOOLS,), offline=os.environ.get("KILN_TEST_OFFLINE") == "1")
        more = ("xfsprogs", "btrfs-progs")
        tree = tools.make(state, more, log, mirror=False, offline=False)
        work = Workspace(tree, f"vendor-{letter['vendor']}-{secrets.token_hex(4)}", cache.folder(), log, 1_700_000_000)
        try:
            work.folder.mkdir(parents=True)
            made = VENDORS[letter["vendor"]](Bench(work, reader := appliance.make(state, log, offline=False)))
            mounts = appliance.read_files(reader, open_disk(made), tar := work.file("files.tar"), log)
            listed = run("tar", "--list", "--verbose", "--numeric-owner", f"--file={tar}").stdout
        finally:
            cache.remove(work.folder)
    lines = (line.split() for line in listed.splitlines())
    rows = [f"{words[0]} {words[1]} {words[2] if words[0][0] == '-' else ''} {' '.join(words[5:])}" for words in lines]
    Path(letter["result"]).write_text("\n".join([*(f"{one.type} at {one.path}" for one in mounts), *rows]))
    return 0
