"""Runs that share a boot: which can, and what each is given."""

import os
import re
import socket
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from harness.azure.faults import HttpFault, Window
from harness.azure.frames import udp_frame
from harness.faults import choose
from harness.fork import Fork, unlike
from harness.injection import Injection
from harness.lasting import lasting_in
from harness.machines import GEN1, GEN2, NVME, TRUSTED, MachineProfile
from harness.qemu import CONSOLE
from harness.scenario import SCENARIOS, find_scenario
from harness.stint import Stint
from harness.trunk import BEGINS, is_dhcp_request, overhearing


def begins(line: str) -> bool:
    return re.search(BEGINS, line) is not None


@pytest.mark.parametrize("machine", [GEN1, GEN2])
@pytest.mark.parametrize("name", ["first-boot", "reboot", "rename", "redeploy", "no-imds"])
def test_shares_a_first_boot(machine: MachineProfile, name: str) -> None:
    assert unlike(machine, "azure", find_scenario(name).stints[0]) == ""


@pytest.mark.parametrize(
    ("machine", "seed", "stint", "reason"),
    [
        (GEN2, "nocloud", Stint(), "other arguments"),
        (NVME, "azure", Stint(), "NVMe"),
        (TRUSTED, "azure", Stint(), "TPM"),
        (GEN2, "azure", Stint(clock=60), "hardware"),
        (GEN2, "azure", Stint(data_disks=(1 << 30,)), "hardware"),
        (GEN1, "azure", Stint(pool="Savable"), "hardware"),
        (GEN2, "azure", Stint(resource_disk=1 << 30), "hardware"),
        (GEN1, "azure", Stint(more_cards=1), "hardware"),
        (GEN2, "azure", Stint(vm="second"), "another machine"),
        (GEN2, "azure", Stint(fresh=False), "another machine"),
    ],
)
def test_shares_nothing_that_differs_before(machine: MachineProfile, seed: str, stint: Stint, reason: str) -> None:
    assert reason in unlike(machine, seed, stint)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("imds-500", ""),
        ("dvd-empty", ""),
        ("link-loss", ""),
        ("dvd-unreadable", "hardware"),
        ("dvd-vdb-decoy", "hardware"),
        ("nic-hotplug", "hardware"),
        ("clock=-1", "hardware"),
    ],
)
def test_shares_a_boot_with_faults_that_come_later(words: str, reason: str) -> None:
    found = unlike(GEN2, "azure", Stint(), choose(words).injection)
    assert reason in found
    assert bool(found) == bool(reason)


def test_shares_no_boot_where_seconds_count_from_its_beginning() -> None:
    injection = Injection(http=(HttpFault("imds", status=500, window=Window(begins=5)),))
    assert "counted from when it was switched on" in unlike(GEN2, "azure", Stint(), injection)


def test_no_later_stint_goes_on_from_a_first_boot() -> None:
    later = [stint for scenario in SCENARIOS for stint in scenario.stints[1:]]
    assert later
    assert all(unlike(GEN2, "azure", stint) for stint in later)


@pytest.mark.parametrize("by_uefi", [False, True])
def test_gives_each_run_its_own_files(by_uefi: bool, tmp_path: Path) -> None:
    trunk, run = tmp_path / "trunk", tmp_path / "run"
    for folder in (trunk, run):
        folder.mkdir()
    saved, own = lasting_in(trunk), lasting_in(run, "mine")
    for path in (saved.disk, trunk / CONSOLE, *((saved.variables,) if by_uefi else ())):
        path.write_text(path.name)
    Fork(trunk).lay(own, run)
    assert own.disk.read_text() == saved.disk.name
    assert (run / CONSOLE).read_text() == CONSOLE
    assert own.variables.exists() == by_uefi
    if by_uefi:
        assert own.variables.read_text() == saved.variables.name


@pytest.mark.parametrize(
    "line",
    [
        "         Starting cloud-init-local.s… Initial cloud-init job (pre-networking)...",
        "         Starting cloud-init-main.se… Cloud-init: Single Process...",
        "         Starting systemd-networkd.…ice - Network Configuration...",
        "         Starting NetworkManager.service - Network Manager...",
        "         Starting walinuxagent.serv…e - Azure Linux Agent...",
    ],
)
def test_knows_where_provisioning_begins(line: str) -> None:
    assert begins(line)


@pytest.mark.parametrize(
    "line",
    [
        "         Starting systemd-network-g… units from Kernel command line...",
        "         Starting systemd-networkd-…it for Network to be Configured...",
        "         Starting systemd-resolved.…e - Network Name Resolution...",
    ],
)
def test_takes_no_other_service_for_it(line: str) -> None:
    assert not begins(line)


@pytest.mark.parametrize(
    ("port", "asks"), [(67, True), (68, False), (53, False)], ids=["to a server", "to a client", "of another kind"]
)
def test_knows_who_asks_for_an_address(port: int, asks: bool) -> None:
    addresses = IPv4Address("0.0.0.0"), IPv4Address("255.255.255.255")
    frame = udp_frame((bytes(6), b"\xff" * 6), addresses, (68, port), b"")
    assert is_dhcp_request(frame) is asks
    assert not is_dhcp_request(frame[:30])
    assert not is_dhcp_request(frame[:12] + b"\x08\x06" + frame[14:])


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets are for root, or for a namespace of one's own")
def test_overhears_who_asks_for_an_address() -> None:
    with overhearing("lo") as asks, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"", ("127.0.0.1", 68))
        assert not asks()
        client.sendto(b"", ("127.0.0.1", 67))
        assert asks()
        assert asks()
