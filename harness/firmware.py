"""The firmware of each generation: QEMU's own SeaBIOS for Gen1, OVMF for Gen2 (AAVMF on aarch64), plain or with Secure
Boot on and Microsoft's keys in its variables.

OVMF is found by QEMU's firmware descriptors (docs/interop/firmware.json), else where Debian and Ubuntu put it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.command import run
from build.errors import MachineError
from harness.processor import X86_64, Processor

DESCRIPTORS = (Path("/etc/qemu/firmware"), Path("/usr/local/share/qemu/firmware"), Path("/usr/share/qemu/firmware"))
KNOWN_PAIRS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "x86_64": (
        ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ),
    "aarch64": (("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),),
}
KNOWN_TRUSTED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "x86_64": (("/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"),),
}
TRUSTED = {"requires-smm", "secure-boot", "enrolled-keys"}
"""What a descriptor says of firmware that starts signed code alone, and keeps its keys where no guest can write."""


@dataclass(frozen=True)
class Ovmf:
    """A UEFI firmware's code, and the template of its variables; `trusted`: with Secure Boot on."""

    code: Path
    variables: Path
    trusted: bool = False


def find_ovmf(
    descriptors: Iterable[Path] = DESCRIPTORS, processor: Processor = X86_64, *, trusted: bool = False
) -> Ovmf:
    """The firmware here that boots this processor, with Secure Boot or without. Raises MachineError where none is."""
    for found in _candidates(descriptors, processor, trusted):
        if found.code.is_file() and found.variables.is_file():
            return found
    kind = "UEFI firmware with Secure Boot" if trusted else "UEFI firmware"
    raise MachineError(
        f"no {kind} for Gen2 machines of {processor.arch} was found",
        f"install the package {processor.firmware_package}",
    )


def own_variables(ovmf: Ovmf, path: Path) -> Path:
    """A machine's own variables at `path`, as qcow2 (the only format that a snapshot can hold): a copy of the template
    unless they are there."""
    if not path.exists():
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", ovmf.variables, path)
    return path


def _candidates(folders: Iterable[Path], processor: Processor, trusted: bool) -> Iterator[Ovmf]:
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            yield from _described(json.loads(path.read_text()), processor, trusted)
    for code, variables in (KNOWN_TRUSTED if trusted else KNOWN_PAIRS).get(processor.arch, ()):
        yield Ovmf(Path(code), Path(variables), trusted)


def _described(descriptor: dict[str, Any], processor: Processor, trusted: bool) -> Iterator[Ovmf]:
    """The firmware of one descriptor, if a UEFI machine of ours can use it."""
    mapping = descriptor["mapping"]
    targets = [target for target in descriptor["targets"] if target["architecture"] == processor.arch]
    suits = any(machine.startswith(processor.board) for target in targets for machine in target["machines"])
    in_flash = mapping["device"] == "flash" and mapping.get("mode", "split") == "split"
    if not (suits and in_flash and "uefi" in descriptor["interface-types"]):
        return
    if TRUSTED & set(descriptor["features"]) != (TRUSTED if trusted else set()):
        return
    if mapping["executable"]["format"] == mapping["nvram-template"]["format"] == "raw":
        yield Ovmf(Path(mapping["executable"]["filename"]), Path(mapping["nvram-template"]["filename"]), trusted)
