"""Defects planted in an image's files: each is caught by its own check and by no other."""

import shutil
from pathlib import Path

import pytest

from distros import debian
from harness.inspect import inspect
from tests.defects.kinds import I386, shell_for
from tests.harness import images
from tests.harness.images import VERSION, put
from tests.harness.planted import Change, add, cmdline, failed, link, ramdisk, remove, swap, write

WANTS = "etc/systemd/system/multi-user.target.wants"


def _old_agent(root: Path) -> None:
    swap("var/lib/dpkg/status", "2.13.1.1-1", "2.2.40-1")(root)
    add("etc/waagent.conf", "AutoUpdate.Enabled=n\n")(root)


def _switched_off(root: Path) -> None:
    swap("etc/waagent.conf", "Agent=auto", "Agent=cloud-init")(root)
    put(root, "etc/cloud/cloud-init.disabled")


def _enable(root: Path, unit: str) -> None:
    put(root, f"usr/lib/systemd/system/{unit}")
    link(f"{WANTS}/{unit}", f"/usr/lib/systemd/system/{unit}")(root)


def _nftables(chain: str) -> Change:
    def change(root: Path) -> None:
        _enable(root, "nftables.service")
        put(root, "etc/nftables.conf", f"table inet filter {{ chain all {{ {chain} }} }}\n")

    return change


def _without_links(root: Path) -> None:
    remove("usr/lib/udev/rules.d/66-azure-storage.rules", "usr/lib/udev/rules.d/80-azure-disk.rules")(root)


def _forgotten_patience(root: Path) -> None:
    cmdline("", "nvme_core.io_timeout=240")(root)
    remove("usr/lib/udev/rules.d/80-azure-disk.rules")(root)


def _listed_modules(root: Path) -> None:
    put(root, "etc/initramfs-tools/conf.d/modules", "MODULES=dep\n")
    put(root, "etc/initramfs-tools/modules", "# some\nhv_vmbus\nhv_storvsc\n")


def _dracut(text: str) -> Change:
    def change(root: Path) -> None:
        put(root, "usr/bin/dracut")
        put(root, "etc/dracut.conf.d/azure.conf", text)

    return change


def _blscfg(defaults: str, environment: str = "") -> Change:
    def change(root: Path) -> None:
        add("boot/grub/grub.cfg", "blscfg\n")(root)
        put(root, "etc/default/grub", defaults)
        put(root, "boot/grub/grubenv", f"# GRUB Environment Block\n{environment}")

    return change


def _on_lvm(root: Path) -> None:
    cmdline("rd.lvm.lv=rootvg/rootlv")(root)
    _enable(root, "multipathd.service")


def _sets_up_local_disks(settings: str) -> Change:
    def change(root: Path) -> None:
        _enable(root, "azure-ephemeral-disk-setup.service")
        put(root, "usr/sbin/mdadm")
        put(root, "etc/azure-ephemeral-disk-setup.conf", settings)

    return change


def _old_cloud_init(lists: str) -> Change:
    def change(root: Path) -> None:
        put(root, "usr/lib/python3/dist-packages/cloudinit/version.py", '__VERSION__ = "22.4.2"\n')
        put(root, "etc/cloud/cloud.cfg", lists)

    return change


def _leaves_the_network_alone(root: Path) -> None:
    put(root, "etc/cloud/cloud.cfg.d/99-network.cfg", "network:\n  config: disabled\n")
    put(root, "etc/netplan/90-default.yaml", "network: {version: 2}\n")


def _half_an_initramfs(root: Path) -> None:
    names = [f"usr/lib/modules/{VERSION}/kernel/{name}.ko" for name in images.MODULES.split()]
    files = {**dict.fromkeys(names, b""), "usr/lib/udev/rules.d/80-azure-disk.rules": b"#"}
    (root / f"boot/initrd.img-{VERSION}").write_bytes(images.cpio(files))


def _old_openssl(root: Path) -> None:
    remove("usr/lib/x86_64-linux-gnu/libcrypto.so.3")(root)
    put(root, "usr/lib/libcrypto.so.0.9.8")


def _older_openssl(version: str) -> Change:
    def change(root: Path) -> None:
        remove("usr/lib/x86_64-linux-gnu/libcrypto.so.3")(root)
        put(root, "usr/lib64/libcrypto.so.1.1", f"\0OpenSSL {version}k  25 Mar 2021\0")

    return change


def _python(version: str) -> Change:
    def change(root: Path) -> None:
        shutil.rmtree(root / "usr/lib/python3.11")
        put(root, f"usr/lib64/python{version}/os.py")

    return change


def _left_over_kernel(root: Path) -> None:
    other = VERSION.replace("cloud-", "")
    put(root, f"boot/vmlinuz-{other}")
    for path in (
        f"boot/config-{VERSION}",
        *(f"usr/lib/modules/{VERSION}/modules.{name}" for name in ("dep", "builtin")),
    ):
        put(root, path.replace(VERSION, other), (root / path).read_text())


def _other_kernel_boots(root: Path) -> None:
    _left_over_kernel(root)
    other = VERSION.replace("cloud-", "")
    shutil.copy(root / f"boot/initrd.img-{VERSION}", root / f"boot/initrd.img-{other}")
    swap("boot/grub/grub.cfg", f"vmlinuz-{VERSION}", f"vmlinuz-{other}")(root)


DISK_SETUP = "etc/cloud/cloud.cfg.d/60-disks.cfg"


def _silent_kernel(root: Path) -> None:
    cmdline("", " console=ttyS0,115200")(root)
    put(root, "usr/lib/systemd/system/serial-getty@.service")
    link(f"{WANTS}/serial-getty@ttyS0.service", "/usr/lib/systemd/system/serial-getty@.service")(root)


def _made_for_this_machine(root: Path) -> None:
    names = [f"usr/lib/modules/{VERSION}/kernel/{name}.ko" for name in images.MODULES.split()]
    files = {**dict.fromkeys(names, b""), "conf/initramfs.conf": b"MODULES=dep\n"}
    (root / f"boot/initrd.img-{VERSION}").write_bytes(images.cpio(files))


ALICE = "alice:x:1000:1000::/home/alice:/bin/bash\n"
DEFECTS: list[tuple[str, Change]] = [
    ("acct.azure-ready", remove("usr/sbin/useradd")),
    ("acct.no-keys", write("root/.ssh/authorized_keys", "ssh-ed25519 AAAA me\n")),
    ("acct.no-keys", write("root/.ssh/id_ed25519")),
    ("acct.no-password", swap("etc/shadow", "sshd:!", "sshd:$6$salt$hash")),
    ("acct.no-password", swap("etc/shadow", "sshd:!", "sshd:")),
    ("acct.no-users", add("etc/passwd", ALICE)),
    ("acct.no-users", write("home/bob/notes")),
    ("acct.no-users", write("etc/sudoers.d/90-cloud-init-users", "alice ALL=(ALL) NOPASSWD:ALL\n")),
    ("acct.root-locked", swap("etc/shadow", "root:!*", "root:$y$hash")),
    ("acct.root-locked", swap("etc/shadow", "root:!*", "root:")),
    ("agent.auto-detect", remove(f"{WANTS}/cloud-init-local.service")),
    ("agent.autoupdate", add("etc/waagent.conf", "AutoUpdate.Enabled=n\n")),
    ("agent.bool-syntax", add("etc/waagent.conf", "Logs.Verbose=no\n")),
    ("agent.bool-syntax", add("etc/waagent.conf", "  Logs.Verbose=n\n")),
    ("agent.deps", remove("usr/sbin/ip")),
    ("agent.deps", add("etc/waagent.conf", "OS.EnableFirewall=y\n")),
    ("agent.extensions", add("etc/waagent.conf", "Extensions.Enabled=n\n")),
    ("agent.hostkeys", write("etc/cloud/cloud.cfg", "ssh_genkeytypes: [ed25519, ecdsa]\n")),
    ("agent.legacy-keys", add("etc/waagent.conf", "Provisioning.UseCloudInit=y\n")),
    ("agent.present", remove(f"{WANTS}/walinuxagent.service")),
    ("agent.not-both", swap("etc/waagent.conf", "Agent=auto", "Agent=waagent")),
    ("agent.provisioner", swap("etc/waagent.conf", "Agent=auto", "Agent=cloudinit")),
    ("agent.scsi-timeout", swap("etc/waagent.conf", "Timeout=300", "Timeout=30")),
    ("agent.version", _old_agent),
    ("agent.versions", _python("3.6")),
    ("agent.versions", _older_openssl("1.1.0")),
    ("ci.datasource", write("etc/cloud/cloud.cfg.d/99-more.cfg", "datasource_list: [ NoCloud, Azure ]\n")),
    ("ci.datasource", write("etc/cloud/cloud.cfg.d/99-more.cfg", "datasource_list:\n  - Ec2\n  - None\n")),
    ("ci.datasource", remove("etc/cloud/cloud.cfg.d/91-azure_datasource.cfg")),
    ("ci.enabled", remove(f"{WANTS}/cloud-final.service")),
    ("ci.enabled", cmdline("cloud-init=disabled")),
    ("ci.enabled", _switched_off),
    ("ci.installer-leftovers", write("etc/cloud/cloud.cfg.d/99-installer.cfg")),
    ("ci.kvp", swap("etc/cloud/cloud.cfg.d/10-azure-kvp.cfg", "reporting", "Reporting")),
    ("ci.logging", remove("etc/cloud/cloud.cfg.d/05_logging.cfg")),
    ("ci.netconf", _leaves_the_network_alone),
    ("ci.netconf", cmdline("network-config=disabled")),
    ("ci.users", write("etc/cloud/cloud.cfg.d/99-more.cfg", "ssh_deletekeys: false\n")),
    ("ci.version", write("usr/lib/python3/dist-packages/cloudinit/version.py", '__VERSION__ = "20.1"\n')),
    ("ci.yaml", write("etc/cloud/cloud.cfg.d/99-more.cfg", "users:\n\t- bob\n")),
    ("clean.agent-lib", write("var/lib/waagent/ovf-env.xml")),
    ("clean.agent-lib", write("var/lib/waagent/provisioned")),
    ("clean.agent-log", write("var/log/waagent.log")),
    ("clean.ci-generated", write("etc/netplan/50-cloud-init.yaml", "network: {}\n")),
    ("clean.ci-state", write("var/lib/cloud/instances/1/obj.pkl")),
    ("clean.ci-state", link("var/lib/cloud/instance", "/var/lib/cloud/instances/1")),
    ("clean.dhcp", write("var/lib/dhcp/dhclient.eth0.leases")),
    ("clean.history", write("root/.bash_history", "mysql -psecret\n")),
    ("clean.hostkeys", write("etc/ssh/ssh_host_rsa_key")),
    ("clean.hosts", add("etc/hosts", "10.1.2.3 builder\n")),
    ("clean.initiator", write("etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.1993-08.org.debian:01:abc\n")),
    ("clean.logs", write("var/log/wtmp")),
    ("clean.machine-id", write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")),
    ("clean.machine-id", remove("etc/machine-id")),
    ("clean.machine-id", write("var/lib/dbus/machine-id")),
    ("clean.nm", write("var/lib/NetworkManager/secret_key")),
    ("clean.pkg-cache", write("var/cache/apt/archives/sl_5_amd64.deb")),
    ("clean.random-seed", write("var/lib/systemd/random-seed")),
    ("clean.resolv", write("etc/resolv.conf", "nameserver 10.0.2.3\n")),
    ("clean.secrets", write("etc/apt/apt.conf.d/01proxy", 'Acquire::http::Proxy "http://cache:3142";\n')),
    ("clean.tmp", write("tmp/left-over")),
    ("cmdline.console", _silent_kernel),
    ("cmdline.earlyprintk", cmdline("", "earlyprintk=ttyS0")),
    ("cmdline.forbidden", cmdline("libata.atapi_enabled=0")),
    ("cmdline.ifnames", write("etc/systemd/network/10.network", "[Match]\nName=eth0\n[Network]\nDHCP=yes\n")),
    ("cmdline.ifnames", write("etc/sysconfig/network/ifcfg-eth0", "BOOTPROTO='dhcp'\n")),
    ("cmdline.no-quiet", cmdline("quiet")),
    ("cmdline.nvme-timeout", _forgotten_patience),
    ("cmdline.root-uuid", cmdline("root=/dev/sda1")),
    ("cmdline.rootdelay", cmdline("rootdelay=300")),
    ("console.getty", link("etc/systemd/system/serial-getty@ttyS0.service", "/dev/null")),
    ("console.kernel-conf", swap(f"boot/config-{VERSION}", "SERIAL_8250=y", "SERIAL_8250=m")),
    ("fstab.persistent", add("etc/fstab", "/dev/sdb1 /data ext4 nofail 0 2\n")),
    ("growpart", remove("usr/bin/growpart")),
    ("grub.bls", write("etc/default/grub", "GRUB_TIMEOUT=1\nENABLE_BLSCFG=true\n")),
    ("grub.bls", _blscfg("GRUB_ENABLE_BLSCFG=false\n")),
    ("grub.bls", _blscfg("GRUB_ENABLE_BLSCFG=true\n", "kernelopts=root=/dev/sda1 ro\n")),
    ("grub.kernel", swap("boot/grub/grub.cfg", f"initrd.img-{VERSION}", "initrd.img-gone")),
    ("grub.serial", swap("boot/grub/grub.cfg", " serial console", " console")),
    ("grub.timeout", swap("boot/grub/grub.cfg", "timeout=1", "timeout=0")),
    ("initrd.exists", swap("boot/grub/grub.cfg", f"\tinitrd\t/boot/initrd.img-{VERSION}\n", "")),
    ("initrd.generic", _made_for_this_machine),
    ("initrd.hyperv", ramdisk(images.MODULES.replace("hv_storvsc", ""))),
    ("initrd.hyperv-config", _listed_modules),
    ("initrd.hyperv-config", _dracut('add_drivers+=" hv_vmbus hv-netvsc "\n')),
    ("initrd.hyperv-config", _dracut('add_drivers+="hv_vmbus hv_storvsc hv_netvsc"\n')),
    ("initrd.nvme", ramdisk(images.MODULES.replace("nvme-core", ""))),
    ("kernel.azure-flavour", _left_over_kernel),
    ("kernel.azure-flavour", _other_kernel_boots),
    ("kernel.64bit", shell_for(I386)),
    ("kernel.essential", swap(f"boot/config-{VERSION}", "CIFS=m", "CIFS=n")),
    ("kernel.floppy", add(f"usr/lib/modules/{VERSION}/modules.dep", "kernel/drivers/block/floppy.ko:\n")),
    ("kernel.fs-iso9660", swap(f"usr/lib/modules/{VERSION}/modules.dep", "isofs", "other")),
    ("kernel.fs-udf", swap(f"usr/lib/modules/{VERSION}/modules.dep", "udf", "other")),
    ("kernel.fs-vfat", swap(f"usr/lib/modules/{VERSION}/modules.dep", "vfat", "other")),
    ("kernel.hyperv", swap(f"boot/config-{VERSION}", "HYPERV_UTILS=m", "HYPERV_UTILS=n")),
    ("kernel.hyperv-modules", swap(f"usr/lib/modules/{VERSION}/modules.dep", "hv_utils", "other")),
    ("kernel.mana", swap(f"usr/lib/modules/{VERSION}/modules.dep", "mana", "other")),
    ("kernel.mlx", swap(f"usr/lib/modules/{VERSION}/modules.dep", "mlx5_core", "other")),
    ("kernel.no-hv-blacklist", write("etc/modprobe.d/cis.conf", "install udf /bin/true\n")),
    ("kernel.no-hv-blacklist", cmdline("module_blacklist=hv_netvsc")),
    ("kernel.pci-hyperv", swap(f"usr/lib/modules/{VERSION}/modules.dep", "pci-hyperv", "other")),
    ("lvm.devices-file", write("etc/lvm/devices/system.devices", "VERSION=1.1.1\nIDTYPE=sys_wwid IDNAME=naa.5\n")),
    ("lvm.devices-file", _on_lvm),
    ("net.dhcp", remove(f"{WANTS}/systemd-networkd.service")),
    ("net.dhcp", link("etc/systemd/system/systemd-networkd.service", "/dev/null")),
    ("net.dhcp-timeout", write("etc/dhcp/dhclient.conf", "timeout 60;\n")),
    ("net.hostname", write("etc/hostname", "builder\n")),
    ("net.no-static", write("etc/systemd/network/10-lan.network", "[Network]\nAddress=10.0.0.9/24\n")),
    ("net.no-static", write("etc/netplan/01.yaml", "network:\n  ethernets:\n    en0:\n      macaddress: 00:15\n")),
    (
        "net.no-static",
        write("etc/netplan/01.yaml", "network:\n  ethernets:\n    a:\n      match: {macaddress: 0}\n"),
    ),
    ("net.firewall", write("etc/ufw/ufw.conf", "ENABLED=yes\n")),
    ("net.firewall", _nftables("type filter hook input priority 0; policy drop;")),
    ("net.firewall", _nftables("type filter hook output priority 0; policy drop;")),
    ("net.preserve-hostname", write("etc/cloud/cloud.cfg", "preserve_hostname: true\n")),
    ("pkg.hyperv-daemons", swap("var/lib/dpkg/status", "hyperv-daemons", "other")),
    ("pkg.omi", add("var/lib/dpkg/status", "\nPackage: omi\nStatus: install ok installed\nVersion: 1.6.8.0\n")),
    ("pkg.python-openssl", remove("usr/bin/openssl")),
    ("repo.debian", swap("etc/apt/sources.list.d/debian.sources", debian.HOST, "http://packages.example.org")),
    ("repo.debian", add("etc/apt/sources.list.d/debian.sources", "Enabled: no\n")),
    ("repo.sources", write("etc/apt/sources.list", "deb http://10.0.0.1/debian trixie main\n")),
    ("resdisk.ci-order", _old_cloud_init("cloud_init_modules:\n - disk_setup\ncloud_config_modules:\n - mounts\n")),
    ("resdisk.ci-order", _old_cloud_init("cloud_init_modules:\n - ssh\n   - disk_setup\n - mounts\n")),
    ("resdisk.mountpoint", write(DISK_SETUP, "mounts:\n  - [ ephemeral0, /data ]\n")),
    ("resdisk.nvme", _sets_up_local_disks("AZURE_EPHEMERAL_DISK_SETUP_FS_TYPE=xfs\n")),
    ("resdisk.nvme", _sets_up_local_disks("AZURE_EPHEMERAL_DISK_SETUP_SCSI_RESOURCE=true\n")),
    ("resdisk.single-owner", swap("etc/waagent.conf", "Format=n", "Format=y")),
    ("agent.resource", swap("etc/waagent.conf", "Format=n", "Format=y\nResourceDisk.Filesystem=xfs")),
    ("scsi.timeout", write("etc/udev/rules.d/99-my.rules", '# mine\nSUBSYSTEM=="scsi", ATTR{timeout}="60"\n')),
    ("selinux.labels", write("etc/selinux/config", "SELINUX=enforcing\n")),
    ("ssh.alive", remove("etc/ssh/sshd_config.d/50-azure.conf")),
    ("ssh.alive", write("etc/ssh/sshd_config.d/10-first.conf", "ClientAliveInterval 5m\n")),
    ("ssh.enabled", remove(f"{WANTS}/ssh.service")),
    ("ssh.root", add("etc/ssh/sshd_config", "PermitRootLogin yes\n")),
    ("sudo.targetpw", add("etc/sudoers", "Defaults targetpw\n")),
    ("swap.resource-disk", write(DISK_SETUP, "mounts:\n  - [ephemeral0.2, none, swap, sw, '0', '0']\n")),
    ("swap.resource-disk", write(DISK_SETUP, "swap:\n  filename: /swap.img\n  size: auto\n")),
    ("time.chrony-ptp", write("etc/chrony/chrony.conf", "pool ntp.example.org iburst\n")),
    ("time.clocksource", cmdline("clocksource=kvm-clock")),
    ("time.ptp-kernel", swap(f"boot/config-{VERSION}", "PTP_1588_CLOCK=y", "PTP_1588_CLOCK=n")),
    ("time.no-ntp-race", lambda root: _enable(root, "systemd-timesyncd.service")),
    ("time.utc", link("etc/localtime", "/usr/share/zoneinfo/Europe/Berlin")),
    ("udev.azure-storage", _without_links),
    ("udev.ci-ephemeral", remove("usr/lib/udev/rules.d/66-azure-ephemeral.rules")),
    ("udev.no-persistent-net", write("etc/udev/rules.d/70-persistent-net.rules")),
    ("udev.nvme-id", remove("usr/sbin/azure-nvme-id")),
    ("udev.nvme-id", remove("usr/sbin/azure-nvme-id", "usr/lib/udev/rules.d/80-azure-disk.rules")),
    ("udev.nvme-id", _half_an_initramfs),
    ("udev.ptp", remove("usr/lib/udev/rules.d/50-udev-default.rules")),
    ("udev.sriov-unmanaged", remove("usr/lib/udev/rules.d/10-azure-unmanaged-sriov.rules")),
]
COMPANIONS = {
    "agent.auto-detect": {"ci.enabled"},
    "agent.resource": {"resdisk.single-owner"},
    "agent.version": {"agent.autoupdate"},
    "ci.version": {"resdisk.ci-order"},
    "cmdline.nvme-timeout": {"udev.nvme-id"},
    "udev.azure-storage": {"udev.nvme-id"},
}
"""Defects that break two requirements at once by their nature."""


@pytest.mark.parametrize(("id", "change"), DEFECTS, ids=[f"{id}-{n}" for n, (id, _) in enumerate(DEFECTS)])
def test_catches_a_defect_by_its_own_check_alone(root: Path, id: str, change: Change) -> None:
    change(root)
    assert failed(inspect(root)) == {id} | COMPANIONS.get(id, set())


@pytest.mark.parametrize("change", [_old_openssl, _python("2.5")])
def test_tells_what_the_agent_cannot_use_from_what_certification_refuses(root: Path, change: Change) -> None:
    change(root)
    assert failed(inspect(root)) == {"agent.deps", "agent.versions"}


@pytest.mark.parametrize(
    ("id", "change", "place"),
    [
        ("agent.autoupdate", add("etc/waagent.conf", "AutoUpdate.Enabled=n\n"), "/etc/waagent.conf:8: "),
        ("agent.provisioner", swap("etc/waagent.conf", "Agent=auto", "Agent=cloudinit"), "/etc/waagent.conf:1: "),
        ("resdisk.single-owner", swap("etc/waagent.conf", "Format=n", "Format=y"), "/etc/waagent.conf:4: "),
        ("agent.hostkeys", write("etc/cloud/cloud.cfg", "#\nssh_genkeytypes: [ecdsa]\n"), "/etc/cloud/cloud.cfg:2: "),
        ("initrd.hyperv-config", _dracut('# one\nadd_drivers+="hv_vmbus"\n'), "/etc/dracut.conf.d/azure.conf:2: "),
        ("cmdline.ifnames", write("etc/network/interfaces", "auto lo\nauto eth0\n"), "/etc/network/interfaces:2: "),
        ("grub.bls", _blscfg("GRUB_ENABLE_BLSCFG=true\n", "kernelopts=ro\n"), "/boot/grub/grubenv:2: "),
        ("lvm.devices-file", write("etc/lvm/devices/system.devices", "#\nIDTYPE=devname\n"), "/system.devices:2: "),
        ("resdisk.ci-order", _old_cloud_init("cloud_config_modules:\n - mounts\n"), "/etc/cloud/cloud.cfg:2: mounts"),
        ("resdisk.mountpoint", write(DISK_SETUP, "mounts:\n- [ephemeral0, /data]\n"), f"/{DISK_SETUP}:2: "),
        ("swap.resource-disk", write(DISK_SETUP, "#\nswap: {filename: /s, size: 1G}\n"), f"/{DISK_SETUP}:2: "),
        ("scsi.timeout", write("etc/udev/rules.d/9.rules", '#\nATTR{device/timeout}="9"\n'), "/rules.d/9.rules:2: "),
        ("ci.netconf", _leaves_the_network_alone, "/etc/cloud/cloud.cfg.d/99-network.cfg:2: "),
    ],
)
def test_names_the_line_that_is_to_blame(root: Path, id: str, change: Change, place: str) -> None:
    change(root)
    (verdict,) = inspect(root, only=(id,)).verdicts
    assert any(place in line for line in verdict.evidence), verdict.evidence


@pytest.mark.parametrize(
    ("id", "change"),
    [
        (
            "cmdline.ifnames",
            write("etc/netplan/1.yaml", "network:\n  ethernets:\n    eth0:\n      match: {driver: hv_netvsc}\n"),
        ),
        ("scsi.timeout", write("etc/udev/rules.d/9.rules", 'ATTRS{vendor}=="VMware*", ATTR{device/timeout}="180"\n')),
        ("scsi.timeout", write("etc/udev/rules.d/9.rules", 'ATTRS{vendor}=="Msft", ATTR{device/timeout}="300"\n')),
        ("swap.resource-disk", write(DISK_SETUP, "mounts:\n  - [ephemeral0.2, none, swap, 'sw,nofail']\n")),
        ("swap.resource-disk", write(DISK_SETUP, "swap:\n  filename: /mnt/swap\n")),
        ("resdisk.mountpoint", write(DISK_SETUP, "mounts:\n  - [ephemeral0, /mnt/resource]\n  - [ephemeral0]\n")),
        ("resdisk.ci-order", _old_cloud_init("cloud_init_modules:\n- disk_setup\n# one\n\n- mounts\n")),
        ("resdisk.nvme", _sets_up_local_disks('AZURE_EPHEMERAL_DISK_SETUP_FS_TYPE="ext4"\n')),
        ("agent.hostkeys", write("etc/cloud/cloud.cfg", "ssh_genkeytypes: ~\n")),
        ("agent.versions", _older_openssl("1.1.1")),
        ("agent.versions", _older_openssl("1.0.2")),
        ("agent.deps", _python("3.6")),
        ("time.clocksource", cmdline("clocksource=acpi_pm clocksource=hyperv_clocksource_tsc_page")),
        ("grub.bls", _blscfg("GRUB_ENABLE_BLSCFG=false\nGRUB_ENABLE_BLSCFG=true\n")),
        ("lvm.devices-file", write("etc/lvm/devices/system.devices", "# LVM uses devices listed in this file.\n")),
        ("ci.netconf", write("etc/cloud/cloud.cfg.d/9.cfg", "datasource:\n  Azure:\n    apply_network_config: true\n")),
    ],
)
def test_lets_pass_what_only_looks_like_a_defect(root: Path, id: str, change: Change) -> None:
    change(root)
    assert failed(inspect(root, only=(id,))) == set()


@pytest.mark.parametrize(
    ("like", "text", "fails"),
    [
        ("rhel centos fedora", "datasource:\n  Azure:\n    apply_network_config: False\n", False),
        ("rhel centos fedora", "network: {config: disabled}\n", False),
        ("rhel centos fedora", "datasource:\n  Azure:\n    apply_network_config: true\n", True),
        ("suse", "", True),
        ("debian", "", False),
    ],
)
def test_asks_who_configures_the_network_by_the_family(root: Path, like: str, text: str, fails: bool) -> None:
    put(root, "etc/os-release", f'ID=some\nID_LIKE="{like}"\n')
    put(root, "etc/cloud/cloud.cfg.d/92-network.cfg", text)
    _enable(root, "NetworkManager.service")
    assert failed(inspect(root, only=("ci.netconf",))) == ({"ci.netconf"} if fails else set())


@pytest.mark.parametrize(
    ("settings", "unit", "fails"),
    [
        ("Provisioning.RegenerateSshHostKeyPair=y\n", "", False),
        ("Provisioning.RegenerateSshHostKeyPair=n\n", "", True),
        ("", "", True),
        ("Provisioning.RegenerateSshHostKeyPair=n\n", "[Service]\nExecStart=/usr/bin/ssh-keygen -A\n", False),
    ],
)
def test_asks_the_provisioning_agent_for_host_keys(root: Path, settings: str, unit: str, fails: bool) -> None:
    put(root, "etc/waagent.conf", f"Provisioning.Agent=waagent\n{settings}")
    if unit:
        put(root, "etc/systemd/system/keys.service", unit)
        link(f"{WANTS}/keys.service", "/etc/systemd/system/keys.service")(root)
    report = inspect(root, provisioner="waagent", only=("agent.hostkeys",))
    assert failed(report) == ({"agent.hostkeys"} if fails else set())


REPOSITORY = """\
[vendor]
baseurl={url}
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-one
       file:///etc/pki/rpm-gpg/RPM-GPG-KEY-two
"""


@pytest.mark.parametrize(
    ("url", "found"),
    [("https://packages.example.org/el", set()), ("file:///mnt/packages", {"repo.sources"})],
)
def test_takes_a_repository_s_keys_for_no_source(root: Path, url: str, found: set[str]) -> None:
    write("etc/yum.repos.d/vendor.repo", REPOSITORY.format(url=url))(root)
    assert failed(inspect(root)) == found
