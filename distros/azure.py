"""What Azure wants of every distribution alike: configuration texts that several recipes share."""

from importlib.resources import files

from distros.recipe import TextFile

KVP_REPORTING = TextFile(
    "/etc/cloud/cloud.cfg.d/10-azure-kvp.cfg",
    # Lower case throughout: cloud-init ignores the capital R of one vendor page's example.
    """\
reporting:
  logging:
    type: log
  telemetry:
    type: hyperv
""",
)

KVP_POOL = TextFile(
    # cloud-init may report before the daemon has made the file, and then complains at each event.
    "/var/lib/hyperv/.kvp_pool_1",
    "",
)

AZURE_DATASOURCE = TextFile("/etc/cloud/cloud.cfg.d/91-azure_datasource.cfg", "datasource_list: [ Azure ]\n")

CLOUD_INIT_DISABLED = TextFile(
    "/etc/cloud/cloud-init.disabled", "A specialized image keeps its own name and users: nothing provisions it.\n"
)

SSH_KEEPALIVE = TextFile(
    "/etc/ssh/sshd_config.d/50-azure.conf",
    "# Azure's load balancer forgets a connection that is idle for four minutes.\nClientAliveInterval 180\n",
)

CHRONY = """\
# Time comes from the host by way of the Hyper-V clock; Azure has no need of NTP servers.
refclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0 stratum 2
makestep 1.0 -1
driftfile /var/lib/chrony/chrony.drift
keyfile /etc/chrony/chrony.keys
logdir /var/log/chrony
maxupdateskew 100.0
rtcsync
"""

PTP_LINK = TextFile(
    "/etc/udev/rules.d/60-ptp-hyperv.rules",
    'SUBSYSTEM=="ptp", ATTR{clock_name}=="hyperv", SYMLINK+="ptp_hyperv"\n',
)

UNMANAGED_SRIOV = TextFile(
    "/etc/systemd/network/01-azure-unmanaged-sriov.network",
    """\
# An SR-IOV function is driven through its hv_netvsc master and must get no address of its own.
# The name sorts before netplan's 10-netplan-*: the first file that matches decides.
[Match]
Driver=mlx4_en mlx4_core mlx5_core mana

[Link]
Unmanaged=yes
""",
)

NETPLAN_DHCP = TextFile(
    "/etc/netplan/90-default.yaml",
    """\
network:
  version: 2
  ethernets:
    all-ethernet:
      match:
        name: "e*"
      dhcp4: true
      dhcp6: true
      # Azure's machines of one network find each other by their short names. netplan wants both alike.
      dhcp4-overrides:
        use-domains: true
      dhcp6-overrides:
        use-domains: true
""",
    0o600,
)

HOST_KEYS_UNIT = TextFile(
    "/etc/systemd/system/kiln-host-keys.service",
    """\
[Unit]
Description=Make this machine's own SSH host keys at its first boot
ConditionPathExists=!/etc/ssh/ssh_host_rsa_key
Before=ssh.service sshd.service walinuxagent.service waagent.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
""",
)

PUBLISH_NAME = (
    TextFile(
        "/etc/systemd/system/kiln-publish-name.path",
        """\
[Unit]
Description=Notice that this machine gets its name
Before=walinuxagent.service waagent.service

[Path]
PathChanged=/etc/hostname

[Install]
WantedBy=multi-user.target
""",
    ),
    TextFile(
        "/etc/systemd/system/kiln-publish-name.service",
        """\
[Unit]
Description=Tell Azure the name by a DHCP request

[Service]
Type=oneshot
ExecStart=/usr/bin/systemctl restart systemd-networkd.service
""",
    ),
)
"""The agent sets the name after the network is up, and on Debian restarts interfaces by ifupdown alone, which is not
there: Azure's DNS, which learns names from DHCP, would never hear of it."""


def report_ready_unit(network: str) -> TextFile:
    """The unit that provisions without an agent; `network` is the unit whose restart asks DHCP for the name anew.

    Python is named in full: systemd may not start a script in /usr/lib where SELinux enforces.
    """
    return TextFile(
        "/etc/systemd/system/kiln-report-ready.service",
        f"""\
[Unit]
Description=Take over name, administrator and key from Azure and report ready
Wants=network-online.target
After=network-online.target kiln-host-keys.service
ConditionPathExists=!/var/lib/kiln/provisioned

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 /usr/lib/kiln/report-ready {network}
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
""",
    )


REPORT_READY_UNIT = report_ready_unit("systemd-networkd.service")

GROW_ROOT = (
    TextFile(
        "/usr/lib/kiln/grow-root",
        """\
#!/bin/sh
# Grow the root partition and its ext4 to the size of the disk, which Azure may have made larger than the image.
set -eu
root=$(findmnt --noheadings --output SOURCE /)
disk=/dev/$(lsblk --noheadings --nodeps --output PKNAME "$root")
# growpart says 1 where there is nothing to grow.
growpart "$disk" "$(cat "/sys/class/block/${root##*/}/partition")" || [ $? = 1 ]
resize2fs "$root"
""",
        0o755,
    ),
    TextFile(
        "/etc/systemd/system/kiln-grow-root.service",
        """\
[Unit]
Description=Grow the root file system to the size of the disk
After=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /usr/lib/kiln/grow-root

[Install]
WantedBy=multi-user.target
""",
    ),
)
"""For distributions whose initramfs does not grow the root; cloud-init does, where it provisions."""

REPORT_READY = TextFile(
    "/usr/lib/kiln/report-ready", (files("distros") / "guest" / "report-ready").read_text(encoding="utf-8"), 0o755
)
