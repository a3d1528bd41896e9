"""What the stand-in for Flatcar has inside besides Debian's packages: the parts of Flatcar that Kiln's image relies on.

Ignition is Debian's own package. What Flatcar has around it (its set-up from the OEM partition, the name from the
metadata service, the first-boot flag, the growth of ROOT, the Azure agent) is written here anew, and proves nothing of
Flatcar's.
"""

from collections.abc import Mapping

FIXED_DISK_ID = "00000000-0000-0000-0000-000000000001"
USR_A = "7130c94a-213a-4e5a-8e26-6cce9662f132"
MODULE = "/usr/lib/dracut/modules.d/99standin"

_SETUP = """\
#!/bin/sh
# The OEM partition's configs, where Ignition looks for them.
set -e
mkdir -p /mnt/oem /usr/lib/ignition/base.d
mount -o ro /dev/disk/by-partlabel/OEM /mnt/oem
if [ -e /mnt/oem/base/base.ign ]; then cp /mnt/oem/base/base.ign /usr/lib/ignition/base.d/oem.ign; fi
if [ -e /mnt/oem/config.ign ]; then cp /mnt/oem/config.ign /usr/lib/ignition/user.ign; fi
umount /mnt/oem
"""
_HOSTNAME = """\
#!/bin/sh
# Afterburn's part: the name from the metadata service, asked for until it is told.
set -e
name='http://169.254.169.254/metadata/instance/compute/name?api-version=2017-08-01&format=text'
for try in 1 2 3 4 5 6 7 8 9 10; do
    if told=$(curl --silent --fail --max-time 20 -H 'Metadata: true' "$name"); then
        echo "$told" >/sysroot/etc/hostname
        exit 0
    fi
    sleep 2
done
exit 1
"""
_DISK_ID = f"""\
#!/bin/sh
# A first boot needs the flag and the disk's fixed id; each machine gets an id of its own then.
set -e
disk=/dev/$(lsblk -no PKNAME /dev/disk/by-partlabel/ROOT | head -n 1)
found=$(sfdisk --disk-id "$disk")
echo "standin: the disk's id is $found"
[ "$(echo "$found" | tr A-F a-f)" = {FIXED_DISK_ID} ] || exit 1
flock "$disk" sfdisk --no-reread --no-tell-kernel --force --disk-id "$disk" "$(cat /proc/sys/kernel/random/uuid)"
udevadm settle
"""
_MODULE_SETUP = """\
#!/bin/bash
check() { return 255; }
depends() { echo systemd systemd-networkd ignition url-lib; }
install() {
    inst_multiple curl flock sfdisk lsblk tr head sleep mount umount cp cat udevadm
    inst_multiple useradd usermod groupadd
    inst_simple "$moddir/50-standin.network" /etc/systemd/network/50-standin.network
    inst_script "$moddir/setfiles" /usr/sbin/setfiles
    inst_simple "$moddir/usr.conf" "$systemdsystemunitdir/ignition-files.service.d/usr.conf"
    for name in setup hostname disk-id; do
        inst_script "$moddir/$name" "/usr/bin/standin-$name"
        inst_simple "$moddir/standin-$name.service" "$systemdsystemunitdir/standin-$name.service"
        mkdir -p "$initdir$systemdsystemunitdir/ignition-complete.target.requires"
        ln_r "$systemdsystemunitdir/standin-$name.service" \\
            "$systemdsystemunitdir/ignition-complete.target.requires/standin-$name.service"
    done
}
installkernel() {
    instmods btrfs vfat ext4 udf isofs sr_mod cdrom ata_piix ahci virtio_scsi virtio_blk virtio_net virtio_pci \\
        crc32c_generic xxhash_generic nls_cp437 nls_ascii nls_iso8859-1
}
"""


def _initrd_unit(name: str, title: str, order: str) -> str:
    return f"""\
[Unit]
Description=Stand-in: {title}
ConditionPathExists=/etc/initrd-release
DefaultDependencies=no
Before=ignition-complete.target
{order}
OnFailure=emergency.target
OnFailureJobMode=isolate

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/standin-{name}
StandardOutput=journal+console
StandardError=journal+console
"""


INITRD: Mapping[str, tuple[str, int]] = {
    f"{MODULE}/module-setup.sh": (_MODULE_SETUP, 0o755),
    f"{MODULE}/setup": (_SETUP, 0o755),
    # Debian's Ignition labels files whether there is a policy or not; here is none.
    f"{MODULE}/setfiles": ("#!/bin/sh\nexit 0\n", 0o755),
    f"{MODULE}/hostname": (_HOSTNAME, 0o755),
    f"{MODULE}/disk-id": (_DISK_ID, 0o755),
    f"{MODULE}/50-standin.network": ("[Match]\nName=e*\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n", 0o644),
    f"{MODULE}/usr.conf": ("[Unit]\nRequires=sysroot-usr.mount\nAfter=sysroot-usr.mount\n", 0o644),
    f"{MODULE}/standin-setup.service": (
        _initrd_unit(
            "setup",
            "Ignition's configs from the OEM partition",
            "After=systemd-udev-settle.service dev-disk-by\\x2dpartlabel-OEM.device\n"
            "Requires=dev-disk-by\\x2dpartlabel-OEM.device\nBefore=ignition-fetch-offline.service",
        ),
        0o644,
    ),
    f"{MODULE}/standin-disk-id.service": (
        _initrd_unit(
            "disk-id",
            "the disk's id",
            "After=dev-disk-by\\x2dpartlabel-ROOT.device\nWants=dev-disk-by\\x2dpartlabel-ROOT.device\n"
            # Nothing may be mounted from the disk meanwhile: its partitions come and go.
            "Before=ignition-fetch-offline.service sysroot.mount sysusr-usr.mount\n"
            "Before=systemd-fsck-root.service systemd-fsck-usr.service standin-setup.service",
        ),
        0o644,
    ),
    f"{MODULE}/standin-hostname.service": (
        _initrd_unit(
            "hostname",
            "the machine's name",
            "After=ignition-files.service network.target\nBefore=initrd-switch-root.target",
        ),
        0o644,
    ),
}
"""What goes into the initramfs: files and their modes."""

_AGENT = """\
#!/bin/sh
# Stands in for the Azure agent: asks as it does, in its order, and reports Ready (docs/azure/host-protocol.md 7).
set -e
host=http://168.63.129.16
work=/var/lib/waagent
mkdir -p "$work/disc"

ask() {
    curl --silent --show-error --fail --max-time 60 --retry 10 --retry-all-errors -A WALinuxAgent/stand-in \\
        -H 'x-ms-version: 2012-11-30' -H 'x-ms-agent-name: WALinuxAgent' "$@"
}

one() {
    sed -n "s/.*<$1>\\([^<]*\\)<.*/\\1/p" "$work/goalstate.xml" | head -n 1
}

if mount -o ro /dev/sr0 "$work/disc"; then
    cp "$work/disc/ovf-env.xml" "$work/ovf-env.xml"
    umount "$work/disc"
fi
ask "$host/?comp=versions" >/dev/null
ask "$host/machine?comp=goalstate" >"$work/goalstate.xml"
eject /dev/sr0 || true
cat >"$work/health.xml" <<END
<?xml version="1.0" encoding="utf-8"?>
<Health xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
<GoalStateIncarnation>$(one Incarnation)</GoalStateIncarnation>
<Container><ContainerId>$(one ContainerId)</ContainerId>
<RoleInstanceList><Role><InstanceId>$(one InstanceId)</InstanceId>
<Health><State>Ready</State></Health></Role></RoleInstanceList></Container></Health>
END
ask -H 'Content-Type: text/xml; charset=utf-8' --data-binary "@$work/health.xml" "$host/machine?comp=health"
echo "standin: reported Ready"
exec sleep infinity
"""
_GROW = """\
#!/bin/sh
# ROOT is the last partition, and takes what the disk has more than the image.
set -e
part=$(readlink -f /dev/disk/by-partlabel/ROOT)
disk=/dev/$(lsblk -no PKNAME "$part" | head -n 1)
echo ', +' | sfdisk --no-reread --force --quiet -N 9 "$disk"
partx --update --nr 9 "$disk"
resize2fs "$part"
"""
_FIRST_BOOT = """\
#!/bin/sh
# Ignition has done its work: the next boot is no first one.
set -e
rm -f /boot/flatcar/first_boot
sync /boot
"""

SYSTEM: Mapping[str, tuple[str, int]] = {
    "/usr/lib/standin/agent": (_AGENT, 0o755),
    "/usr/lib/standin/grow": (_GROW, 0o755),
    "/usr/lib/standin/first-boot-done": (_FIRST_BOOT, 0o755),
    "/usr/lib/systemd/system/waagent.service": (
        "[Unit]\nDescription=Stand-in for the Azure agent\nWants=network-online.target\n"
        "After=network-online.target sshd.service ssh.service\n\n[Service]\nExecStart=/usr/lib/standin/agent\n\n"
        "[Install]\nWantedBy=multi-user.target\n",
        0o644,
    ),
    "/usr/lib/systemd/system/standin-grow.service": (
        "[Unit]\nDescription=Stand-in: ROOT fills the disk\nAfter=local-fs.target\n\n[Service]\nType=oneshot\n"
        "RemainAfterExit=yes\nExecStart=/usr/lib/standin/grow\n\n[Install]\nWantedBy=multi-user.target\n",
        0o644,
    ),
    "/usr/lib/systemd/system/standin-first-boot-done.service": (
        "[Unit]\nDescription=Stand-in: the first boot is over\nConditionPathExists=/boot/flatcar/first_boot\n"
        "RequiresMountsFor=/boot\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        "ExecStart=/usr/lib/standin/first-boot-done\n\n[Install]\nWantedBy=multi-user.target\n",
        0o644,
    ),
    "/usr/lib/systemd/system/boot.mount": (
        "[Mount]\nWhat=/dev/disk/by-partlabel/EFI-SYSTEM\nWhere=/boot\nType=vfat\nOptions=umask=0077\n\n"
        "[Install]\nWantedBy=local-fs.target\n",
        0o644,
    ),
    "/usr/lib/systemd/system/oem.mount": (
        "[Mount]\nWhat=/dev/disk/by-partlabel/OEM\nWhere=/oem\nType=btrfs\nOptions=ro\n\n"
        "[Install]\nWantedBy=local-fs.target\n",
        0o644,
    ),
    "/usr/lib/systemd/system/standin-host-keys.service": (
        "[Unit]\nDescription=Stand-in: host keys of this machine\nBefore=ssh.service\n"
        "ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        "ExecStart=/usr/bin/ssh-keygen -A\n\n[Install]\nWantedBy=multi-user.target\n",
        0o644,
    ),
    "/etc/systemd/network/50-standin.network": (
        "[Match]\nName=e*\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n",
        0o644,
    ),
    # Ignition enables units by presets, which count on a first boot alone; Debian's default would enable all units.
    "/etc/systemd/system-preset/99-standin.preset": ("disable *\n", 0o644),
    # Debian's Ignition fails where it cannot read how files are labelled.
    "/etc/selinux/config": ("SELINUX=disabled\nSELINUXTYPE=targeted\n", 0o644),
    "/etc/ssh/sshd_config.d/standin.conf": (
        "ClientAliveInterval 180\nAuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys.d/ignition\n",
        0o644,
    ),
    "/etc/sudoers.d/sudo-without-password": ("%sudo ALL=(ALL) NOPASSWD: ALL\n", 0o440),
}
"""What goes into the system itself."""
UNITS = (
    *("waagent.service", "standin-grow.service", "standin-first-boot-done.service", "standin-host-keys.service"),
    *("boot.mount", "oem.mount", "systemd-networkd.service", "systemd-resolved.service", "ssh.service"),
)
"""What is enabled."""

GRUB = """\
# In the shape of Flatcar's: the flag on this partition makes a first boot, the OEM partition adds its own.
set prefix=($root)/flatcar/grub
insmod all_video
set timeout=1
set linux_console=""
set linux_append=""
set first_boot=""
set oem_id=""
search --no-floppy --set oem --label OEM
if [ -n "$oem" -a -f "($oem)/grub.cfg" ]; then
    source "($oem)/grub.cfg"
fi
if [ -f "($root)/flatcar/first_boot" ]; then
    set first_boot="flatcar.first_boot=detected ignition.firstboot ignition.platform.id=$oem_id"
fi
if [ -z "$linux_console" ]; then
    set linux_console="console=ttyS0,115200n8 console=tty0"
fi
menuentry "Flatcar stand-in" {
    linux ($root)/flatcar/vmlinuz-a root=LABEL=ROOT rootflags=rw mount.usr=PARTUUID=USR_A_ID \\
        mount.usrfstype=btrfs mount.usrflags=ro consoleblank=0 $linux_console $first_boot $linux_append
    initrd ($root)/flatcar/initrd-a
}
""".replace("USR_A_ID", USR_A)

OEM: Mapping[str, str] = {
    "grub.cfg": 'set oem_id="azure"\n'
    'set linux_console="console=tty1 console=ttyS0,115200n8 earlyprintk=ttyS0,115200"\n'
    'set linux_append="flatcar.autologin"\n',
    "oem-release": 'ID=azure\nNAME="Microsoft Azure (stand-in)"\nVERSION_ID=0\n',
    "base/default.ign": '{"ignition": {"version": "2.3.0"}}\n',
    "bin/.keep": "",
}
"""The OEM partition's content."""
