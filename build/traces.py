"""What a tree remembers of the disk that it was installed on, and must not: it gets another one.

The settings that a build writes anew anyway (fstab, the boot menu, its entries and its command line) are not here.
"""

import re

from build.workspace import Workspace

GRUB_DROPINS = "/etc/default/grub.d/*.cfg"
NAMES_DISK = re.compile(
    r"^\s*(export\s+)?GRUB_(FORCE_PARTUUID|DISABLE_LINUX_UUID|DISABLE_LINUX_PARTUUID|DISABLE_UUID|DEVICE\w*)=.*\n?",
    re.MULTILINE,
)
"""Ubuntu's cloud images name their own root's partition, Debian's have the root named by partition (grub-mkconfig)."""
SNAPSHOTS = "/etc/snapper/configs/*"
SNAPPER = "/etc/sysconfig/snapper"
CONFIGS = re.compile(r"^SNAPPER_CONFIGS=.*$", re.MULTILINE)
DEVICES = "/etc/lvm/devices/*"
"""The disks that LVM may use, by their ids (lvmdevices(8))."""


def forget_disk(work: Workspace) -> None:
    """Take out what would lead to that disk, or ask of the new one what only the old one could."""
    for path in work.glob(GRUB_DROPINS):
        _rewrite(work, path, NAMES_DISK, "")
    for path in (*work.glob(SNAPSHOTS), *work.glob(DEVICES)):
        work.remove(path)
    _rewrite(work, SNAPPER, CONFIGS, 'SNAPPER_CONFIGS=""')


def _rewrite(work: Workspace, path: str, pattern: re.Pattern[str], by: str) -> None:
    """Replace what matches in a file of the image, where it has one that is no link."""
    file = work.path(path)
    if not file.is_file() or file.is_symlink():
        return
    text = file.read_text()
    if pattern.search(text):
        work.write(path, pattern.sub(by, text), file.stat().st_mode & 0o7777)
