"""What a booted guest says of itself, gathered in one go: under emulation each login and program costs a second."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.deadline import Gone
from harness.expected import RAN
from harness.guest import Guest
from harness.vm import IMDS

MARK = "==kiln=="
ASK_IMDS = "GET /metadata/instance/compute?api-version=2021-08-01 HTTP/1.0\\r\\nMetadata: true\\r\\n\\r\\n"

QUESTIONS: Mapping[str, str] = {
    "state": "systemctl is-system-running --wait",
    "cloud-init": "command -v cloud-init >/dev/null && cloud-init status --wait --long"
    " | sed 's/^\\.*//'",  # while it waits, it prints a dot again and again
    "failed": "systemctl list-units --failed --plain --no-legend",
    # A system that is "running" has none that failed, and a look at its units costs half a second under emulation.
    "failed-log": '{ read -r mark; read -r state; } <$kept/state; test running = "$state" ||'
    " for unit in $(systemctl list-units --failed --plain --no-legend | cut -d' ' -f1); do"
    " journalctl -b --no-pager -o cat -n 12 -u $unit; done",
    "kernel-name": "uname -n",
    "kernel": "uname -r",
    "static-name": "hostnamectl --static",
    "transient-name": "hostnamectl --transient",
    "hosts": "cat /etc/hosts",
    "resolved-name": 'getent hosts "$(uname -n)"',
    "machine-id": "cat /etc/machine-id",
    "boot-id": "cat /proc/sys/kernel/random/boot_id",
    "host-keys": "cat /etc/ssh/ssh_host_*_key.pub",
    "root-bytes": "findmnt -nbo SIZE /",
    "disk-bytes": "lsblk -bndo SIZE $(lsblk -npso NAME $(findmnt -no SOURCE /) | grep -o '/dev/.*' | tail -n 1)",
    "disks": "lsblk -bnPo NAME,TYPE,SIZE,FSTYPE,MOUNTPOINT,PKNAME",
    "root-device": "findmnt -no SOURCE /",
    "partitions": "lsblk -bnlpo TYPE,NAME,SIZE | sed -n 's/^part  *//p'",
    "virtualization": "systemd-detect-virt",
    "firmware": "test -d /sys/firmware/efi && echo UEFI || echo BIOS",
    "secure-boot": "od -An -t u1 /sys/firmware/efi/efivars/SecureBoot-* 2>/dev/null",
    "tpm": "cat /sys/class/tpm/tpm0/tpm_version_major",
    "result": "cat /run/cloud-init/result.json",
    "cloud-id": "cat /run/cloud-init/cloud-id",
    "agent": "systemctl is-active walinuxagent.service waagent.service",
    "agent-log": "tail -n 30 /var/log/waagent.log",
    "custom-data": "cat /var/lib/cloud/instance/user-data.txt /var/lib/kiln/custom-data | base64 -w0;"
    " cat /var/lib/waagent/CustomData",
    # By the shell's own sockets: Python alone needs two seconds to start under emulation.
    "imds": f'timeout 30 bash -c \'exec 3<>/dev/tcp/{IMDS}/80; printf "{ASK_IMDS}" >&3; sed "1,/^.$/d" <&3\'',
    "disc-name": "sed -nE 's/.*<(\\w+:)?HostName>([^<]*)<.*/\\2/p' /var/lib/waagent/ovf-env.xml",
    "ran": f"cat {RAN}",
    "units": "systemctl show -p ActiveEnterTimestampMonotonic ssh.service sshd.service cloud-final.service",
    "fstab": "cat /etc/fstab",
    "swap": "swapon --noheadings --show",
    "ptp": "ls -d /dev/ptp_hyperv",
    "provisioned": "ls -d /var/lib/waagent/provisioned /var/lib/cloud/instance /var/lib/kiln/provisioned",
    "users": "getent passwd | awk -F: '$3 >= 1000 && $3 < 60000 { print $1 }'",
    "uptime": "cut -d' ' -f1 /proc/uptime",
}
"""What is asked, and by which shell command as root. The last tells when all was asked."""
WAITING = ("state", "cloud-init")
"""The questions that wait until the boot is done, systemd's by its jobs and cloud-init's by its stages."""
UNCHANGING = (
    *("kernel", "machine-id", "boot-id", "host-keys", "root-device", "disk-bytes"),
    *("virtualization", "firmware", "secure-boot", "tpm", "imds", "ptp"),
)
"""The questions whose answers are settled once anybody can log in: they are asked while the boot goes on."""


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
    def settled(self) -> float:
        """Seconds of the guest's own clock until SSH was up and cloud-init had finished; 0 where it does not tell."""
        return max((int(line.rpartition("=")[2] or 0) for line in self.lines("units")), default=0) / 1e6

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
    """All questions as one shell script: while the boot goes on those that wait for its end and those that need not,
    then all the others at once, for a guest has processors to spare then, and programs that must start are what takes
    long."""
    during = [one for one in QUESTIONS.items() if one[0] in (*WAITING, *UNCHANGING)]
    *together, last = (one for one in QUESTIONS.items() if one not in during)
    return "\n".join(
        (
            "kept=$(mktemp -d /run/kiln-XXXXXX)",
            *(f"{_answered(*one)} &" for one in during),
            "hostnamectl >/dev/null 2>&1 &",  # the service that it asks takes a second to start
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
