"""Leases that end, a guest that is moved when it renews its own, and nobody who resolves names; for `run_sealed`."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from build.command import run
from harness.azure.dhcp import HOST_NAME, REQUESTED_ADDRESS, SERVER_ID, TYPE, Message
from harness.azure.dhcp_relay import NODE, Answer, asking_dnsmasq
from harness.azure.dnsmasq import Settings, dnsmasq
from harness.azure.host import AzureHost
from harness.azure.members import Members
from harness.deadline import Deadline
from harness.names import resolve, reverse
from harness.vm import WIRESERVER
from tests.harness.azure.machines import GENERALIZED as VM

DISCOVER, REQUEST = 1, 3
MOVED = "10.0.0.9"


def main(request: Mapping[str, Any]) -> int:
    """Write `facts.json` into the request's folder."""
    folder, host = Path(request["folder"]), AzureHost(VM)
    run("ip", "link", "add", "host0", "type", "veth", "peer", "name", "guest0")
    for name in ("host0", "guest0"):
        run("ip", "link", "set", name, "up")
    for address in (f"{VM.router}/{VM.prefix}", f"{WIRESERVER}/32"):
        run("ip", "address", "add", address, "dev", "host0")
    told: dict[str, Any] = {}
    members = Members(host)
    with dnsmasq(VM, members, folder, Settings(lease=120)) as changed, asking_dnsmasq(VM) as answer:
        told["first"] = [_say(answer, DISCOVER), _say(answer, REQUEST, VM.address)]
        members.lease(host, VM.mac, MOVED)
        changed()
        log = folder / "dnsmasq.log"
        Deadline.after(5).until("the hosts", lambda: log.read_text().count("hosts\n") >= 2 or None, every=0.05)
        told["renewal"] = _say(answer, REQUEST, have=VM.address)
        told["then"] = [_say(answer, DISCOVER), _say(answer, REQUEST, MOVED)]
        told["names"] = [resolve(WIRESERVER, f"{VM.name}.{VM.domain}"), reverse(WIRESERVER, MOVED)]
    with dnsmasq(VM, Members(host), folder, Settings(names=False)), asking_dnsmasq(VM) as answer:
        told["nameless"] = _say(answer, DISCOVER)
        try:
            resolve(WIRESERVER, f"{VM.name}.{VM.domain}")
        except OSError:
            told["unresolved"] = True
    (folder / "facts.json").write_text(json.dumps(told))
    return 0


def _say(answer: Answer, kind: int, wanted: str = "", have: str = "0.0.0.0") -> list[str]:
    """The answer's type, address and lease in seconds."""
    options = [(TYPE, bytes([kind])), (HOST_NAME, VM.name.encode())]
    if wanted:
        options += [(REQUESTED_ADDRESS, IPv4Address(wanted).packed), (SERVER_ID, NODE.packed)]
    chaddr = bytes.fromhex(VM.mac.replace(":", ""))
    reply = answer(Message(1, 9, chaddr, tuple(options), ciaddr=IPv4Address(have)))
    return [reply.type, str(reply.yiaddr), (reply.option(51) or b"").hex()] if reply else []
