"""Machines that really run, with boot sectors of ours in the image's place."""

import os
import shutil
import socket
import subprocess
import threading
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.diskfile import DiskFile, overlay
from build.errors import MachineError
from harness.accelerator import TCG
from harness.console import Console, last_sign_of_life
from harness.deadline import Deadline, Gone
from harness.firmware import find_ovmf, own_variables
from harness.hardware import Hardware
from harness.qemu import COMPLAINTS, CONSOLE, FIRMWARE, Machine
from harness.vm import VirtualMachine
from tests.processes import descendants

pytestmark = pytest.mark.real

VM = VirtualMachine("vm", 1, None, uuid.UUID(int=9), uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3))
SIZE = 4 << 20
HELLO = b"\xba\xf8\x03" + b"".join(bytes((0xB0, letter, 0xEE)) for letter in b"hello\r\n")
"""mov dx, COM1; then for each letter: mov al, letter; out dx, al."""
ECHO = bytes.fromhex("bafd03 ec a801 74f8 b2f8 ec ee ebf2")
"""mov dx, COM1+5; in al, dx; test al, 1; jz again; mov dl, 0xf8; in al, dx; out dx, al; jmp again."""
POWER_OFF = bytes.fromhex("ba0406 b80020 ef")
"""mov dx, 0x604 (PIIX4's power management control); mov ax, 0x2000 (sleep now, S5); out dx, ax."""
HALT = bytes.fromhex("f4 ebfd")


def machine(folder: Path, code: bytes, **changes: Any) -> Hardware:
    """A Gen1 machine whose disk is this boot sector, unbootable if it is none."""
    disk = folder / "disk.raw"
    disk.write_bytes((code.ljust(510, b"\0") + b"\x55\xaa" if code else b"").ljust(SIZE, b"\0"))
    grown = overlay(DiskFile(disk, "raw", SIZE, "raw"), folder / "overlay.qcow2", 2 * SIZE)
    return replace(Hardware(VM, TCG, grown, memory_mib=64, processors=1), **changes)


def qemus() -> list[int]:
    return descendants(os.getpid())


def test_runs_talks_and_is_put_through(tmp_path: Path) -> None:
    before = qemus()
    events: list[tuple[str, Mapping[str, Any]]] = []
    with Machine(machine(tmp_path, HELLO + ECHO), tmp_path, lambda name, data: events.append((name, data))) as running:
        console = Console(tmp_path / CONSOLE, running.check_alive)
        console.wait_for("^hello$", Deadline.after(60))
        assert running.alive
        assert running.end == ""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(running.console_socket))
            line.sendall(b"to and fro\n")
            console.wait_for("to and fro", Deadline.after(20))
            assert line.recv(100).startswith(b"t")
        assert running.screenshot(tmp_path / "screen.png").read_bytes().startswith(b"\x89PNG")
        console.mark()
        running.reset()
        console.wait_for("^hello$", Deadline.after(60))
    assert "RESET" in [name for name, _ in events]
    assert qemus() == before
    assert not running.console_socket.parent.exists()


def test_tells_that_the_guest_switched_it_off(tmp_path: Path) -> None:
    with Machine(machine(tmp_path, HELLO + POWER_OFF + HALT), tmp_path) as running:
        assert running.wait(Deadline.after(60)) == "the machine was switched off (guest-shutdown)"
        with pytest.raises(Gone, match="guest-shutdown"):
            running.check_alive()
        with pytest.raises(Gone):
            running.screenshot(tmp_path / "screen.png")


def test_shows_that_nothing_could_be_booted(tmp_path: Path) -> None:
    with Machine(machine(tmp_path, b""), tmp_path) as running:
        Console(tmp_path / FIRMWARE, running.check_alive).wait_for("Booting from", Deadline.after(60))
        with pytest.raises(Gone, match="nothing to boot"):
            Console(tmp_path / FIRMWARE, running.check_alive).wait_for("never", Deadline.after(60))
    assert "nothing to boot" in last_sign_of_life("", Console(tmp_path / FIRMWARE).text)


def test_starts_uefi_for_gen2(tmp_path: Path) -> None:
    ovmf = find_ovmf()
    hardware = machine(
        tmp_path,
        b"",
        vm=replace(VM, generation=2),
        memory_mib=256,
        ovmf=ovmf,
        variables=own_variables(ovmf, tmp_path / "variables.qcow2"),
    )
    with Machine(hardware, tmp_path) as running, pytest.raises(Gone, match="nothing to boot"):
        Console(tmp_path / CONSOLE, running.check_alive).wait_for("login:", Deadline.after(120))


def test_takes_the_dvd_out(tmp_path: Path) -> None:
    (tmp_path / "dvd.iso").write_bytes(bytes(1 << 20))
    events: list[str] = []
    hardware = machine(tmp_path, HELLO + HALT, dvd=tmp_path / "dvd.iso")
    with Machine(hardware, tmp_path, lambda name, data: events.append(name)) as running:
        running.remove_dvd()
    assert "DEVICE_TRAY_MOVED" in events


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("-device", "no-such-thing"), "no-such-thing.* is not a valid device model name"),
        (("-drive", "file=/missing/disk,format=raw"), "Could not open '/missing/disk'"),
    ],
)
def test_says_why_qemu_did_not_start(tmp_path: Path, extra: tuple[str, ...], message: str) -> None:
    before = qemus()
    with (
        pytest.raises(MachineError, match=f"QEMU did not start: .*{message}"),
        Machine(machine(tmp_path, HELLO, extra=extra), tmp_path),
    ):
        pass
    assert qemus() == before


def test_says_that_qemu_died(tmp_path: Path) -> None:
    with Machine(machine(tmp_path, HELLO + HALT), tmp_path) as running:
        (mine,) = qemus()
        subprocess.run(["kill", "-SEGV", str(mine)], check=True)
        assert running.wait(Deadline.after(20)).startswith("QEMU died with status -11")


def test_leaves_no_qemu_after_an_exception(tmp_path: Path) -> None:
    before = qemus()
    with pytest.raises(ZeroDivisionError), Machine(machine(tmp_path, HELLO + HALT), tmp_path):
        raise ZeroDivisionError
    assert qemus() == before
    assert not [thread for thread in threading.enumerate() if thread.name == "monitor"]
    assert (tmp_path / COMPLAINTS).exists()


def test_says_that_qemu_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hardware = machine(tmp_path, HELLO)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(MachineError, match="qemu-system-x86_64 is not installed"), Machine(hardware, tmp_path):
        pass
