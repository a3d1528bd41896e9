"""Finding OVMF by the descriptors that QEMU's packages bring."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness import firmware
from harness.firmware import Ovmf, find_ovmf, own_variables
from harness.processor import AARCH64


def describe(folder: Path, name: str, **changes: Any) -> Ovmf:
    """A descriptor and the two files that it names."""
    found = Ovmf(folder / f"{name}.code", folder / f"{name}.vars")
    found.code.write_bytes(b"code")
    found.variables.write_bytes(bytes(4096))
    descriptor: dict[str, Any] = {
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": str(found.code), "format": "raw"},
            "nvram-template": {"filename": str(found.variables), "format": "raw"},
        },
        "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}],
        "features": [],
    }
    (folder / f"{name}.json").write_text(json.dumps({**descriptor, **changes}))
    return found


def test_takes_the_first_descriptor_that_suits(tmp_path: Path) -> None:
    describe(tmp_path, "10-secure", features=["secure-boot", "requires-smm"])
    describe(tmp_path, "20-arm", targets=[{"architecture": "aarch64", "machines": ["virt-*"]}])
    describe(tmp_path, "30-bios", **{"interface-types": ["bios"]})
    describe(tmp_path, "40-i386", targets=[{"architecture": "i386", "machines": ["pc-q35-*"]}])
    plain = describe(tmp_path, "50-plain")
    describe(tmp_path, "60-plain")
    assert find_ovmf([tmp_path]) == plain


def test_passes_over_descriptors_whose_files_are_gone(tmp_path: Path) -> None:
    describe(tmp_path, "10-gone").code.unlink()
    there = describe(tmp_path, "20-there")
    assert find_ovmf([tmp_path]) == there


def test_falls_back_to_the_known_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CODE", "VARS"):
        (tmp_path / name).touch()
    monkeypatch.setattr(firmware, "KNOWN_PAIRS", {"x86_64": [(str(tmp_path / "CODE"), str(tmp_path / "VARS"))]})
    assert find_ovmf([tmp_path / "missing"]).code == tmp_path / "CODE"


def test_names_the_package_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware, "KNOWN_PAIRS", {})
    with pytest.raises(firmware.MachineError) as refused:
        find_ovmf([tmp_path])
    assert "ovmf" in refused.value.hint


def test_takes_the_firmware_of_the_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(tmp_path, "10-x86")
    arm = describe(tmp_path, "20-arm", targets=[{"architecture": "aarch64", "machines": ["virt-*"]}])
    assert find_ovmf([tmp_path], AARCH64) == arm
    monkeypatch.setattr(firmware, "KNOWN_PAIRS", {})
    with pytest.raises(firmware.MachineError, match="aarch64") as refused:
        find_ovmf([tmp_path / "none"], AARCH64)
    assert "qemu-efi-aarch64" in refused.value.hint


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_copies_the_variables_as_qcow2(tmp_path: Path) -> None:
    copy = own_variables(describe(tmp_path, "one"), tmp_path / "vars.qcow2")
    told = subprocess.run(["qemu-img", "info", "-f", "qcow2", copy], check=True, capture_output=True, text=True)
    assert "4 KiB (4096 bytes)" in told.stdout


def test_leaves_variables_that_are_there_as_they_are(tmp_path: Path) -> None:
    kept = tmp_path / "vars.qcow2"
    kept.write_text("as the guest left them")
    assert own_variables(describe(tmp_path, "one"), kept) == kept
    assert kept.read_text() == "as the guest left them"


def test_tells_firmware_with_secure_boot_from_the_plain_one(tmp_path: Path) -> None:
    describe(tmp_path, "10-able", features=["secure-boot", "requires-smm"])
    keys = describe(tmp_path, "20-keys", features=["secure-boot", "requires-smm", "enrolled-keys", "acpi-s3"])
    describe(tmp_path, "30-plain")
    assert find_ovmf([tmp_path], trusted=True) == Ovmf(keys.code, keys.variables, trusted=True)


def test_names_the_package_where_no_firmware_has_secure_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware, "KNOWN_TRUSTED", {})
    describe(tmp_path, "30-plain")
    with pytest.raises(firmware.MachineError, match="with Secure Boot") as refused:
        find_ovmf([tmp_path], trusted=True)
    assert "ovmf" in refused.value.hint
