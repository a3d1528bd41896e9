"""What each new machine of an image does once, baked into it."""

from dataclasses import dataclass
from pathlib import Path

from build.command import CommandFailed
from build.spec.complaint import Unfit
from build.spec.value import CLOUD_CONFIG, Content, first_boot_kind
from build.workspace import Workspace

FIRST_BOOT_UNIT = "kiln-first-boot.service"
FIRST_BOOT_SCRIPT = "/usr/lib/kiln/first-boot"
FIRST_BOOT_DONE = "/var/lib/kiln/first-boot-done"
CLOUD_CONFIGURATION = "/etc/cloud/cloud.cfg.d/95-first-boot.cfg"
UNIT = f"""\
[Unit]
Description=What this image's author has each new machine do once
Wants=network-online.target
After=network-online.target multi-user.target
After=cloud-final.service walinuxagent.service waagent.service kiln-report-ready.service
ConditionPathExists=!{FIRST_BOOT_DONE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={FIRST_BOOT_SCRIPT}
ExecStartPost=/bin/mkdir -p {Path(FIRST_BOOT_DONE).parent}
ExecStartPost=/bin/touch {FIRST_BOOT_DONE}

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class BakeFirstBoot:
    """What each new machine does once: cloud-config as cloud-init's defaults, which the customer's own data overrides;
    a script by a unit of ours, whatever sets the machine up."""

    content: Content

    def describe(self) -> str:
        """Its title, and what it comes to; of a secret only where it comes from."""
        secret = f" (secret from {self.content.secret})" if self.content.secret else ""
        return f"Bake the first boot's {first_boot_kind(self.content)} into the image{secret}"

    def run(self, work: Workspace) -> None:
        """The image's own cloud-init judges cloud-config: at boot it would skip what it does not understand."""
        text = self.content.read()
        if first_boot_kind(self.content) == CLOUD_CONFIG:
            work.write(CLOUD_CONFIGURATION, text, 0o600 if self.content.secret else 0o644)
            try:
                work.inside("cloud-init", "schema", "--config-file", CLOUD_CONFIGURATION)
            except CommandFailed as failure:
                raise Unfit(
                    *("first_boot.user_data", ""),
                    "this is no valid cloud-config:\n" + "\n".join(failure.output.splitlines()[-12:]),
                    "cloud-init's documentation has every module's keys",
                ) from None
            return
        work.write(FIRST_BOOT_SCRIPT, text, 0o700 if self.content.secret else 0o755)
        work.write(f"/etc/systemd/system/{FIRST_BOOT_UNIT}", UNIT)
        work.inside("systemctl", "enable", FIRST_BOOT_UNIT)
