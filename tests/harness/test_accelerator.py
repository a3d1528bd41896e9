"""The accelerator probe, with programs in QEMU's place that answer, fail or hang."""

import platform
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import MachineError
from harness import accelerator
from harness.accelerator import EXIT_CODE, KVM, TCG, boot_sector, boots, choose_accelerator, tcg
from harness.processor import AARCH64, X86_64, find_qemu

ANSWERS = f'[ "$1" = --version ] || printf kiln; [ "$1" = --version ] || exit {EXIT_CODE * 2 + 1}; echo QEMU 1'
HANGS = "exec sleep 60"
DIES = "echo 'failed to initialize kvm' >&2; exit 1"


def program(folder: Path, script: str, name: str = "qemu-system-x86_64") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own: an openable device, a cache, and a QEMU that is yet to be written."""
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(accelerator, "KVM_DEVICE", device)
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_has_a_boot_sector_that_firmware_takes() -> None:
    disk = boot_sector()
    assert disk[510:512] == b"\x55\xaa"
    assert len(disk) % 512 == 0


def test_chooses_kvm_where_a_guest_runs(machine: Path) -> None:
    program(machine, ANSWERS)
    assert choose_accelerator() == KVM


def test_chooses_tcg_where_the_guest_dies(machine: Path) -> None:
    program(machine, f'[ "$1" = --version ] && echo QEMU 1 && exit; {DIES}')
    chosen = choose_accelerator()
    assert (chosen.name, chosen.arguments) == ("tcg", TCG.arguments)
    assert "does not run" in chosen.why


def test_chooses_tcg_without_the_device(machine: Path) -> None:
    program(machine, ANSWERS)
    (machine / "kvm").unlink()
    assert choose_accelerator().why == f"there is no {machine / 'kvm'}"


def test_asks_again_only_when_qemu_or_the_right_changes(machine: Path) -> None:
    program(machine, ANSWERS)
    assert choose_accelerator().name == "kvm"
    program(machine, f'[ "$1" = --version ] && echo QEMU 1 && exit; {DIES}')
    assert choose_accelerator().name == "kvm"
    (machine / "kvm").chmod(0o666)
    assert choose_accelerator().name == "tcg"
    program(machine, ANSWERS.replace("QEMU 1", "QEMU 2"))
    assert choose_accelerator().name == "kvm"


@pytest.mark.parametrize("content", ["", "[]", '{"key": 1}', "{"])
def test_does_not_trust_a_broken_cache(machine: Path, content: str) -> None:
    program(machine, ANSWERS)
    (machine / "cache").mkdir()
    (machine / "cache/accelerator.json").write_text(content)
    assert choose_accelerator().name == "kvm"


def test_kills_a_qemu_that_hangs(tmp_path: Path) -> None:
    assert not boots(program(tmp_path, HANGS), KVM, patience=0.2)


def test_says_that_qemu_is_missing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine))
    with pytest.raises(MachineError, match="qemu-system-none is not installed") as refused:
        choose_accelerator(replace(X86_64, qemu="qemu-system-none", package="qemu-system-misc"))
    assert "qemu-system-misc" in refused.value.hint


def test_never_runs_another_processors_guest_by_kvm(machine: Path) -> None:
    other = AARCH64 if platform.machine() == "x86_64" else X86_64
    program(machine, ANSWERS, other.qemu)
    chosen = choose_accelerator(other)
    assert (chosen.name, chosen.arguments) == ("tcg", tcg(other).arguments)
    assert other.arch in chosen.why


@pytest.mark.real
def test_boots_the_sector_under_emulation() -> None:
    assert boots(accelerator.find("qemu-system-x86_64"), TCG, patience=60)


@pytest.mark.real
def test_says_no_to_a_sector_that_never_greets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "boot_sector", lambda: bytes(1 << 20))
    assert not boots(accelerator.find("qemu-system-x86_64"), TCG, patience=4)


@pytest.mark.real
@pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="QEMU for aarch64 is not installed")
def test_boots_the_bare_kernel_of_aarch64_under_emulation() -> None:
    assert boots(find_qemu(AARCH64), tcg(AARCH64), patience=60, of=AARCH64)
