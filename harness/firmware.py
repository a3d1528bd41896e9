"""The firmware of each generation: QEMU's own SeaBIOS for Gen1, OVMF without Secure Boot for Gen2 (AAVMF on aarch64).

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
UNWANTED = {"requires-smm", "secure-boot", "enrolled-keys"}


@dataclass(frozen=True)
class Ovmf:
    """A UEFI firmware's code, and the template of its variables."""

    code: Path
    variables: Path


def find_ovmf(descriptors: Iterable[Path] = DESCRIPTORS, processor: Processor = X86_64) -> Ovmf:
    """The firmware here that boots this processor without Secure Boot. Raises MachineError where there is none."""
    for found in _candidates(descriptors, processor):
        if found.code.is_file() and found.variables.is_file():
            return found
    raise MachineError(
        f"no UEFI firmware for Gen2 machines of {processor.arch} was found",
        f"install the package {processor.firmware_package}",
    )


def own_variables(ovmf: Ovmf, path: Path) -> Path:
    """A run's own copy of the variables at `path`, as qcow2 (the only format that a snapshot can hold)."""
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", ovmf.variables, path)
    return path


def _candidates(folders: Iterable[Path], processor: Processor) -> Iterator[Ovmf]:
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            yield from _described(json.loads(path.read_text()), processor)
    for code, variables in KNOWN_PAIRS.get(processor.arch, ()):
        yield Ovmf(Path(code), Path(variables))


def _described(descriptor: dict[str, Any], processor: Processor) -> Iterator[Ovmf]:
    """The firmware of one descriptor, if a UEFI machine of ours can use it."""
    mapping = descriptor["mapping"]
    targets = [target for target in descriptor["targets"] if target["architecture"] == processor.arch]
    suits = any(machine.startswith(processor.board) for target in targets for machine in target["machines"])
    in_flash = mapping["device"] == "flash" and mapping.get("mode", "split") == "split"
    if not (suits and in_flash and "uefi" in descriptor["interface-types"]) or UNWANTED & set(descriptor["features"]):
        return
    if mapping["executable"]["format"] == mapping["nvram-template"]["format"] == "raw":
        yield Ovmf(Path(mapping["executable"]["filename"]), Path(mapping["nvram-template"]["filename"]))
