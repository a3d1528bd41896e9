"""Planted defects: each is caught by its own check and by no other; the good image has no finding at all."""

import io
import shutil
import struct
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from build.command import find
from build.errors import CallerError
from build.manifest import Manifest
from build.vhd import Footer
from harness.inspect import inspect
from harness.render_text import print_report, summary
from harness.report import Report, Status
from tests.harness import images
from tests.harness.images import ARGS, ROOT, VERSION, put

MIB = 1 << 20


def failed(report: Report) -> set[str]:
    return {verdict.id for verdict in report.verdicts if verdict.status is Status.FAILED}


def evidence(report: Report) -> str:
    return "\n".join(line for verdict in report.verdicts for line in (verdict.reason, *verdict.evidence))


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images.good_tree(tmp_path_factory.mktemp("good") / "root")


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Path:
    return images.good_disk(tmp_path_factory.mktemp("disk"), tree)


@pytest.fixture
def disk(tmp_path: Path, good: Path) -> Iterator[Path]:
    copy = tmp_path / "copy.vhd"
    subprocess.run(["cp", "--sparse=always", good, copy], check=True)
    yield copy
    copy.unlink(missing_ok=True)


@pytest.fixture
def root(tmp_path: Path, tree: Path) -> Path:
    return Path(shutil.copytree(tree, tmp_path / "root", symlinks=True))


def test_finds_nothing_on_a_good_disk(good: Path) -> None:
    report = inspect(good)
    assert failed(report) == set()
    assert report.passed
    assert report.machine["profile"] == "generation 1 and 2, generalized, provisioner cloud-init, x86_64"
    skipped = {verdict.id for verdict in report.verdicts if verdict.status is Status.SKIPPED}
    assert skipped == {
        "acct.spec-login",
        "agent.needed",
        "agent.not-both",
        "agent.root-pw",
        "cmdline.earlycon",
        "ign.disk-id",
        "ign.first-boot",
        "ign.root-last",
        "spec.agent",
    }


def test_finds_nothing_in_a_good_tree(tree: Path) -> None:
    assert failed(inspect(tree)) == set()


Change = Callable[[Path], None]


def write(path: str, text: str = "x") -> Change:
    return lambda root: put(root, path, text)


def add(path: str, text: str) -> Change:
    return lambda root: put(root, path, (root / path).read_text() + text)


def swap(path: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        before = (root / path).read_text()
        assert old in before
        put(root, path, before.replace(old, new))

    return change


def remove(*paths: str) -> Change:
    def change(root: Path) -> None:
        for path in paths:
            (root / path).unlink()

    return change


def cmdline(word: str, without: str = "") -> Change:
    words = ARGS.replace(without, "") if without else ARGS
    return swap("boot/grub/grub.cfg", ARGS, f"{words} {word}")


def ramdisk(modules: str) -> Change:
    return lambda root: (root / f"boot/initrd.img-{VERSION}").write_bytes(images.initrd(modules)) and None


def link(path: str, target: str) -> Change:
    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).unlink(missing_ok=True)
        (root / path).symlink_to(target)

    return change


WANTS = "etc/systemd/system/multi-user.target.wants"


def _old_agent(root: Path) -> None:
    swap("var/lib/dpkg/status", "2.13.1.1-1", "2.2.40-1")(root)
    add("etc/waagent.conf", "AutoUpdate.Enabled=n\n")(root)


def _enable(root: Path, unit: str) -> None:
    put(root, f"usr/lib/systemd/system/{unit}")
    link(f"{WANTS}/{unit}", f"/usr/lib/systemd/system/{unit}")(root)


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
    ("agent.extensions", add("etc/waagent.conf", "Extensions.Enabled=n\n")),
    ("agent.legacy-keys", add("etc/waagent.conf", "Provisioning.UseCloudInit=y\n")),
    ("agent.present", remove(f"{WANTS}/walinuxagent.service")),
    ("agent.provisioner", swap("etc/waagent.conf", "Agent=auto", "Agent=waagent")),
    ("agent.scsi-timeout", swap("etc/waagent.conf", "Timeout=300", "Timeout=30")),
    ("agent.version", _old_agent),
    ("ci.datasource", write("etc/cloud/cloud.cfg.d/99-more.cfg", "datasource_list: [ NoCloud, Azure ]\n")),
    ("ci.datasource", write("etc/cloud/cloud.cfg.d/99-more.cfg", "datasource_list:\n  - Ec2\n  - None\n")),
    ("ci.datasource", remove("etc/cloud/cloud.cfg.d/91-azure_datasource.cfg")),
    ("ci.enabled", remove(f"{WANTS}/cloud-final.service")),
    ("ci.enabled", cmdline("cloud-init=disabled")),
    ("ci.installer-leftovers", write("etc/cloud/cloud.cfg.d/99-installer.cfg")),
    ("ci.kvp", swap("etc/cloud/cloud.cfg.d/10-azure-kvp.cfg", "reporting", "Reporting")),
    ("ci.logging", remove("etc/cloud/cloud.cfg.d/05_logging.cfg")),
    ("ci.users", write("etc/cloud/cloud.cfg.d/99-more.cfg", "ssh_deletekeys: false\n")),
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
    ("cmdline.earlyprintk", cmdline("", "earlyprintk=ttyS0")),
    ("cmdline.forbidden", cmdline("libata.atapi_enabled=0")),
    ("cmdline.no-quiet", cmdline("quiet")),
    ("cmdline.nvme-timeout", cmdline("", "nvme_core.io_timeout=240")),
    ("cmdline.root-uuid", cmdline("root=/dev/sda1")),
    ("cmdline.rootdelay", cmdline("rootdelay=300")),
    ("console.getty", link("etc/systemd/system/serial-getty@ttyS0.service", "/dev/null")),
    ("console.kernel-conf", swap(f"boot/config-{VERSION}", "SERIAL_8250=y", "SERIAL_8250=m")),
    ("fstab.persistent", add("etc/fstab", "/dev/sdb1 /data ext4 nofail 0 2\n")),
    ("growpart", remove("usr/bin/growpart")),
    ("grub.kernel", swap("boot/grub/grub.cfg", f"initrd.img-{VERSION}", "initrd.img-gone")),
    ("grub.serial", swap("boot/grub/grub.cfg", " serial console", " console")),
    ("grub.timeout", swap("boot/grub/grub.cfg", "timeout=1", "timeout=0")),
    ("initrd.exists", swap("boot/grub/grub.cfg", f"\tinitrd\t/boot/initrd.img-{VERSION}\n", "")),
    ("initrd.hyperv", ramdisk(images.MODULES.replace("hv_storvsc", ""))),
    ("initrd.nvme", ramdisk(images.MODULES.replace("nvme-core", ""))),
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
    ("net.dhcp", remove(f"{WANTS}/systemd-networkd.service")),
    ("net.dhcp-timeout", write("etc/dhcp/dhclient.conf", "timeout 60;\n")),
    ("net.hostname", write("etc/hostname", "builder\n")),
    ("net.no-static", write("etc/systemd/network/10-lan.network", "[Network]\nAddress=10.0.0.9/24\n")),
    ("net.no-static", write("etc/netplan/01.yaml", "network:\n  ethernets:\n    eth0:\n      macaddress: 00:15\n")),
    ("net.preserve-hostname", write("etc/cloud/cloud.cfg", "preserve_hostname: true\n")),
    ("pkg.hyperv-daemons", swap("var/lib/dpkg/status", "hyperv-daemons", "other")),
    ("pkg.omi", add("var/lib/dpkg/status", "\nPackage: omi\nStatus: install ok installed\nVersion: 1.6.8.0\n")),
    ("pkg.python-openssl", remove("usr/bin/openssl")),
    ("repo.sources", write("etc/apt/sources.list", "deb http://10.0.0.1/debian trixie main\n")),
    ("resdisk.single-owner", swap("etc/waagent.conf", "Format=n", "Format=y")),
    ("agent.resource", swap("etc/waagent.conf", "Format=n", "Format=y\nResourceDisk.Filesystem=xfs")),
    ("ssh.alive", remove("etc/ssh/sshd_config.d/50-azure.conf")),
    ("ssh.alive", write("etc/ssh/sshd_config.d/10-first.conf", "ClientAliveInterval 5m\n")),
    ("ssh.enabled", remove(f"{WANTS}/ssh.service")),
    ("ssh.root", add("etc/ssh/sshd_config", "PermitRootLogin yes\n")),
    ("sudo.targetpw", add("etc/sudoers", "Defaults targetpw\n")),
    ("time.chrony-ptp", write("etc/chrony/chrony.conf", "pool ntp.example.org iburst\n")),
    ("time.no-ntp-race", lambda root: _enable(root, "systemd-timesyncd.service")),
    ("time.utc", link("etc/localtime", "/usr/share/zoneinfo/Europe/Berlin")),
    ("udev.azure-storage", remove("usr/lib/udev/rules.d/66-azure-storage.rules")),
    ("udev.ci-ephemeral", remove("usr/lib/udev/rules.d/66-azure-ephemeral.rules")),
    ("udev.no-persistent-net", write("etc/udev/rules.d/70-persistent-net.rules")),
    ("udev.ptp", remove("usr/lib/udev/rules.d/50-udev-default.rules")),
    ("udev.sriov-unmanaged", remove("usr/lib/udev/rules.d/10-azure-unmanaged-sriov.rules")),
]
COMPANIONS = {
    "agent.auto-detect": {"ci.enabled"},
    "agent.resource": {"resdisk.single-owner"},
    "agent.version": {"agent.autoupdate"},
}
"""Defects that break two requirements at once by their nature."""


@pytest.mark.parametrize(("id", "change"), DEFECTS, ids=[f"{id}-{n}" for n, (id, _) in enumerate(DEFECTS)])
def test_catches_a_defect_by_its_own_check_alone(root: Path, id: str, change: Change) -> None:
    change(root)
    assert failed(inspect(root)) == {id} | COMPANIONS.get(id, set())


def test_judges_waagent_and_specialized_images_by_their_own_rules(root: Path) -> None:
    assert "agent.not-both" in failed(inspect(root, provisioner="waagent"))
    specialized = failed(inspect(root, kind="specialized"))
    assert {"acct.spec-login", "agent.provisioner", "spec.agent"} <= specialized
    put(root, "root/.ssh/authorized_keys", "ssh-ed25519 AAAA me\n")
    put(root, "etc/cloud/cloud-init.disabled")
    swap("etc/waagent.conf", "Agent=auto", "Agent=disabled")(root)
    assert failed(inspect(root)) == set()
    assert "specialized" in inspect(root).machine["profile"]


def test_takes_what_an_image_is_from_its_manifest(good: Path, tmp_path: Path) -> None:
    (tmp_path / "disk.vhd").symlink_to(good)
    manifest = Manifest(
        name="debian-12-gen2-x86_64",
        distro="debian",
        release="12",
        arch="x86_64",
        generations=(2,),
        kind="generalized",
        provisioner="waagent",
        digest="sha256:1",
        **dict.fromkeys(("hostname", "admin", "plan_id", "kernel", "root_uuid", "cmdline"), ""),
        **{name: {} for name in ("sizes", "recipe", "durations", "tools")},
        source_date_epoch=0,
        archives=(),
        packages=(),
    )
    manifest.save(tmp_path)
    report = inspect(tmp_path)
    assert report.digest == "sha256:1"
    assert report.machine["profile"] == "generation 2, generalized, provisioner waagent, x86_64"
    assert not any("inferred" in note or "manifest" in note for note in report.notes)
    assert failed(report) == {"agent.not-both"}


def test_says_what_was_inferred(tree: Path) -> None:
    notes = inspect(tree).notes
    assert "inferred: provisioner cloud-init (it is installed)" in notes
    assert "inferred: generalized (nothing disables provisioning)" in notes


# Disks


def footer(**changes: object) -> Callable[[Path], None]:
    def change(disk: Path) -> None:
        values = vars(Footer.build(images.SIZE, uuid.UUID(ROOT), 1700000000)) | changes
        patch(-512, bytes(Footer(**values)))(disk)  # type: ignore[arg-type]

    return change


def patch(at: int, content: bytes) -> Callable[[Path], None]:
    def change(disk: Path) -> None:
        with disk.open("r+b") as file:
            file.seek(at, 2 if at < 0 else 0)
            file.write(content)

    return change


def gpt(*partitions: tuple[int, str, int, int]) -> Callable[[Path], None]:
    def change(disk: Path) -> None:
        with disk.open("r+b") as file:
            images.write_gpt(file, images.SIZE, list(partitions))

    return change


def on_esp(*words: str, content: str = "") -> Callable[[Path], None]:
    def change(disk: Path) -> None:
        piece = disk.with_suffix(".piece")
        piece.write_text(content)
        image = f"{disk}@@{2 * MIB}"
        call = [words[0], "-i", image, *[str(piece) if word == "PIECE" else word for word in words[1:]]]
        call[0] = find(call[0])
        subprocess.run(call, check=True, capture_output=True, env={"MTOOLS_SKIP_CHECK": "1"})

    return change


def in_root(command: str) -> Callable[[Path], None]:
    def change(disk: Path) -> None:
        subprocess.run(
            [find("debugfs"), "-w", "-R", command, f"{disk}?offset={6 * MIB}"], check=True, capture_output=True
        )

    return change


def shorter(disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(-512, 2)
        tail = file.read()
        file.truncate(images.SIZE - 4096)
        file.seek(0, 2)
        file.write(tail)


def replace_in_fstab(line: str) -> Callable[[Path], None]:
    def change(disk: Path) -> None:
        piece = disk.with_suffix(".piece")
        piece.write_text(line)
        in_root("rm /etc/fstab")(disk)
        in_root(f"write {piece} /etc/fstab")(disk)

    return change


def _cut(disk: Path, size: int) -> None:
    with disk.open("r+b") as file:
        file.truncate(size)


def _seed(disk: Path) -> None:
    on_esp("mmd", "::loader")(disk)
    on_esp("mcopy", "PIECE", "::loader/random-seed", content="seed")(disk)


S = images.SECTORS
BIOS, ESP = (14, images.BIOS_BOOT, 1 * S, 1 * S), (15, images.ESP, 2 * S, 4 * S)
LINUX = (1, images.LINUX_ROOT, 6 * S, 17 * S)
SWAP = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"
OTHER = str(uuid.uuid4())
DISK_DEFECTS: list[tuple[str, set[str], Callable[[Path], None]]] = [
    ("no footer", {"vhd.fixed"}, lambda disk: _cut(disk, images.SIZE)),
    ("type 7", {"vhd.type"}, footer(disk_type=7)),
    ("length", {"vhd.length", "part.table"}, shorter),
    ("cookie", {"vhd.cookie"}, patch(-512, b"conectiy")),
    ("checksum", {"vhd.checksum"}, patch(-400, b"\1")),
    ("geometry", {"vhd.geometry"}, footer(creator=b"vpc ", geometry=(47, 16, 63))),
    ("backup header", {"part.table"}, patch(images.SIZE - 512 + 30, b"\xff")),
    ("first MiB", {"part.first-mib", "part.align"}, gpt((2, OTHER, 64, 64), BIOS, ESP, LINUX)),
    ("align", {"part.align"}, gpt((14, images.BIOS_BOOT, S, S - 1), (16, OTHER, 2 * S - 1, 1), ESP, LINUX)),
    ("root last", {"part.root-last"}, gpt(BIOS, ESP, LINUX, (3, OTHER, 23 * S, 8))),
    ("swap", {"swap.none-on-os-disk", "part.root-last"}, gpt(BIOS, ESP, LINUX, (3, SWAP, 23 * S, 8))),
    ("no boot code", {"grub.bios-code"}, patch(0, bytes(440))),
    ("boot code elsewhere", {"grub.bios-code"}, patch(0x5C, struct.pack("<Q", 5))),
    ("no core", {"grub.bios-code"}, patch(MIB, bytes(512 * 9))),
    ("block list", {"grub.bios-code"}, patch(MIB + 0x1F4, struct.pack("<Q", 2))),
    ("core too long", {"grub.bios-code"}, patch(MIB + 0x1FC, struct.pack("<H", 4000))),
    ("core cut", {"grub.bios-code"}, patch(MIB + 512, bytes(512 * 8))),
    ("no fallback", {"efi.fallback"}, on_esp("mdel", "::EFI/BOOT/BOOTX64.EFI")),
    ("no stub", {"efi.cfg-path"}, on_esp("mdel", "::EFI/debian/grub.cfg")),
    (
        "stub elsewhere",
        {"efi.cfg-path"},
        on_esp("mcopy", "-o", "PIECE", "::EFI/debian/grub.cfg", content=images.STUB.replace(ROOT, OTHER)),
    ),
    (
        "stub to nothing",
        {"efi.cfg-path"},
        on_esp("mcopy", "-o", "PIECE", "::EFI/debian/grub.cfg", content=images.STUB.replace("/boot/grub", "/boot/g")),
    ),
    ("no menu", {"grub.menu"}, in_root("rm /boot/grub/grub.cfg")),
    ("fstab root", {"fstab.root-match", "fstab.verify"}, replace_in_fstab(f"UUID={OTHER} / ext4 defaults 0 1\n")),
    ("fstab missing disk", {"fstab.verify"}, replace_in_fstab(f"{images.FSTAB}UUID={OTHER} /data ext4 defaults 0 1\n")),
    ("fstab cdrom", {"fstab.verify"}, replace_in_fstab(f"{images.FSTAB}/dev/cdrom /media/c udf noauto 0 0\n")),
    ("fstab swap", {"swap.none-on-os-disk"}, replace_in_fstab(f"{images.FSTAB}/dev/mapper/s none swap sw 0 0\n")),
    ("unreadable root", {"inspect.root"}, patch(6 * MIB + 1024, bytes(1024))),
    ("seed on ESP", {"clean.esp-random-seed"}, _seed),
]


@pytest.mark.parametrize(("ids", "change"), [row[1:] for row in DISK_DEFECTS], ids=[row[0] for row in DISK_DEFECTS])
def test_catches_a_damaged_disk(disk: Path, ids: set[str], change: Callable[[Path], None]) -> None:
    change(disk)
    assert failed(inspect(disk)) == ids


def test_says_which_alignment_is_wrong(disk: Path) -> None:
    _cut(disk, images.SIZE)
    with disk.open("ab") as file:
        file.write(bytes(4096) + bytes(Footer(images.SIZE + 4096, uuid.UUID(ROOT), 1700000000)))
    report = inspect(disk)
    assert {"vhd.align", "part.table"} == failed(report)
    assert "4096 over a whole MiB" in evidence(report)


@pytest.mark.parametrize("form", ["vpc", "qcow2", "vhdx"])
def test_judges_what_other_formats_hold(disk: Path, tmp_path: Path, form: str) -> None:
    other = tmp_path / f"disk.{form}"
    _cut(disk, images.SIZE)
    options = ["-o", "force_size=on"] if form == "vpc" else []
    command = [find("qemu-img"), "convert", "-f", "raw", "-O", form, *options, disk, other]
    subprocess.run(command, check=True)
    assert failed(inspect(other)) == {"vhd.fixed"}


def test_says_of_a_differencing_disk_only_what_its_container_tells(disk: Path) -> None:
    footer(disk_type=4, data_offset=512)(disk)
    report = inspect(disk)
    assert failed(report) == {"vhd.fixed", "inspect.disk"}
    assert "nothing without its parent" in evidence(report)


def test_finds_a_footer_over_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty.vhd"
    with empty.open("wb") as file:
        file.truncate(images.SIZE)
        file.seek(0, 2)
        file.write(bytes(Footer.build(images.SIZE, uuid.UUID(ROOT), 1700000000)))
    report = inspect(empty)
    assert {"part.table", "inspect.root"} <= failed(report)
    assert not report.passed


@pytest.mark.parametrize("content", [b"", b"text\n", bytes(4096), b"\x7f" * 100_000])
def test_refuses_what_is_not_a_disk(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(CallerError, match="is not a disk"):
        inspect(file)


def test_refuses_a_folder_that_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="is not an image"):
        inspect(tmp_path)


def test_refuses_an_id_that_no_check_has(tree: Path) -> None:
    with pytest.raises(CallerError, match=r"no offline check is called no\.such"):
        inspect(tree, only=("no.such",))


def test_runs_only_the_checks_asked_for(tree: Path) -> None:
    assert [verdict.id for verdict in inspect(tree, only=("ssh.alive",)).verdicts] == ["ssh.alive"]


def test_prints_what_failed_first_and_a_count(root: Path) -> None:
    remove("etc/ssh/sshd_config.d/50-azure.conf", "usr/bin/growpart")(root)
    text = io.StringIO()
    report = inspect(root)
    print_report(report, Console(file=text, width=100))
    lines = text.getvalue()
    assert lines.index("ssh.alive") < lines.index("growpart")
    assert "Set ClientAliveInterval 180" in lines
    assert lines.splitlines()[-1].startswith("failed: 1 required and 1 recommended findings")
    assert summary(report) in lines.replace("\n", " ")
