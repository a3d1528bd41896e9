"""Which accelerator runs guests here, found out by booting one: `/dev/kvm` may open and then hang every guest.

The probe is a program of ours that needs no system: on x86_64 a boot sector that writes a word on COM1 and leaves
through QEMU's isa-debug-exit, on aarch64 a kernel that writes it on the PL011 and switches itself off. Its answer is
kept in the cache per boot of this machine, QEMU version and right to the device. KVM runs no guest of a processor that
this machine does not have.
"""

import json
import os
import struct
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from build import wholefile
from build.command import find, run
from harness.processor import X86_64, Processor, find_qemu, is_ours

KVM_DEVICE = Path("/dev/kvm")
PATIENCE = 8.0
"""Seconds that the boot sector gets; where KVM works it needs about one."""
EXIT_PORT, EXIT_CODE = 0x501, 0x2A
GREETING = b"kiln"


@dataclass(frozen=True)
class Accelerator:
    """How QEMU runs a guest: its `arguments`, and the `factor` by which time limits grow; `why` it was chosen."""

    name: str
    arguments: tuple[str, ...]
    factor: float
    why: str = ""


def kvm(of: Processor = X86_64) -> Accelerator:
    """Guests run by this machine's own processor."""
    return Accelerator("kvm", ("-accel", "kvm", "-cpu", of.real), 1)


def tcg(of: Processor = X86_64, why: str = "") -> Accelerator:
    """Guests emulated by QEMU, `why` so."""
    return Accelerator("tcg", ("-accel", "tcg,thread=multi", "-cpu", of.emulated), 10, why)


KVM, TCG = kvm(), tcg()


def choose_accelerator(of: Processor = X86_64) -> Accelerator:
    """KVM where it boots a guest, else TCG. Raises MachineError where QEMU is missing."""
    qemu = find_qemu(of)
    if not is_ours(of):
        return tcg(of, f"the image is for {of.arch}, this machine is not")
    if not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return tcg(of, f"{KVM_DEVICE} cannot be opened" if KVM_DEVICE.exists() else f"there is no {KVM_DEVICE}")
    kept, key = cache_folder() / "accelerator.json", _key(qemu)
    if (works := _recall(kept, key)) is None:
        works = boots(qemu, kvm(of), of=of)
        _remember(kept, key, works)
    return kvm(of) if works else tcg(of, f"{KVM_DEVICE} opens, but a guest does not run on it")


def boots(qemu: str, accelerator: Accelerator, patience: float = PATIENCE, of: Processor = X86_64) -> bool:
    """Whether the program gets to its end under this accelerator within `patience` seconds."""
    with tempfile.TemporaryDirectory(prefix="kiln-") as folder:
        program = Path(folder, "program")
        program.write_bytes(boot_sector() if of is X86_64 else kernel())
        command = [
            # It outlives us only until its own limit, whatever becomes of us.
            *(find("timeout"), "--signal=KILL", f"{patience}", qemu),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"),
            *accelerator.arguments,
            *(_pc(program) if of is X86_64 else ("-machine", of.uefi_machine, "-m", "32", "-kernel", program)),
        ]
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode == (EXIT_CODE << 1 | 1 if of is X86_64 else 0) and GREETING in done.stdout


def _pc(disk: Path) -> tuple[str, ...]:
    """A PC that boots from this disk."""
    return (
        *("-machine", "pc", "-m", "32"),
        *("-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=1"),
        *("-blockdev", f"driver=raw,node-name=disk,file.driver=file,file.filename={disk}"),
        *("-device", "ide-hd,drive=disk"),
    )


def kernel() -> bytes:
    """A bare program for QEMU's virt board: it greets on the first PL011 and has PSCI switch the machine off."""
    code = [0xD2A12001]  # mov x1, 0x09000000: the PL011's data register
    for letter in GREETING:
        code += (0x52800000 | letter << 5, 0x39000020)  # mov w0, letter; strb w0, [x1]
    code += (0x52B08000, 0x72800100)  # mov w0, 0x84000008: SYSTEM_OFF (Arm DEN0022, 5.11)
    code += (0xD4000002, 0x14000000)  # hvc 0; b to itself: whoever gets here has no PSCI
    return struct.pack(f"<{len(code)}I", *code)


def boot_sector() -> bytes:
    """A disk of one boot sector: it greets on COM1 and ends QEMU with the status 2 * EXIT_CODE + 1."""
    code = b"\xba\xf8\x03"  # mov dx, 0x3f8: the data register of COM1
    for letter in GREETING:
        code += bytes((0xB0, letter, 0xEE))  # mov al, letter; out dx, al
    code += b"\xba" + EXIT_PORT.to_bytes(2, "little")  # mov dx, EXIT_PORT
    code += bytes((0xB0, EXIT_CODE, 0xEE))  # mov al, EXIT_CODE; out dx, al
    code += b"\xf4\xeb\xfd"  # hlt; jmp to the hlt: whoever gets here has no debug exit
    return (code.ljust(510, b"\0") + b"\x55\xaa").ljust(1 << 20, b"\0")


def cache_folder() -> Path:
    """Where Kiln keeps what it may lose: $KILN_CACHE, else kiln in the XDG cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("KILN_CACHE") or Path(base, "kiln"))


def _key(qemu: str) -> str:
    """What the answer depends on: this boot of the kernel, QEMU's version, our right to the device."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    version = run(qemu, "--version").stdout.splitlines()[0]
    device = KVM_DEVICE.stat()
    return f"{boot_id} {version} {device.st_mode:o} {device.st_uid}:{device.st_gid} for {os.getuid()}"


def _recall(kept: Path, key: str) -> bool | None:
    try:
        answer = json.loads(kept.read_text())
    except (OSError, ValueError):
        return None
    return answer.get("works") if isinstance(answer, dict) and answer.get("key") == key else None


def _remember(kept: Path, key: str, works: bool) -> None:
    """Keep the answer; a cache that cannot be written costs the next run a second, and is no error."""
    with suppress(OSError):
        wholefile.write(kept, json.dumps({"key": key, "works": works}).encode())
