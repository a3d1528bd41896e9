"""What booted guests say of themselves: the facts of a sound Debian machine, and hosts that saw it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.azure.host import AzureHost
from harness.evidence import GuestFacts
from harness.expected import CUSTOM_DATA, RAN, USER_DATA, Expected
from harness.machines import GEN2
from harness.profile import Profile
from harness.vm import OSProfile, VirtualMachine
from tests.harness.azure.machines import GENERALIZED, SPECIALIZED

NAME, ADMIN = "kiln-vm", "azureuser"
OS_PROFILE = OSProfile(NAME, ADMIN, ("ssh-ed25519 AAAA kiln",), "", CUSTOM_DATA, USER_DATA)
VM = replace(GENERALIZED, name=NAME, os_profile=OS_PROFILE)
CLOUD_INIT = Profile((2,), "generalized", "cloud-init", "debian")
SPECIALIZED_PROFILE = replace(CLOUD_INIT, kind="specialized")
EXPECTED = Expected(NAME, ADMIN, VM.address, CUSTOM_DATA, USER_DATA, True, 34 << 30, GEN2, "azure", NAME, NAME)
SWAP = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"


def units(agent: str, local: int = 12) -> str:
    """What `systemctl show` tells of the units while the agent's is in that state; `local` is the second in which
    cloud-init's first stage ended."""
    told = {"ssh": ("active", 31), "sshd": ("inactive", 0), "cloud-final": ("active", 71), "walinuxagent": (agent, 50)}
    told["cloud-init-local"] = ("active", local)
    blocks = (
        f"Id={name}.service\nActiveState={state}\nActiveEnterTimestampMonotonic={second * 1_000_000}"
        for name, (state, second) in told.items()
    )
    return "\n\n".join(blocks)


ANSWERS = {
    "state": "running",
    "status": json.dumps({"v1": {"datasource": "DataSourceAzure [seed=/dev/sr0]", "stage": None}}),
    "failed": "",
    "kernel-name": NAME,
    "static-name": NAME,
    "transient-name": NAME,
    "hosts": f"127.0.0.1\tlocalhost\n127.0.1.1\t{NAME}\n# a comment\n::1 localhost ip6-localhost ip6-loopback",
    "resolved-name": f"127.0.1.1       {NAME}",
    "machine-id": "c272f6090002000000ab113253119512",
    "host-keys": "ssh-ed25519 AAAAone root@kiln-vm\nssh-rsa AAAAtwo root@kiln-vm",
    "root-bytes": str(33 << 30),
    "firmware": "UEFI",
    "result": json.dumps({"v1": {"datasource": "DataSourceAzure [seed=/dev/sr0]", "errors": []}}),
    "agent-log": "INFO Daemon Agent WALinuxAgent-2.12.0.2 is running",
    "custom-data": base64.b64encode(CUSTOM_DATA).decode(),
    "imds": json.dumps(
        {
            "vmId": str(VM.vm_id),
            "osProfile": {"computerName": NAME},
            "userData": base64.b64encode(USER_DATA).decode(),
        }
    ),
    "disc-name": NAME,
    "ran": NAME,
    "uptime": "83.92",
    "disks": f'NAME="/dev/sda" TYPE="disk" SIZE="{34 << 30}"\nNAME="/dev/sda1" TYPE="part" SIZE="{33 << 30}"',
    "units": units("active"),
    "swap": SWAP,
    "ptp": "",
    "provisioned": "/var/lib/cloud/instance",
    "users": ADMIN,
}
assert RAN.encode() in CUSTOM_DATA


def guest(**changes: str) -> GuestFacts:
    """The sound guest, with other answers; a question's dashes are underscores here."""
    return GuestFacts({**ANSWERS, **{name.replace("_", "-"): answer for name, answer in changes.items()}})


def host(*states: str, vm: VirtualMachine = VM, client: str = "cloud-init", ejected: bool = True) -> AzureHost:
    """A host that heard these states: Failed is failed provisioning, Stranger a Ready of another machine."""
    made = AzureHost(vm)
    for state in states:
        substatus = {"Failed": "ProvisioningFailed", "NotReady": "Provisioning"}.get(state, "")
        word = {"Failed": "NotReady", "Stranger": "Ready"}.get(state, state)
        made.take_health(word, substatus, "no key was found" if substatus else "", client, state != "Stranger")
    if ejected:
        made.take_eject()
    return made


def facts(**changes: Any) -> Mapping[str, Any]:
    """All that the checks may ask for after a sound first boot."""
    return {
        "profile": CLOUD_INIT,
        "expected": EXPECTED,
        "ending": "",
        "console": "[    0.000000] Linux version 6.12\nkiln-vm login: ",
        "host": host("Ready"),
        "hostnames": (NAME,),
        "published": (VM.address,),
        "reversed_name": (f"{NAME}.internal",),
        "agent_name": NAME,
        "dhcp_ids": ("01:60:45:bd:00:00:04",),
        "first_names": (NAME,),
        "guest": guest(),
        **changes,
    }


def specialized_facts(**changes: Any) -> Mapping[str, Any]:
    """The same for a specialized machine, which has its own name and administrator."""
    answers = {"provisioned": "", "imds": json.dumps({"vmId": str(SPECIALIZED.vm_id)}), "disc_name": ""}
    return facts(
        **{
            "profile": SPECIALIZED_PROFILE,
            "host": host(vm=SPECIALIZED, ejected=False),
            "guest": guest(**answers),
            **changes,
        }
    )
