"""What a booted guest says of itself, gathered in one go: under emulation each login and program costs a second."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.deadline import Gone
from harness.expected import RAN
from harness.guest import Guest
from harness.vm import IMDS

MARK = "==kiln=="
FIELD = re.compile(r'(\w+)="([^"]*)"')
"""One of lsblk's pairs (`lsblk -P`)."""
ASK_IMDS = "GET /metadata/instance/compute?api-version=2021-08-01 HTTP/1.0\\r\\nMetadata: true\\r\\n\\r\\n"

AGENTS = ("walinuxagent.service", "waagent.service")
SETTLING = ("ssh.service", "sshd.service", "cloud-final.service")
FIRST_STAGE = "cloud-init-local.service"
"""cloud-init's first stage: it asks the host for all, and reports."""
UNITS = (*SETTLING, FIRST_STAGE, *AGENTS)
PROVISIONED = ("/var/lib/waagent/provisioned", "/var/lib/cloud/instance", "/var/lib/kiln/provisioned")
"""What the provisioners leave behind once they have acted."""

QUESTIONS: Mapping[str, str] = {
    "state": "systemctl is-system-running --wait",
    # A system that is "running" has none that failed, and a look at its units costs half a second under emulation.
    # Of a program that ends at once the journal may not know the unit, but its name.
    "failed": '{ read -r mark; read -r state; } <$kept/state; test running = "$state" ||'
    " for unit in $(systemctl list-units --failed --plain --no-legend | cut -d' ' -f1); do"
    ' echo "$unit"; name=${unit%.service}; journalctl -b --no-pager -o cat -n 12 _SYSTEMD_UNIT=$unit + UNIT=$unit'
    ' + SYSLOG_IDENTIFIER=$name + SYSLOG_IDENTIFIER=${name}d | sed "s/^/  /"; done',
    "kernel-name": "show /proc/sys/kernel/hostname",
    "static-name": "hostnamectl --static",
    "transient-name": "hostnamectl --transient",
    "hosts": "show /etc/hosts",
    "resolved-name": 'getent hosts "$(uname -n)"',
    "machine-id": "show /etc/machine-id",
    "host-keys": "cat /etc/ssh/ssh_host_*_key.pub",
    "vm-id": "show /sys/class/dmi/id/product_uuid",
    "instance-id": "show /var/lib/cloud/data/instance-id",
    "root-bytes": "findmnt -nbo SIZE /",
    "root-device": "findmnt -no SOURCE /",
    "disks": "lsblk -bnPpo NAME,TYPE,SIZE,FSTYPE,MOUNTPOINT,PKNAME,UUID,LABEL,PARTUUID",
    "cmdline": "show /proc/cmdline",
    "firmware": "test -d /sys/firmware/efi && echo UEFI || echo BIOS",
    "secure-boot": "od -An -t u1 /sys/firmware/efi/efivars/SecureBoot-* 2>/dev/null",
    "tpm": "show /sys/class/tpm/tpm0/tpm_version_major",
    "status": "show /run/cloud-init/status.json",
    # In cloud-init's own words: it then asks for nothing anew at a machine's later boots.
    "network-left": "grep -om1 'network config is disabled' /var/log/cloud-init.log",
    "result": "show /run/cloud-init/result.json",
    "agent-log": "tail -n 30 /var/log/waagent.log",
    "custom-data": "cat /var/lib/cloud/instance/user-data.txt /var/lib/kiln/custom-data | base64 -w0;"
    " cat /var/lib/waagent/CustomData",
    # By the shell's own sockets: Python alone needs two seconds to start under emulation.
    "imds": f'timeout 30 bash -c \'exec 3<>/dev/tcp/{IMDS}/80; printf "{ASK_IMDS}" >&3; sed "1,/^.$/d" <&3\'',
    "disc-name": "sed -nE 's/.*<(\\w+:)?HostName>([^<]*)<.*/\\2/p' /var/lib/waagent/ovf-env.xml",
    "ran": f"show {RAN}",
    "units": f"systemctl show -p Id,ActiveState,ActiveEnterTimestampMonotonic {' '.join(UNITS)}",
    "swap": "show /proc/swaps",
    "ptp": "test -e /dev/ptp_hyperv && echo /dev/ptp_hyperv",
    "provisioned": f"for one in {' '.join(PROVISIONED)}; do test -e $one && echo $one; done",
    "fstab": "show /etc/fstab",
    "users": "getent passwd | awk -F: '$3 >= 1000 && $3 < 60000 { print $1 }'",
    "uptime": "show /proc/uptime",
}
"""What is asked, and by which shell command as root; `show` prints a file without starting a program. The last tells
when all was asked."""
DURING = (
    *("state", "machine-id", "host-keys", "root-device"),
    *("firmware", "secure-boot", "tpm", "imds", "ptp"),
    *("disc-name", "users", "fstab"),
)
"""The questions that are asked while the boot goes on: the first waits for its end, which cloud-init's stages are part
of; the answers to the others are settled once anybody can log in."""
SHOW = 'show() { while IFS= read -r line || test -n "$line"; do printf \'%s\\n\' "$line"; done <"$1"; }'

HASTE = "{ echo -20 >/proc/self/autogroup; } 2>/dev/null"
"""The questions come when the agent begins, which keeps every processor busy for seconds: they go first (sched(7))."""
WAKE = "hostnamectl --static >/dev/null 2>&1 &"
"""The service that it asks takes a second to start, and no boot is over while it does: first of all."""


@dataclass(frozen=True)
class GuestFacts:
    """The answers of one boot, by the names of QUESTIONS; a question that failed has what it printed, maybe nothing."""

    answers: Mapping[str, str]
    host_key: str = ""

    def __getitem__(self, name: str) -> str:
        """An answer without the white space around it."""
        return self.answers.get(name, "").strip()

    def lines(self, name: str) -> list[str]:
        """An answer's lines that are not empty."""
        return [line.strip() for line in self[name].splitlines() if line.strip()]

    def number(self, name: str) -> int:
        """An answer as a number, -1 where it is none."""
        word = self[name].split()[-1:] or [""]
        return int(word[0]) if word[0].isdigit() else -1

    @property
    def failed(self) -> Mapping[str, list[str]]:
        """The units that have failed, with the last lines of their logs, which are indented in the answer."""
        logs: dict[str, list[str]] = {}
        for line in self["failed"].splitlines():
            if line.startswith(" "):
                logs[list(logs)[-1]].append(line.strip())
            else:
                logs[line] = []
        return logs

    @property
    def disks(self) -> list[dict[str, str]]:
        """All block devices, each by lsblk's columns, sizes in bytes."""
        return [dict(FIELD.findall(line)) for line in self.lines("disks")]

    @property
    def partitions(self) -> dict[str, int]:
        """The size of each partition, in bytes, by its device."""
        return {one["NAME"]: int(one["SIZE"]) for one in self.disks if one.get("TYPE") == "part"}

    @property
    def units(self) -> dict[str, dict[str, str]]:
        """The properties of the units that were asked for, by their names: `systemctl show` parts units by a line."""
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in self["units"].split("\n\n")]
        return {block["Id"]: block for block in blocks if "Id" in block}

    @property
    def settled(self) -> float:
        """Seconds of the guest's own clock until SSH was up and cloud-init had finished; 0 where it does not tell."""
        return max(map(self._entered, SETTLING))

    @property
    def asked_until(self) -> float:
        """Seconds of the guest's own clock until cloud-init had done with its host; 0 where it does not tell."""
        return self._entered(FIRST_STAGE)

    def _entered(self, unit: str) -> float:
        """When the unit became active, in seconds of the guest's own clock; 0 where it is not told."""
        return int(self.units.get(unit, {}).get("ActiveEnterTimestampMonotonic", "0")) / 1e6

    def json(self, name: str) -> dict[str, Any]:
        """An answer that is a JSON object, an empty one where it is none."""
        try:
            found = json.loads(self[name])
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def ask(guest: Guest, timeout: float) -> GuestFacts:
    """Put all questions to a guest that answers SSH.

    `timeout` is how long the guest may be silent, in seconds. Raises Gone or TooLate.
    """
    answers = parse(guest.run(script(), sudo=True, timeout=timeout, fresh=True).stdout)
    if unanswered := [name for name in QUESTIONS if name not in answers]:
        raise Gone(f"the guest broke off before it answered all: {unanswered[0]} was next")
    return GuestFacts(answers, guest.host_key)


def script() -> str:
    """All questions as one shell script: while the boot goes on the one that waits for its end and those that need not,
    then all the others at once, for a guest has processors to spare then, and programs that must start are what takes
    long."""
    during = [one for one in QUESTIONS.items() if one[0] in DURING]
    *together, last = (one for one in QUESTIONS.items() if one not in during)
    return "\n".join(
        (
            SHOW,
            HASTE,
            WAKE,
            "kept=$(mktemp -d /run/kiln-XXXXXX)",
            *(f"{_answered(*one)} &" for one in during),
            "wait",
            *(f"{_answered(*one)} &" for one in together),
            "wait",
            _answered(*last),
            "cat $kept/*; rm -r $kept",
        )
    )


def _answered(name: str, command: str) -> str:
    """The command with its answer in a file, under a mark: one program then prints all answers."""
    return f"{{\necho '{MARK}{name}'\n{command}\necho\n}} >$kept/{name} 2>/dev/null"


def parse(printed: str) -> dict[str, str]:
    """The answers by their names, from what the script printed."""
    answers: dict[str, list[str]] = {}
    current: list[str] = []
    for line in printed.splitlines():
        if line.startswith(MARK):
            current = answers.setdefault(line.removeprefix(MARK), [])
        else:
            current.append(line)
    return {name: "\n".join(lines).strip("\n") for name, lines in answers.items()}
