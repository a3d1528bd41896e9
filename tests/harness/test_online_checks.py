"""The checks of a booted guest: a sound one passes them all, each planted fault is found by its own check alone."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.cards import Cards, CardsSeen
from harness.checks import all_checks
from harness.checks.check import judge
from harness.inspect import FACTS
from harness.machines import GEN2, NVME, TRUSTED, MachineProfile
from harness.neighbours import Seen
from harness.report import Status
from harness.vm import NetworkInterface
from tests.harness.azure.machines import SECOND_CARD
from tests.harness.guests import ANSWERS, CLOUD_INIT, EXPECTED, SWAP, VM, facts, guest, host, specialized_facts, units

ONLINE = tuple(one for one in all_checks() if not set(one.needs) <= FACTS)
OWN_DATA = replace(EXPECTED, marks=False)
WAAGENT = replace(CLOUD_INIT, provisioner="waagent")
NONE = replace(CLOUD_INIT, provisioner="none")
NOCLOUD = {"expected": replace(EXPECTED, seed="nocloud"), "host": None}
NOCLOUD_RESULT = json.dumps({"v1": {"datasource": "DataSourceNoCloud [seed=/dev/sr0]", "errors": []}})
AT_CONFIG = json.dumps({"v1": {"stage": "modules-config"}})
IMDS = json.loads(ANSWERS["imds"])
CHRONY = {
    "state": "degraded",
    "failed": "chrony.service\n  Fatal error : Could not open /dev/ptp_hyperv : No such file or directory",
}


INSTANCE = "8d7c6b4a-2211-4433-5566-778899aabbcc"
"""The VM's id as generation 1 writes 4A6B7C8D-1122-3344-…."""
DATA_DISK = 'NAME="/dev/sdb" TYPE="disk" SIZE="4294967296" FSTYPE="" MOUNTPOINT="" PKNAME=""'
TEMPORARY = 'NAME="/dev/sdb" TYPE="disk" SIZE="17179869184"\nNAME="/dev/sdb1" TYPE="part" SIZE="17178820608"'
NTFS = f'{TEMPORARY} FSTYPE="ntfs" MOUNTPOINT="/mnt" PKNAME="/dev/sdb"'
PART = 'NAME="/dev/sdb1" TYPE="part" SIZE="4293918720" FSTYPE="" MOUNTPOINT="" PKNAME="/dev/sdb"'


FIRST_CARD = NetworkInterface(VM.mac, (VM.address, "10.0.0.14"))


def two_cards(first: tuple[str, ...] = FIRST_CARD.addresses, *routes: tuple[str, int]) -> CardsSeen:
    """A guest with two cards, whose first one has these addresses, and with other default routes than a sound one's."""
    found = {"00:00:00:00:00:00": ("127.0.0.1",), FIRST_CARD.mac: first, SECOND_CARD.mac: SECOND_CARD.addresses}
    return CardsSeen((FIRST_CARD, SECOND_CARD), Cards(found, routes or ((FIRST_CARD.mac, 100),)))


def met(*answers: str) -> tuple[Seen, Seen]:
    """Two machines that find each other; the second is told these answers."""

    def seen(asker: str, name: str, address: str, *told: str) -> Seen:
        line = f"{address}   {name}.{VM.domain}"
        return Seen(asker, name, VM.domain, address, *(told or (line, line, line, "SSH-2.0-OpenSSH_10.0")))

    return seen("a", "b", "10.0.0.5"), seen("b", "a", "10.0.0.4", *answers)


FULL = f"10.0.0.4 a.{VM.domain}"


def on(machine: MachineProfile, **answers: str) -> Mapping[str, Any]:
    """The facts of a guest on this machine."""
    return facts(expected=replace(EXPECTED, machine=machine), guest=guest(**answers))


def on_root(**answers: str) -> Mapping[str, Any]:
    """The facts of a guest whose root is /dev/sda1, with these answers."""
    disks = f'{ANSWERS["disks"]} FSTYPE="ext4" UUID="aa" LABEL="x" PARTUUID="dd"'
    return facts(guest=guest(**{"disks": disks, "root_device": "/dev/sda1", **answers}))


def complaints(known: Mapping[str, Any]) -> dict[str, str]:
    """The reasons of the checks that failed, by their ids."""
    return {one.id: one.reason for one in judge(ONLINE, known) if one.status is Status.FAILED}


@pytest.mark.parametrize(
    "known",
    [
        facts(),
        facts(guest=guest(**CHRONY)),
        facts(guest=guest(**{**CHRONY, "failed": CHRONY["failed"].replace("chrony.", "chronyd.")})),
        facts(guest=guest(transient_name="")),
        facts(guest=guest(vm_id="4A6B7C8D-1122-3344-5566-778899AABBCC", instance_id=INSTANCE)),
        facts(guest=guest(vm_id=INSTANCE.upper(), instance_id=INSTANCE)),
        facts(guest=guest(swap=f"{SWAP}\n/dev/zram0 partition 1048572 0 100")),
        facts(expected=OWN_DATA, guest=guest(ran="")),
        facts(hostnames=("localhost", "kiln-vm")),
        facts(host=host("Stranger", "Ready", "NotReady", "Ready")),
        facts(earlier=guest()),
        facts(first_names=("localhost",)),
        facts(probed=("word a, secret b", "word a, secret b")),
        facts(cards=two_cards()),
        facts(meeting=met()),
        facts(reports=host("Ready", "Ready").health),
        facts(data_disks=(4 << 30,), guest=guest(disks=DATA_DISK)),
        facts(predecessor=guest(host_keys="ssh-rsa older")),
        on_root(fstab="UUID=AA / ext4 defaults 0 1", cmdline="root=UUID=aa ro quiet"),
        on_root(fstab="LABEL=x / btrfs subvol=@ 0 0", cmdline="root=/dev/mapper/root", root_device="/dev/sda1[/@]"),
        facts(resource_disk=16 << 30, guest=guest(disks=TEMPORARY, root_device="/dev/sda1")),
        facts(resource_disk=16 << 30, guest=guest(disks=NTFS.replace("/mnt", ""), root_device="/dev/sda1")),
        on(TRUSTED, secure_boot="6 0 0 0 1", tpm="2"),
        on(NVME, disks=PART.replace("/dev/sdb", "/dev/nvme0n1p")),
        facts(profile=WAAGENT, guest=guest(provisioned="/var/lib/waagent/provisioned", status="", ran="")),
        facts(profile=NONE, host=host("Ready", ejected=False), guest=guest(status="", units="", ran="")),
        facts(**NOCLOUD, guest=guest(result=NOCLOUD_RESULT, imds="", custom_data="", disc_name="")),
        specialized_facts(),
        specialized_facts(host=host("Ready", client="WALinuxAgent", ejected=False)),
        specialized_facts(expected=replace(EXPECTED, name=""), hostnames=("any",), published=()),
        facts(expected=replace(EXPECTED, former="given"), guest=guest(hosts="127.0.1.1 given")),
    ],
)
def test_a_sound_guest_passes(known: Mapping[str, Any]) -> None:
    assert complaints(known) == {}


@pytest.mark.parametrize(
    ("id", "known", "complaint"),
    [
        ("run.boot-ssh", facts(ending="the kernel panicked: no init found"), "the kernel panicked: no init found"),
        ("run.console", facts(console="[ 3.1] BUG: unable to handle page fault"), "BUG: unable to handle page fault"),
        (
            "run.instance-id",
            facts(guest=guest(vm_id="0" * 8, instance_id="1" * 8)),
            "instance is 11111111, the VM's id 0",
        ),
        ("run.firmware", facts(guest=guest(firmware="BIOS")), "was started by BIOS, not by UEFI"),
        ("run.firmware", facts(guest=guest(firmware="")), "was started by nobody knows what, not by UEFI"),
        ("run.secure-boot", facts(guest=guest(secure_boot="6 0 0 0 1")), "Secure Boot is on by the guest's own"),
        ("run.secure-boot", on(TRUSTED, secure_boot="6 0 0 0 0", tpm="2"), "Secure Boot is off by the"),
        ("run.secure-boot", on(TRUSTED, secure_boot="6 0 0 0 1"), "the guest sees no TPM 2.0"),
        ("run.disk-controller", on(NVME, disks=PART), "partitions are /dev/sdb1: not on NVMe"),
        ("run.disk-controller", on(GEN2, disks=PART.replace("/dev/sdb", "/dev/nvme0n1p")), "not on SCSI"),
        (
            "run.systemd",
            facts(guest=guest(state="degraded", failed="ssh.service\n  first\n  no keys")),
            "ssh.service has failed: first; no keys",
        ),
        ("run.systemd", facts(guest=guest(state="starting")), "the system is starting, not running"),
        ("run.systemd", facts(guest=guest(**CHRONY, ptp="/dev/ptp_hyperv")), "chrony.service has failed"),
        (
            "run.systemd",
            facts(guest=guest(**CHRONY | {"failed": "chrony.service\n  bad line"})),
            "chrony.service has failed",
        ),
        ("run.root-grew", facts(guest=guest(root_bytes=str(30 << 30))), "has 30720 MiB on a disk of 34816 MiB"),
        ("run.swap", facts(guest=guest(swap=f"{SWAP}\n/dev/sda3 partition 1048572 0 -2")), "swap is on: /dev/sda3"),
        ("hostname.given", facts(guest=guest(disc_name="older")), "the provisioning disc is 'older'"),
        (
            "hostname.given",
            facts(guest=guest(imds=json.dumps({**IMDS, "osProfile": {"computerName": "x"}}))),
            "the metadata service is 'x'",
        ),
        ("hostname.kernel", facts(guest=guest(kernel_name="localhost")), "the kernel's name is 'localhost'"),
        ("hostname.static", facts(guest=guest(static_name="debian")), "the static name is 'debian'"),
        ("hostname.transient", facts(guest=guest(transient_name="dhcp-4")), "the transient name is 'dhcp-4'"),
        ("hostname.hosts", facts(guest=guest(hosts="127.0.1.1 kiln-vm builder.lan")), "names 'builder.lan'"),
        ("hostname.hosts", facts(guest=guest(hosts="127.0.1.1 localhost-old")), "names 'localhost-old'"),
        (
            "hostname.hosts",
            facts(guest=guest(hosts="127.0.1.1 older"), expected=replace(EXPECTED, former="given")),
            "names 'older'",
        ),
        ("hostname.resolves", facts(guest=guest(resolved_name="")), "getent hosts kiln-vm finds nothing"),
        ("hostname.dhcp", facts(hostnames=("kiln-vm", "localhost")), "the last name sent by DHCP is 'localhost'"),
        ("hostname.dhcp", facts(hostnames=()), "no DHCP client of the guest ever sent a name"),
        ("hostname.dns", facts(published=()), "DNS knows no address for kiln-vm, not 10.0.0.4"),
        ("hostname.dns", facts(published=("10.0.0.9",)), "DNS knows 10.0.0.9 for kiln-vm"),
        ("run.report-ready", facts(host=host("Stranger")), "no Ready that fits the goal state came; cloud-init said"),
        ("run.report-ready", facts(host=host()), "no health report at all"),
        ("run.report-ready", facts(host=host("Failed", "Ready")), "failed provisioning: no key was found"),
        ("run.report-ready", facts(host=host("Ready", "NotReady")), "the last report says NotReady"),
        ("run.dvd-ejected", facts(host=host("Ready", ejected=False)), "the disc still lies in the drive"),
        ("run.datasource", facts(guest=guest(result="", status=AT_CONFIG)), "its stage is modules-config"),
        ("run.datasource", facts(guest=guest(result="", status="")), "is not done: its stage is not known"),
        ("run.datasource", facts(guest=guest(result=NOCLOUD_RESULT)), "from DataSourceNoCloud [seed=/dev/sr0], not"),
        ("run.datasource", facts(guest=guest(result="[]")), "is not done: its stage is None"),
        (
            "run.datasource",
            facts(guest=guest(result=json.dumps({"v1": {"datasource": "DataSourceAzure", "errors": ["no user"]}}))),
            "cloud-init met an error: no user",
        ),
        ("run.datasource", facts(**NOCLOUD), "from DataSourceAzure [seed=/dev/sr0], not from NoCloud"),
        ("run.custom-data", facts(guest=guest(custom_data="")), "bytes of custom data are not in the guest"),
        ("run.custom-data", facts(guest=guest(ran="")), "must run once: /var/lib/kiln-custom-data-ran tells 0 times"),
        ("run.custom-data", facts(guest=guest(ran="kiln-vm\nkiln-vm")), "tells 2 times"),
        (
            "run.custom-data",
            facts(**NOCLOUD, guest=guest(result=NOCLOUD_RESULT, imds="", ran="")),
            "must run once",
        ),
        ("run.user-data", facts(guest=guest(imds=json.dumps({**IMDS, "userData": ""}))), "other user data: ''"),
        (
            "run.user-data",
            facts(guest=guest(imds=json.dumps({**IMDS, "vmId": "0"}))),
            "reached no metadata service, or another machine's",
        ),
        ("run.agent", facts(guest=guest(units=units("failed"))), "unit is failed: INFO"),
        ("run.agent", facts(guest=guest(units="")), "unit is not there"),
        ("run.agent-provisioned", facts(profile=WAAGENT), "/var/lib/waagent/provisioned is missing: INFO"),
        (
            "run.no-provisioner",
            specialized_facts(guest=guest(provisioned="/var/lib/cloud/instance", imds="", disc_name="")),
            "cloud-init made this machine an instance",
        ),
        ("run.no-provisioner", specialized_facts(host=host("Ready", ejected=False)), "cloud-init reported Ready"),
        (
            "run.no-provisioner",
            specialized_facts(guest=guest(provisioned="", users="azureuser\nstranger")),
            "there is a user stranger besides azureuser",
        ),
        ("run.machine-id", facts(guest=guest(machine_id="uninitialized")), "holds 'uninitialized'"),
        ("run.machine-id", facts(guest=guest(machine_id="0" * 32)), "/etc/machine-id holds '0000"),
        ("run.host-keys", facts(guest=guest(host_keys="")), "there is no /etc/ssh/ssh_host_*_key.pub"),
        (
            "run.identity-stays",
            facts(earlier=guest(machine_id="f" * 32)),
            "machine-id was 'ffffffffffffffffffffffffffffffff' and is 'c272",
        ),
        ("run.identity-stays", facts(earlier=guest(host_keys="ssh-rsa other")), "host-keys was 'ssh-rsa other'"),
        (
            "run.identity-differs",
            facts(twin=guest(host_keys="ssh-rsa other")),
            "both have the machine id c272f6090002000000ab113253119512",
        ),
        ("run.identity-differs", facts(twin=guest(machine_id="f" * 32)), "both have the host key ssh-"),
        (
            "run.instance-new",
            facts(predecessor=guest(host_keys="ssh-rsa AAAAtwo root@kiln-vm")),
            "had the host key ssh-r",
        ),
        (
            "run.dhcp-identity-differs",
            facts(twin=guest(machine_id="f" * 32, host_keys=""), twin_dhcp_ids=("01:60:45:bd:00:00:04",)),
            "both call themselves 01:60:45:bd:00:00:04",
        ),
        ("run.data-disks", facts(data_disks=(8 << 30,)), "the guest sees no disk of 8192 MiB"),
        (
            "run.data-disks",
            facts(data_disks=(4 << 30,), guest=guest(disks=f"{DATA_DISK}\n{PART}")),
            "something was written to the empty disk /dev/sdb: partitions",
        ),
        (
            "run.data-disks",
            facts(data_disks=(4 << 30,), guest=guest(disks=DATA_DISK.replace('FSTYPE=""', 'FSTYPE="ext4"'))),
            "something was written to the empty disk /dev/sdb: ext4",
        ),
        ("run.resource-disk", facts(resource_disk=16 << 30), "the guest sees no disk of 16384 MiB"),
        (
            "run.resource-disk",
            facts(resource_disk=16 << 30, guest=guest(disks=TEMPORARY, root_device="/dev/sdb1")),
            "the root file system is on /dev/sdb1, the temporary disk",
        ),
        ("run.root-id", on_root(fstab="UUID=bb / ext4 defaults 0 1"), "fstab says UUID=bb, and /dev/sda1 has UUID=aa"),
        ("run.root-id", on_root(cmdline="root=PARTUUID=cc ro"), "the command line says PARTUUID=cc, and /dev/sda1 has"),
        (
            "resdisk.not-ntfs",
            facts(resource_disk=16 << 30, guest=guest(disks=NTFS, root_device="/dev/sda1")),
            "/dev/sdb1 is mounted on /mnt with the file system ntfs",
        ),
        (
            "run.extension",
            facts(probed=("word a, secret b", "")),
            "says '' and should say 'word a, secret b'",
        ),
        (
            "run.pool",
            facts(reports=host("Ready").health),
            "cloud-init reported ready 1 times, and should do so before and after the hand-over",
        ),
        (
            "cards.addresses",
            facts(cards=two_cards((VM.address,))),
            "60:45:bd:00:00:04 has 10.0.0.4, and Azure gave it 10.0.0.4, 10.0.0.14",
        ),
        (
            "cards.route",
            facts(cards=two_cards(FIRST_CARD.addresses, (FIRST_CARD.mac, 100), (SECOND_CARD.mac, 200))),
            "a default route of metric 200 leads through 60:45:bd:00:01:04, and the first card is 60:45:bd:00:00:04",
        ),
        (
            "network.names",
            facts(meeting=met("", FULL, FULL, "SSH-2.0-x")),
            f"b finds nothing for a.{VM.domain}, not 10.0.0.4",
        ),
        (
            "network.reverse",
            facts(meeting=met(FULL, FULL, "10.0.0.4 localhost", "SSH-2.0-x")),
            f"b finds '10.0.0.4 localhost' for 10.0.0.4, not a.{VM.domain}",
        ),
        (
            "network.reach",
            facts(meeting=met(FULL, FULL, FULL, "")),
            "b hears nothing on port 22 of a at 10.0.0.4",
        ),
        ("hostname.stale-first", facts(first_names=("builder",)), "the first DHCP request carried the name 'builder'"),
        ("hostname.agent", facts(agent_name="builder"), "the name in the agent's status is 'builder'"),
        ("hostname.reverse", facts(reversed_name=()), "DNS knows no name for 10.0.0.4, not kiln-vm"),
    ],
)
def test_a_planted_fault_is_found_by_its_own_check(id: str, known: Mapping[str, Any], complaint: str) -> None:
    found = complaints(known)
    assert list(found) == [id]
    assert complaint in found[id]


def test_every_online_check_has_a_planted_fault() -> None:
    planted = test_a_planted_fault_is_found_by_its_own_check.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {one.id for one in ONLINE} == {id for id, _, _ in planted}


def test_without_a_guest_only_its_absence_fails() -> None:
    known = facts(guest=None, ending="waited in vain for SSH", hostnames=(), published=())
    assert list(complaints(known)) == ["run.boot-ssh"]


def test_recognises_custom_data_among_other_words() -> None:
    arrived = f"{base64.b64encode(b'other').decode()} {ANSWERS['custom-data']}"
    assert complaints(facts(guest=guest(custom_data=arrived))) == {}


def test_an_agent_that_did_not_provision_is_quoted() -> None:
    found = complaints(facts(profile=WAAGENT, host=host("Failed")))
    assert "/var/lib/waagent/provisioned is missing: no key was found" in found["run.agent-provisioned"]
