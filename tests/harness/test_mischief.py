"""What an injection does to the stage: discs that lack something, doors that stay closed, hardware besides."""

import json
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from harness.azure.host import AzureHost
from harness.azure.http import Request, Response
from harness.azure.server import Binding
from harness.deadline import Deadline
from harness.discs import DISCS, document
from harness.injection import Absence, Do, Injection, Moment, merged
from harness.mischief import Doors, disc_fails, doors, extra_hardware, faulty_disc, silent_addresses
from harness.vm import IMDS
from tests.harness.guests import VM
from tests.harness.test_hardware import GEN1, GEN2, words


@pytest.mark.parametrize(
    ("name", "there", "lacks"),
    [
        ("two names", "<HostName>second-name</HostName>", ""),
        ("bad base64", "<CustomData>not*base64*at=all</CustomData>", ""),
        ("no user", "<HostName>", "<UserName>"),
        ("no guest agent", "<ProvisionGuestAgent>false</ProvisionGuestAgent>", ""),
        ("proxy agent", "<ProvisionGuestProxyAgent>true</ProvisionGuestProxyAgent>", ""),
        ("long password", "x" * 75, ""),
        ("bad xml", "ProvisioningSection", "</ns0:Environment>"),
    ],
)
def test_a_disc_is_wrong_in_one_respect(name: str, there: str, lacks: str) -> None:
    text = document(DISCS[name], VM)
    assert there in text
    assert not lacks or lacks not in text
    assert text != document(DISCS["iso9660"], VM)


def test_an_empty_disc_is_empty() -> None:
    assert document(DISCS["empty"], VM) == ""


def test_a_disc_may_lack_udf_or_be_missing(tmp_path: Path) -> None:
    usual, plain = tmp_path / "usual.iso", tmp_path / "plain.iso"
    assert faulty_disc(Injection(), VM, usual) == usual
    assert faulty_disc(Injection(disc="iso9660"), VM, plain) == plain
    assert b"NSR0" in usual.read_bytes()
    assert b"NSR0" not in plain.read_bytes()
    missing = tmp_path / "missing.iso"
    assert faulty_disc(Injection(disc="missing"), VM, missing) is None
    assert b"<HostName>kiln-vm<" in missing.read_bytes(), "what is put into the drive later is sound"


def test_a_disc_may_fail_to_be_read() -> None:
    assert disc_fails(Injection(disc="unreadable"))
    assert not disc_fails(Injection(disc="empty"))
    assert not disc_fails(Injection())
    (medium,) = (node for node in map(json.loads, words(GEN1, "-blockdev")) if node["node-name"] == "medium")
    assert medium["file"]["driver"] == "file"


def test_addresses_may_be_silent() -> None:
    assert silent_addresses(Injection(absences=(Absence("imds", silent=True), Absence("wireserver")))) == (IMDS,)


def opened(made: Doors, host: AzureHost, appear: list[str]) -> None:
    with made.opening(host, appear.append):
        host.journal.add("dhcp", "DISCOVER")
        gates = [gate for _, _, gate in made.gates]
        Deadline.after(5).until("the gates", lambda: all(gate.is_set() for gate in gates) or None, every=0.01)


def test_doors_open_after_the_first_dhcp_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.director.PACE", 0.001)
    host, appear = AzureHost(VM), list[str]()
    bindings = [Binding(IMDS, 80, lambda request: Response(), name) for name in ("imds", "wireserver")]
    made = doors(bindings, Injection(absences=(Absence("imds", silent=True, seconds=0),)), host)
    assert [bool(one.gate) for one in made.bindings] == [True, False]
    opened(made, host, appear)
    assert appear == [f"{IMDS}/32"]


def test_a_door_may_stay_closed_for_ever() -> None:
    host = AzureHost(VM)
    made = doors([Binding("x", 1, lambda request: Response(), "imds")], Injection(absences=(Absence("imds"),)), host)
    before = threading.active_count()
    with made.opening(host, lambda address: None):
        assert threading.active_count() == before
    assert not made.gates[0][2].is_set()
    assert [entry.details["does"] for entry in host.journal.find("fault", "imds")] == ["absent"]


def test_services_are_behind_their_faults() -> None:
    host = AzureHost(VM)
    told = merged([Injection()])
    (binding,) = doors([Binding("x", 1, lambda request: Response(204), "imds")], told, host).bindings
    assert binding.app(Request.to("GET", "/")).status == 204


def test_a_card_that_comes_later_needs_a_port_where_there_is_pci_express(tmp_path: Path) -> None:
    injection = Injection(moments=(Moment(Do.NEW_CARD),))
    assert extra_hardware(injection, GEN2.vm, tmp_path) == ("-device", "pcie-root-port,id=spare,chassis=9")
    assert extra_hardware(injection, GEN1.vm, tmp_path) == ()
    decoy = extra_hardware(Injection(decoy=True), GEN1.vm, tmp_path)
    assert ("-device", "virtio-blk-pci,drive=decoy") in set(pairwise(decoy))
