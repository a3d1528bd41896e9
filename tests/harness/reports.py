"""Reports as runs make them: one of a good image, one of an image that failed, with what a guest really writes."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

from harness.azure.journal import Entry
from harness.happenings import events_of
from harness.report import Answer, Event, NameSeen, Report, Status, Verdict

MACHINE = {
    "machine": "gen2",
    "generation": "2",
    "processor": "x86_64",
    "firmware": "UEFI (OVMF)",
    "controller": "SCSI",
    "secure_boot": "off",
    "vtpm": "none",
    "boot_loader": "exercised",
    "accelerator": "tcg",
    "link": "tap",
    "memory": "1536 MiB",
}
FILES = {"console": "console.log", "journal": "journal.jsonl", "screenshot": "screenshot.png"}
CONSOLE = """\
BdsDxe: starting Boot0001 "UEFI QEMU QEMU HARDDISK " from PciRoot(0x0)/Pci(0x1F,0x2)/Scsi(0x0,0x0)
[    0.000000] Linux version 6.12.57+deb13-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC
[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz-6.12.57 root=UUID=0b8e2d6c ro console=tty1 console=ttyS0,115200
[    2.913277] systemd[1]: Detected virtualization qemu.
[  OK  ] Reached target local-fs.target - Local File Systems.
         Starting cloud-init-local.service - Cloud-init: Local Stage (pre-network)...
[   12.610223] cloud-init[412]: Cloud-init v. 25.1.4 running 'init-local' at Sun, 22 Nov 2026. Up 12.41 seconds.
[   19.402219] cloud-init[412]: 21:54:27,018 - azure.py[WARNING]: host says <script>alert("ready")</script> & goes on
[  OK  ] Finished cloud-init-local.service - Cloud-init: Local Stage (pre-network).
[  OK  ] Started ssh.service - OpenBSD Secure Shell server.
[FAILED] Failed to start walinuxagent.service - Azure Linux Agent.
See 'systemctl status walinuxagent.service' for details.
[  OK  ] Reached target multi-user.target - Multi-User System.

Debian GNU/Linux 13 kiln-vm ttyS0

kiln-vm login: """
MAC = "60:45:bd:00:00:04"
INSTANCE = "/metadata/instance?api-version=2021-08-01&extended=true"


def picture(width: int = 320, height: int = 200) -> bytes:
    """A PNG: dark, with a lighter bar, as a text console looks from afar."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + (b"\xb0" if 10 < row < 20 else b"\x18") * width for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def entry(at: float, source: str, event: str, **details: object) -> Entry:
    return Entry(at, "2026-11-22T21:54:08.000+00:00", source, event, details)


def exchange(at: float, source: str, method: str, path: str, status: int = 200, agent: str = "") -> Entry:
    told = {"method": method, "path": path, "status": status, "agent": agent, "client": "10.0.0.4", "seconds": 0.004}
    return entry(at, source, "exchange", **told)


def journal() -> Iterator[Entry]:
    """What passed between a Debian 13 guest and its host, as the journal keeps it."""
    cloud, agent = "Cloud-Init/25.1.4", "WALinuxAgent/2.12.0.2"
    yield entry(0.02, "machine", "switched on", generation=2, accelerator="tcg")
    yield entry(0.4, "qmp", "RESUME")
    yield entry(13.1, "qmp", "RTC_CHANGE", offset=0)
    for at, name in ((15.9, "kiln-vm"), (26.3, "kiln-vm")):
        yield entry(at, "dhcp", "DISCOVER", mac=MAC, host_name=name, parameters=[1, 3, 6, 12, 15, 26, 121, 245])
        yield entry(at + 0.03, "dhcp", "OFFER", mac=MAC, address="10.0.0.4")
        yield entry(at + 0.08, "dhcp", "REQUEST", mac=MAC, host_name=name, requested="10.0.0.4")
        yield entry(at + 0.11, "dhcp", "ACK", mac=MAC, address="10.0.0.4")
    yield exchange(16.7, "imds", "GET", "/metadata/instance?api-version=2027-01-01", 400, cloud)
    yield exchange(17.3, "imds", "GET", INSTANCE, 200, cloud)
    yield exchange(17.9, "imds", "GET", "/metadata/reprovisiondata?api-version=2019-06-01", 404, cloud)
    yield entry(18.6, "qmp", "DEVICE_TRAY_MOVED", **{"device": "ide1-cd0", "id": "dvd", "tray-open": True})
    yield entry(18.6, "dvd", "ejected")
    yield exchange(19.1, "wireserver", "GET", "/machine/?comp=goalstate", 200, cloud)
    yield entry(19.42, "health", "Ready", client=cloud, matches=True)
    yield exchange(19.43, "wireserver", "POST", "/machine?comp=health", 200, cloud)
    for second in range(8):
        yield exchange(33.0 + second * 2.1, "wireserver", "GET", "/machine/?comp=goalstate", 200, agent)
        yield exchange(33.4 + second * 2.1, "hostplugin", "GET", "/versions", 200, agent)
    yield exchange(35.0, "wireserver", "GET", "/?comp=Versions", 200, agent)
    yield exchange(35.2, "hostplugin", "PUT", "/status", 503, agent)
    yield exchange(36.0, "imds", "GET", "/metadata/instance/compute/userData?api-version=2021-01-01&format=text")
    yield entry(37.7, "guest", "SSH login", user="azureuser")
    yield entry(39.0, "status", "NotReady", computer_name="kiln-vm")
    yield entry(51.9, "guest", "boot finished", state="degraded")


def passed(id: str, title: str, why: str, source: str = "Azure: creating generic Linux images") -> Verdict:
    return Verdict(id, title, Status.PASSED, source=source, why=why, repair="Nothing")


PASSED = (
    passed("ready", "the host saw ready", "Azure calls the machine failed after 20 minutes without it."),
    passed("ssh.login", "the administrator logs in", "Ready comes before users and keys exist."),
    passed("name.kernel", "the kernel has the name", "Logs and clusters go by it.", "docs/azure/host-protocol.md 6"),
    passed("name.dhcp", "every DHCP client sends the name", "Azure publishes the first one in DNS for good."),
    passed("root.grew", "the root file system grew", "The disk that was paid for is larger than the image."),
    passed("custom-data", "custom data arrived and ran", "It is how most people set a machine up."),
)
UNITS = Verdict(
    id="units.failed",
    title="no unit failed",
    status=Status.FAILED,
    reason="walinuxagent.service failed. Look into its log",
    evidence=(
        "walinuxagent.service failed",
        "ModuleNotFoundError: No module named 'distutils'",
        '  File "/usr/sbin/waagent", line 24, in <module>',
        "a line without an end: " + "0123456789abcdef" * 60,
        "\x1b[31mred\x1b[0m & <b>not bold</b>\x00",
    ),
    source="https://learn.microsoft.com/azure/virtual-machines/extensions/agent-linux",
    why="Extensions, password resets and backups wait for the agent for ever.",
    repair="Look into its log",
)
NAME = Verdict(
    id="name.hosts",
    title="/etc/hosts knows the machine by this name alone",
    status=Status.FAILED,
    severity="recommended",
    reason="127.0.1.1 is also 'debian'. Remove the line at generalization",
    evidence=("127.0.1.1 is also 'debian'",),
    source="image-requirements.md HN-4",
    why="sudo waits for a name server when its host cannot be resolved.",
    repair="Remove the line at generalization",
)
TWIN = Verdict(
    "twin.machine-id",
    "two machines differ in machine-id",
    Status.SKIPPED,
    reason="only specialized images are booted twice",
)


def good_run() -> Report:
    """A first boot on generation 2 that went well."""
    return Report(
        image="output/debian-13-genboth-x86_64",
        digest="9f2c4b7ad01e5f0a1d0e6c1b5f0e9a536b696c6e00021c6d5e4f3a2b1c0d9e8f",
        scenario="first-boot",
        seed="azure",
        machine=MACHINE,
        verdicts=(*PASSED, TWIN),
        started="2026-11-22T21:54:07+00:00",
        seconds=71.4,
        events=tuple(one for one in events_of(journal()) if "503" not in one.text and one.source != "status"),
        notes=("QEMU has no VMBus: hv_storvsc and hv_netvsc did not drive this machine; `inspect` looks for them.",),
        files=FILES,
        console_tail=CONSOLE,
        azure=Answer(
            "Succeeded", "The deployment succeeds.", "19.4 s: cloud-init said Ready", "https://example.org/doc"
        ),
        names=(NameSeen("at first boot", "DHCP option 12, 1 of 1", "kiln-vm", True),),
    )


def failed_run() -> Report:
    """The same with an agent that does not start; the guest writes markup."""
    markup = Event(20.0, "guest", "</title><script>alert(1)</script>: <img src=x onerror=alert(2)>")
    return replace(
        good_run(),
        verdicts=(*PASSED, TWIN, NAME, UNITS),
        names=(*good_run().names, NameSeen("at first boot", "/etc/hosts", "debian", False)),
        events=(*events_of(journal()), markup),
        notes=(*good_run().notes, "The guest needed 39.2 s by its own clock until all was asked."),
    )
