"""Images broken on purpose, as people break them: what was done, what `inspect` finds, what a boot comes to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.sshkey import make_key
from tests.harness import damage

SHORT = {"limit": 480}
"""Seconds that a guest without report is waited for: Azure waits for 1200."""
IMAGE_SIZE = 30 << 30
"""Bytes of the image's disk: a machine whose disk is no larger cannot grow, and Azure makes such unless it is asked."""
LOGIN_PROMPT = r"^\S+ login: "
KEY = make_key("builder")
"""A host key of the machine that the image was made on."""
OLD_MAC = """network:
  version: 2
  ethernets:
    builder:
      match: {macaddress: "00:15:5d:01:02:03"}
      dhcp4: true
"""


@dataclass(frozen=True)
class Broken:
    """An image of Debian 12 with `files` written (path to text, None: removed) and `more` done to its disk.

    `offline` are checks that `inspect` must fail, `online` those that a boot must fail, `azure` the verdict that the
    boot's report must tell; `wishes` say how it is booted. `shown` is a pattern of what the console must have where
    nobody reports: a guest that was too slow to meet its fault keeps silent, too.
    """

    name: str
    files: dict[str, str | None]
    offline: tuple[str, ...]
    online: tuple[str, ...]
    azure: str
    shown: str = ""
    provisioner: str = "cloud-init"
    more: Callable[[Path], None] = lambda disk: None
    wishes: dict[str, Any] = field(default_factory=dict)

    def make(self, image: Path, target: Path) -> Path:
        """A copy of the image's disk, broken."""
        disk = damage.copy(image, target)
        damage.rewritten(disk, self.files)
        self.more(disk)
        return disk


BROKEN = (
    Broken(
        "stale name",
        {"/etc/hostname": "builder\n", "/etc/hosts": "127.0.0.1 localhost\n127.0.1.1 builder.lan builder\n"},
        ("net.hostname",),
        ("hostname.stale-first",),
        "Succeeded",
    ),
    Broken(
        "name preserved",
        {"/etc/hostname": "builder\n", "/etc/cloud/cloud.cfg.d/95-name.cfg": "preserve_hostname: true\n"},
        ("net.hostname", "net.preserve-hostname"),
        ("hostname.kernel", "hostname.static", "hostname.dhcp"),
        "Succeeded",
    ),
    Broken(
        "both provisioners",
        {"/etc/waagent.conf": "Provisioning.Agent=waagent\nProvisioning.DeleteRootPassword=y\nResourceDisk.Format=n\n"},
        ("agent.not-both",),
        ("run.report-ready", "run.agent-provisioned"),
        "Succeeded",
    ),
    Broken(
        "no udf",
        {"/etc/modprobe.d/cis.conf": "install udf /bin/false\n"},
        ("kernel.no-hv-blacklist",),
        ("run.custom-data",),
        "Succeeded",
    ),
    Broken(
        "no sr driver",
        {"/etc/modprobe.d/cis.conf": "install sr_mod /bin/false\n"},
        ("kernel.no-hv-blacklist",),
        # The initramfs has the driver and loads it: the disc goes missing once an update makes the initramfs anew.
        (),
        "Succeeded",
    ),
    Broken(
        "pinned to NoCloud",
        {"/etc/cloud/cloud.cfg.d/91-azure_datasource.cfg": "datasource_list: [ NoCloud, None ]\n"},
        ("ci.datasource",),
        ("run.boot-ssh", "run.report-ready"),
        "OSProvisioningTimedOut",
        shown=LOGIN_PROMPT,
        wishes=SHORT,
    ),
    Broken(
        "cloud-init switched off",
        {"/etc/cloud/cloud-init.disabled": ""},
        ("ci.enabled",),
        ("run.boot-ssh", "run.report-ready"),
        "OSProvisioningTimedOut",
        shown=LOGIN_PROMPT,
        wishes=SHORT,
    ),
    Broken(
        "network of another card",
        {"/etc/netplan/90-default.yaml": OLD_MAC},
        ("net.no-static",),
        ("run.boot-ssh",),
        "Succeeded",
    ),
    Broken(
        "host keys baked in",
        {
            "/etc/ssh/ssh_host_ed25519_key": KEY.private,
            "/etc/ssh/ssh_host_ed25519_key.pub": f"{KEY.public}\n",
            "/etc/cloud/cloud.cfg.d/95-keys.cfg": "ssh_deletekeys: false\n",
        },
        ("clean.hostkeys",),
        ("twin.run.identity-differs",),
        "Succeeded",
        wishes={"scenario": "twins"},
    ),
    Broken(
        "sshd off",
        {
            "/etc/systemd/system/multi-user.target.wants/ssh.service": None,
            "/etc/systemd/system/sshd.service": None,
        },
        ("ssh.enabled",),
        ("run.boot-ssh",),
        "Succeeded",
    ),
    Broken(
        "network service off",
        {},
        ("net.dhcp",),
        ("run.boot-ssh",),
        "Succeeded",
        more=lambda disk: damage.mask(disk, "systemd-networkd.service"),
    ),
    Broken(
        "full root",
        {},
        ("fs.room",),
        ("run.boot-ssh", "run.report-ready"),
        "OSProvisioningTimedOut",
        shown="No space left on device",
        more=damage.fill,
        wishes={**SHORT, "disk_size": IMAGE_SIZE},
    ),
    Broken(
        "provisioned as another machine",
        {"/var/lib/waagent/provisioned": "11111111-2222-3333-4444-555555555555"},
        ("clean.agent-lib",),
        ("run.boot-ssh",),
        "Succeeded",
        provisioner="waagent",
    ),
)
