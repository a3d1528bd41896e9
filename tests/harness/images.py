"""A small image that every offline check likes: a tree in a folder, and a 24 MiB disk made of it. For tests only."""

import gzip
import struct
import subprocess
import uuid
import zlib
from collections.abc import Mapping
from pathlib import Path

from build.command import find
from build.vhd import append_footer
from distros import debian
from tests.harness.signed import VENDOR, program, shim

VERSION = "6.1.0-1-cloud-amd64"
ROOT = "6e2b5f0a-0d5c-4b9c-8a3a-3f6d6a1c0001"
ARGS = f"root=UUID={ROOT} ro console=tty1 console=ttyS0,115200 earlyprintk=ttyS0 nvme_core.io_timeout=240"
MODULES = (
    "hv_vmbus hv_storvsc hv_netvsc hv_utils nvme nvme-core pci-hyperv vfat udf isofs mana mlx4_core mlx4_en mlx5_core"
)
MIB = 1 << 20
SECTORS = MIB // 512
BIOS_BOOT, ESP, LINUX_ROOT = (
    "21686148-6449-6E6F-744E-656564454649",
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
)
LAYOUT = ((14, BIOS_BOOT, 1, 1), (15, ESP, 2, 4), (1, LINUX_ROOT, 6, 17))
"""Number, type, start and size in MiB."""
SIZE = 24 * MIB

GRUB = f"""serial --speed=115200 --unit=0
if [ "${{next_entry}}" ] ; then
  set default="${{next_entry}}"
else
  set default="0"
fi
function load_video {{
  insmod all_video
}}
terminal_input serial console
terminal_output serial console
set timeout=1
menuentry 'Debian' --class debian $menuentry_id_option 'gnulinux-simple' {{
	load_video
	search --no-floppy --fs-uuid --set=root {ROOT}
	linux	/boot/vmlinuz-{VERSION} {ARGS}
	initrd	/boot/initrd.img-{VERSION}
}}
submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced' {{
	menuentry 'Debian, recovery' $menuentry_id_option 'gnulinux-recovery' {{
		linux	/boot/vmlinuz-{VERSION} {ARGS} single
		initrd	/boot/initrd.img-{VERSION}
	}}
}}
"""
FSTAB = f"UUID={ROOT} / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1\n"
STUB = f"search.fs_uuid {ROOT} root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n"
WAAGENT = "\n".join(
    (
        "Provisioning.Agent=auto",
        "Provisioning.DeleteRootPassword=y",
        "Provisioning.RegenerateSshHostKeyPair=y",
        "ResourceDisk.Format=n",
        "ResourceDisk.EnableSwap=n",
        "OS.RootDeviceScsiTimeout=300  # seconds",
        "HttpProxy.Host=None",
        "",
    )
)
CONFIG = (
    "".join(f"CONFIG_{name}=m\n" for name in ("HYPERV", "HYPERV_STORAGE", "HYPERV_NET", "HYPERV_UTILS", "CIFS"))
    + "CONFIG_SERIAL_8250=y\nCONFIG_PTP_1588_CLOCK=y\nCONFIG_TCG_CRB=y\nCONFIG_WATCHDOG=y\n# CONFIG_FLOPPY is not set\n"
)
CLOUD = {
    "05_logging.cfg": "output: {all: '| tee -a /var/log/cloud-init-output.log'}\n",
    "10-azure-kvp.cfg": "reporting:\n  logging:\n    type: log\n  telemetry:\n    type: hyperv\n",
    "91-azure_datasource.cfg": "datasource_list: [ Azure ]\n",
}
UNITS = ("ssh", "walinuxagent", "chrony", "serial-getty@", "systemd-networkd", "cloud-config", "cloud-final")
UNITS += ("cloud-init-local", "cloud-init-network")
ENABLED = ("ssh", "walinuxagent", "chrony", "systemd-networkd", "cloud-config", "cloud-final")
ENABLED += ("cloud-init-local", "cloud-init-network")
PROGRAMS = ("usr/sbin/sshd", "usr/sbin/waagent", "usr/sbin/useradd", "usr/sbin/usermod", "usr/sbin/chpasswd")
PROGRAMS += ("usr/bin/sudo", "usr/bin/python3", "usr/bin/openssl", "usr/bin/growpart", "usr/bin/cloud-init")
PROGRAMS += (
    "usr/sbin/mkfs.ext4",
    "usr/sbin/ip",
    "usr/sbin/sfdisk",
    "usr/bin/sed",
    "usr/bin/grep",
    "usr/sbin/mkinitramfs",
)
PROGRAMS += ("usr/sbin/azure-nvme-id", "usr/lib/x86_64-linux-gnu/libcrypto.so.3", "usr/lib/python3.11/os.py")
FILES = {
    "boot/grub/grub.cfg": GRUB,
    "etc/apt/sources.list.d/debian.sources": f"Types: deb\nURIs: {debian.HOST}/debian\nSuites: sid\n",
    f"boot/config-{VERSION}": CONFIG,
    f"usr/lib/modules/{VERSION}/modules.dep": "".join(f"kernel/{name}.ko.xz:\n" for name in MODULES.split()),
    f"usr/lib/modules/{VERSION}/modules.builtin": "kernel/drivers/scsi/sd_mod.ko\n",
    "etc/fstab": FSTAB,
    "etc/hostname": "localhost\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/machine-id": "",
    "etc/os-release": "ID=debian\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n",
    "etc/shadow": "root:!*:19000:0:99999:7:::\nsshd:!:19000::::::\n",
    "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n",
    "etc/ssh/sshd_config.d/50-azure.conf": "ClientAliveInterval 180\n",
    "etc/chrony/chrony.conf": "refclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0\n",
    "etc/waagent.conf": WAAGENT,
    "etc/initramfs-tools/initramfs.conf": "MODULES=most\n",
    "usr/lib/python3/dist-packages/cloudinit/version.py": '__VERSION__ = "24.1"\n',
    "etc/sudoers": "root ALL=(ALL:ALL) ALL\n",
    "usr/lib/udev/rules.d/50-udev-default.rules": 'ATTR{clock_name}=="hyperv", SYMLINK+="ptp_hyperv"\n',
    "usr/lib/udev/rules.d/66-azure-storage.rules": "#",
    "usr/lib/udev/rules.d/80-azure-disk.rules": "#",
    "usr/lib/udev/rules.d/66-azure-ephemeral.rules": "#",
    "usr/lib/udev/rules.d/10-azure-unmanaged-sriov.rules": "#",
    "var/lib/dpkg/status": "Package: hyperv-daemons\nStatus: install ok installed\nVersion: 6.1\n\n"
    "Package: waagent\nStatus: install ok installed\nVersion: 2.13.1.1-1\n",
    **{f"etc/cloud/cloud.cfg.d/{name}": text for name, text in CLOUD.items()},
    **{f"usr/lib/systemd/system/{name}.service": "[Unit]\n" for name in UNITS},
    **dict.fromkeys(PROGRAMS, "#!"),
}


def put(root: Path, path: str, text: str = "x") -> None:
    """Write a file of the tree."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def good_tree(root: Path) -> Path:
    """A tree without findings."""
    for path, text in FILES.items():
        put(root, path, text)
    (root / "lib").symlink_to("usr/lib")
    (root / f"boot/initrd.img-{VERSION}").write_bytes(initrd())
    (root / f"boot/vmlinuz-{VERSION}").write_bytes(program("a vendor's kernel"))
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    for name in ENABLED:
        (wants / f"{name}.service").symlink_to(f"/usr/lib/systemd/system/{name}.service")
    return root


def initrd(modules: str = MODULES) -> bytes:
    """A microcode archive in front of a packed one, as initramfs-tools makes them."""
    names = [f"usr/lib/modules/{VERSION}/kernel/drivers/{name}.ko.xz" for name in modules.split()]
    files = {**dict.fromkeys(names, b"module"), "conf/initramfs.conf": b"MODULES=most\n", "scripts/functions": b"#"}
    return cpio({"kernel/x86/microcode/GenuineIntel.bin": b"code"}) + bytes(512) + gzip.compress(cpio(files))


def cpio(files: dict[str, bytes]) -> bytes:
    """A newc archive."""
    return b"".join(_member(name, content) for name, content in {**files, "TRAILER!!!": b""}.items())


def _member(name: str, content: bytes) -> bytes:
    numbers = (1, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def good_disk(folder: Path, tree: Path, room: int = 17) -> Path:
    """A fixed VHD without findings: hybrid GPT, GRUB's BIOS code, an EFI partition, ext4 of `room` MiB."""
    disk = blank_disk(folder, room)
    options = f"offset={6 * MIB},lazy_itable_init=1"
    _run("mke2fs", "-q", "-F", "-t", "ext4", "-U", ROOT, "-d", str(tree), "-E", options, str(disk), f"{room}M")
    append_footer(disk, uuid.UUID(ROOT), 1700000000)
    return disk


def blank_disk(folder: Path, root: int = 17, kind: str = LINUX_ROOT) -> Path:
    """A raw disk with all but what lies in its last partition, of `root` MiB from the sixth on."""
    disk, size = folder / "disk.vhd", (7 + root) * MIB
    with disk.open("wb") as file:
        file.truncate(size)
        layout = (*LAYOUT[:2], (1, kind, 6, root))
        write_gpt(file, size, [(n, kind, at * SECTORS, size * SECTORS) for n, kind, at, size in layout])
        _write_bios_code(file)
        file.seek(2 * MIB)
        file.write(_esp(folder).read_bytes())
    return disk


def _esp(folder: Path) -> Path:
    esp = folder / "esp"
    esp.write_bytes(bytes(4 * MIB))
    _run("mkfs.vfat", "-i", "CAFE0001", str(esp))
    grub = program(content=bytes(64) + struct.pack("<II", 3, 24) + b"/EFI/debian".ljust(16, b"\0"))
    _run("mmd", "-i", str(esp), "::EFI", "::EFI/BOOT", "::EFI/debian")
    for name, content in {
        "BOOT/BOOTX64.EFI": shim(VENDOR),
        "BOOT/grubx64.efi": grub,
        "debian/grub.cfg": STUB.encode(),
    }.items():
        (folder / "piece").write_bytes(content)
        _run("mcopy", "-o", "-i", str(esp), str(folder / "piece"), f"::EFI/{name}")
    return esp


def _write_bios_code(file) -> None:  # type: ignore[no-untyped-def]
    boot = bytearray(440)
    boot[:2], boot[0x180:0x184] = b"\xeb\x63", b"GRUB"
    struct.pack_into("<Q", boot, 0x5C, SECTORS)
    file.seek(0)
    file.write(boot)
    core = bytearray(b"\x52" * 512 * 9)
    struct.pack_into("<QHH", core, 0x1F4, SECTORS + 1, 8, 0x820)
    file.seek(MIB)
    file.write(core)


def write_gpt(  # type: ignore[no-untyped-def]
    file, size: int, partitions: list[tuple[int, str, int, int]], identity: str = ROOT, names: Mapping[int, str] = {}
) -> None:
    """A GPT with both copies and a protective MBR; partitions are number, type, first sector, sectors."""
    last = size // 512 - 1
    slots = bytearray(128 * 128)
    for number, kind, start, count in partitions:
        unique = uuid.uuid5(uuid.NAMESPACE_OID, str(number)).bytes_le
        name = names.get(number, f"part {number}").encode("utf-16-le")
        slot = uuid.UUID(kind).bytes_le + unique + struct.pack("<QQQ", start, start + count - 1, 0) + name
        slots[(number - 1) * 128 : number * 128] = slot.ljust(128, b"\0")
    crc = zlib.crc32(slots)
    for own, other, entries in ((1, last, 2), (last, 1, last - 32)):
        file.seek(own * 512)
        file.write(_header(own, other, last, entries, crc, identity))
        file.seek(entries * 512)
        file.write(slots)
    file.seek(446)
    file.write(
        struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(last, 0xFFFFFFFF))
        + bytes(48)
        + b"\x55\xaa"
    )


def _header(own: int, other: int, last: int, entries: int, crc: int, identity: str) -> bytes:
    guid = uuid.UUID(identity).bytes_le
    body = struct.pack(
        "<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, own, other, 34, last - 33, guid, entries, 128, 128, crc
    )
    return (body[:16] + struct.pack("<I", zlib.crc32(body)) + body[20:]).ljust(512, b"\0")


def _run(program: str, *arguments: str) -> None:
    environment = {"MTOOLS_SKIP_CHECK": "1", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    subprocess.run([find(program), *arguments], check=True, capture_output=True, env=environment)
