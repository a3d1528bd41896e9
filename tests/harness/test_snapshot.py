"""States of machines: saved once, gone on from more than once, with boot sectors of ours in the image's place."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import MachineError
from harness.console import Console
from harness.deadline import Deadline, Gone
from harness.firmware import find_ovmf, own_variables
from harness.hardware import Hardware
from harness.qemu import CONSOLE, Machine
from harness.snapshot import save, take_up
from tests.harness.test_qemu import ECHO, HELLO, VM, machine

pytestmark = pytest.mark.real


def echoes(running: Machine, console: Console, words: str) -> str:
    """What the console holds once the guest has answered these words."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(running.console_socket))
        line.sendall(f"{words}\n".encode())
        console.wait_for(words, Deadline.after(60))
    return console.text


def copied(hardware: Hardware, folder: Path) -> Hardware:
    """The same machine with files of its own in the folder; what they lie on is shared."""
    disk = Path(shutil.copyfile(hardware.disk, folder / hardware.disk.name))
    if hardware.variables is None:
        return replace(hardware, disk=disk)
    return replace(hardware, disk=disk, variables=Path(shutil.copyfile(hardware.variables, folder / "variables.qcow2")))


@contextmanager
def gone_on(hardware: Hardware, folder: Path) -> Iterator[Machine]:
    folder.mkdir()
    with Machine(copied(hardware, folder), folder, prepare=take_up) as running:
        yield running


@pytest.fixture
def saved(tmp_path: Path) -> Hardware:
    hardware = machine(tmp_path, HELLO + ECHO)
    with Machine(hardware, tmp_path) as running:
        Console(tmp_path / CONSOLE, running.check_alive).wait_for("^hello$", Deadline.after(60))
        save(running)
    return hardware


def test_runs_on_as_often_as_one_likes_from_where_it_was(saved: Hardware, tmp_path: Path) -> None:
    for name in ("one", "two"):
        with gone_on(saved, tmp_path / name) as running:
            text = echoes(running, Console(tmp_path / name / CONSOLE), name)
            assert name in text
            assert "hello" not in text


def test_goes_on_from_uefi_with_variables_of_its_own(tmp_path: Path) -> None:
    ovmf = find_ovmf()
    variables = own_variables(ovmf, tmp_path / "variables.qcow2")
    vm = replace(VM, generation=2)
    hardware = machine(tmp_path, b"", vm=vm, memory_mib=256, ovmf=ovmf, variables=variables)
    with Machine(hardware, tmp_path) as running:
        save(running)
    with gone_on(hardware, tmp_path / "fork") as running:
        assert running.command("query-status")["running"]
        assert running.hardware.variables != variables


def test_takes_another_disc_along(saved: Hardware, tmp_path: Path) -> None:
    (tmp_path / "disc.iso").write_bytes(bytes(1 << 20))
    with gone_on(saved, tmp_path / "fork") as running:
        running.insert_dvd(tmp_path / "disc.iso")
        (drive,) = (one for one in running.command("query-block") if one["qdev"].endswith("dvd"))
        assert drive["inserted"]["file"] == str(tmp_path / "disc.iso")
        running.remove_dvd()
        (drive,) = (one for one in running.command("query-block") if one["qdev"].endswith("dvd"))
        assert "inserted" not in drive


def test_says_that_there_is_no_state(tmp_path: Path) -> None:
    with (
        pytest.raises(MachineError, match="snapshot-load"),
        Machine(machine(tmp_path, HELLO), tmp_path, prepare=take_up),
    ):
        pass


def test_says_that_qemu_cannot_save(tmp_path: Path) -> None:
    hardware = machine(tmp_path, HELLO, extra=("-device", "nvme,serial=one"))
    with Machine(hardware, tmp_path) as running, pytest.raises(Gone, match="snapshot-save"):
        save(running)
