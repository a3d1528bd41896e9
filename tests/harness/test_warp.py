"""Letting a guest's time run: whose it is, and machines with boot sectors of ours that go on through it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.accelerator import KVM, TCG, tcg
from harness.azure.host import AzureHost
from harness.console import Console
from harness.deadline import Deadline
from harness.hardware import Hardware
from harness.processor import AARCH64
from harness.qemu import CONSOLE, Machine
from harness.warp import RUNS, can_run, let_run, let_run_once, tries_in_vain
from tests.harness.guests import VM
from tests.harness.test_hardware import GEN1, GEN2
from tests.harness.test_qemu import ECHO, HELLO, machine
from tests.harness.test_snapshot import echoes


def trying(tries: int = 3) -> AzureHost:
    """A host whose guest has an address and has met so many faults."""
    host = AzureHost(VM)
    host.journal.add("dhcp", "ACK", address=VM.address)
    for _ in range(tries):
        host.journal.add("fault", "wireserver", does="status 404")
    return host


@contextmanager
def giving_up(host: AzureHost) -> Iterator[None]:
    """Have the guest ask for an address anew as soon as its time runs."""
    left = threading.Event()

    def ask() -> None:
        while not host.journal.first("machine", RUNS):
            left.wait(0.01)
        left.wait(0.5)
        host.journal.add("dhcp", "DISCOVER")

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize(
    ("hardware", "can"),
    [
        (replace(GEN1, accelerator=TCG), True),
        (replace(GEN2, accelerator=TCG), True),
        (replace(GEN1, accelerator=KVM), False),
        (replace(GEN2, accelerator=TCG, controller="NVMe"), False),
        (replace(GEN2, accelerator=TCG, tpm=Path("/tpm")), False),
        (replace(GEN2, accelerator=tcg(AARCH64), processor=AARCH64), False),
    ],
)
def test_runs_where_qemu_can_do_it(hardware: Hardware, can: bool) -> None:
    assert can_run(hardware) is can


def test_knows_a_loop_by_what_the_guest_met_since_it_had_an_address() -> None:
    assert tries_in_vain(trying())
    assert not tries_in_vain(trying(2))
    assert not tries_in_vain(AzureHost(VM))


@pytest.mark.real
def test_a_machine_goes_on_as_it_was_when_its_time_has_run(tmp_path: Path) -> None:
    host, disc = trying(), tmp_path / "disc.iso"
    disc.write_bytes(bytes(1 << 20))
    with Machine(machine(tmp_path, HELLO + ECHO, dvd=disc), tmp_path) as running:
        console = Console(tmp_path / CONSOLE, running.check_alive)
        console.wait_for("^hello$", Deadline.after(60))
        with giving_up(host):
            let_run(running, host)
        assert "still there" in echoes(running, console, "still there")
        assert console.text.count("hello") == 1
        assert running.hardware.dvd == disc
        running.remove_dvd()
    ends = [one.event for one in host.journal.find("machine")]
    assert ends == [RUNS, "the guest's time goes by as ours"]


@pytest.mark.real
def test_lets_it_run_once(tmp_path: Path) -> None:
    host = trying()
    with Machine(machine(tmp_path, HELLO + ECHO), tmp_path) as running:
        with giving_up(host):
            let_run_once(running, host)
        let_run_once(running, host)
    assert len(host.journal.find("machine", RUNS)) == 1
