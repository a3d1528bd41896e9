"""Two machines before their hosts, at one set of addresses, for `harness.sandbox.run_sealed`; who was answered by whom,
as JSON."""

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from build.command import run
from harness.azure import dhcp
from harness.azure.dhcp import Message, decode, encode
from harness.azure.frames import BROADCAST_ADDRESS, BROADCAST_MAC, IPV4, udp_frame
from harness.azure.host import AzureHost
from harness.azure.network import azure_network
from harness.azure.server import serve
from harness.azure.services import services
from harness.deadline import Deadline
from harness.names import resolve
from harness.vm import IMDS, WIRESERVER, VirtualMachine
from tests.harness.azure.machines import GENERALIZED

OTHER = replace(GENERALIZED, name="vm-beta", mac="60:45:bd:00:00:05", address="10.0.0.5")
NAME = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"


def main(request: Mapping[str, Any]) -> int:
    """Write `facts.json` into the request's folder."""
    folder = Path(request["folder"])
    run("ip", "link", "add", "host0", "type", "veth", "peer", "name", "guests0")
    for name in ("host0", "guests0"):
        run("ip", "link", "set", name, "up")
    first, second = AzureHost(GENERALIZED), AzureHost(OTHER)
    told: dict[str, Any] = {}
    with azure_network("host0", first, folder) as network:
        members, bindings = network.members, services(first)
        desks = [one._replace(app=members.desk(one.source)) for one in bindings]
        with serve(desks, first.journal, members.journal_of):
            members.open(first, {one.source: one.app for one in bindings})
            with network.join(second):
                members.open(second, {one.source: one.app for one in services(second)})
                _until_read_again(folder)
                told["leases"] = {_lease(vm): vm.mac for vm in (GENERALIZED, OTHER)}
                for address in ("10.0.0.4", "10.0.0.5", "10.0.0.6"):
                    run("ip", "address", "add", f"{address}/32", "dev", "lo")
                told["names"] = {vm.address: _name(vm.address)[1] for vm in (GENERALIZED, OTHER)}
                told["stranger"] = _name("10.0.0.6")[0]
                told["resolved"] = [resolve(WIRESERVER, f"{vm.name}.{vm.domain}") for vm in (GENERALIZED, OTHER)]
                for host in (first, second):
                    _ask_from(host)
            _until_read_again(folder, 3)
            told["gone"] = _lease(OTHER, 0.5)
    hosts = {"first": first, "second": second}
    told["exchanges"] = {
        name: [one.details["client"] for one in host.journal.find("imds")] for name, host in hosts.items()
    }
    told["questions"] = {name: _questions(host) for name, host in hosts.items()}
    (folder / "facts.json").write_text(json.dumps(told))
    return 0


def _until_read_again(folder: Path, times: int = 2) -> None:
    log = folder / "dnsmasq.log"
    Deadline.after(5).until("the hosts", lambda: log.read_text().count("hosts\n") >= times or None, every=0.05)


def _lease(vm: VirtualMachine, patience: float = 5.0) -> str | None:
    """The address that a machine's card is leased, or the kind of another answer; None for silence."""
    mac = bytes.fromhex(vm.mac.replace(":", ""))
    options = (
        (dhcp.TYPE, b"\3"),
        (dhcp.HOST_NAME, vm.name.encode()),
        (dhcp.REQUESTED_ADDRESS, IPv4Address(vm.address).packed),
    )
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV4)) as wire:
        wire.bind(("guests0", IPV4))
        wire.settimeout(patience)
        pair = dhcp.NOWHERE, BROADCAST_ADDRESS
        wire.send(udp_frame((mac, BROADCAST_MAC), pair, (68, 67), encode(Message(1, mac[-1], mac, options))))
        try:
            while True:
                frame = wire.recv(65535)
                if frame[23] == 17 and frame[36:38] == b"\0\x44" and (answer := decode(frame[42:])).op == 2:
                    return str(answer.yiaddr) if answer.type == "ACK" else answer.type
        except TimeoutError:
            return None


def _name(address: str) -> tuple[int, str]:
    """What the metadata service answers whoever asks from this address for his name."""
    asking = http.client.HTTPConnection(IMDS, 80, timeout=5, source_address=(address, 0))
    asking.request("GET", NAME, headers={"Metadata": "true"})
    answer = asking.getresponse()
    return answer.status, answer.read().decode()


def _ask_from(host: AzureHost) -> None:
    """Ask the name server something from this machine's address, and wait until its host has heard of it."""
    question = b"\0\7\1\0\0\1\0\0\0\0\0\0\5where\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind((host.vm.address, 0))
        asker.sendto(question, (WIRESERVER, 53))
    Deadline.after(5).until("the question", lambda: _questions(host) or None, every=0.05)


def _questions(host: AzureHost) -> list[str]:
    """From where the name that both ask for was asked."""
    return [str(one.details["client"]) for one in host.journal.find("dns") if one.details["name"] == "where"]
