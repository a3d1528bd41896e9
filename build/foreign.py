"""Building for a processor that this machine does not have: how packages' scripts run there.

QEMU's user mode emulation does it, called by the kernel for every such program (binfmt_misc). A machine that is set up
so is used as it is. Any other is left as it is, too: since Linux 6.7 each user namespace has such a register of its
own, and Kiln fills its with the emulator of the tools' archive, whatever this machine has installed.
"""

import os
import platform
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache as remembered
from pathlib import Path
from typing import IO

from build import archive, cache, mmdebstrap
from build.archive import Release
from build.command import run
from build.errors import KilnError, MachineError
from build.tools import KEYRING

PACKAGE = "qemu-user"
REGISTER = Path("/proc/sys/fs/binfmt_misc")
MAGIC = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00"
"""The head of a 64-bit little-endian ELF program up to its processor (elf(5))."""
MASK = b"\xff" * 7 + b"\x00" + b"\xff" * 8 + b"\xfe\xff\xff\xff"
"""Any ABI counts, and shared objects, as which most programs are built, like plain executables."""
FLAGS = "PF"
"""P keeps a program's first argument, F opens the emulator once and for all, so that a chroot need not hold it."""
GREETING = 42
PATIENCE = 20.0
"""Seconds for a program of three instructions."""
REMEDY = (
    "Linux 6.7 or newer lets Kiln do it by itself; before that, or where user namespaces are closed, install "
    "qemu-user-static and binfmt-support as root, so that this machine runs such programs"
)


@dataclass(frozen=True)
class Processor:
    """A processor to build for: ELF's number for it, and code that ends a program with status GREETING."""

    elf: int
    code: bytes


PROCESSORS = {
    # mov edi, 42; mov eax, 60 (exit); syscall
    "x86_64": Processor(0x3E, b"\xbf\x2a\0\0\0\xb8\x3c\0\0\0\x0f\x05"),
    # mov x0, 42; mov x8, 93 (exit); svc 0
    "aarch64": Processor(0xB7, bytes.fromhex("400580d2a80b80d2010000d4")),
}


def is_foreign(arch: str) -> bool:
    """Whether this machine's own processor is another."""
    return platform.machine() != arch


@remembered
def needs_register(arch: str) -> bool:
    """Whether programs for this processor run here only by a register of Kiln's own."""
    return is_foreign(arch) and not runs(arch)


def runs(arch: str) -> bool:
    """Whether a program for this processor runs, tried by running one; where possible in a chroot, as builds do."""
    with tempfile.TemporaryDirectory(prefix="kiln-") as folder:
        program = Path(folder, "program")
        program.write_bytes(smallest_program(arch))
        program.chmod(0o755)
        words: tuple[str | Path, ...] = ("chroot", folder, "/program") if os.geteuid() == 0 else (program,)
        try:
            return subprocess.run(words, check=False, capture_output=True, timeout=PATIENCE).returncode == GREETING
        except (OSError, subprocess.TimeoutExpired):
            return False


def smallest_program(arch: str) -> bytes:
    """A static program that ends at once with status GREETING."""
    processor = PROCESSORS[arch]
    at, header, segment = 0x400000, 64, 56
    size = header + segment + len(processor.code)
    ident = MAGIC[:16]
    head = struct.pack("<HHIQQQIHHHHHH", 2, processor.elf, 1, at + header + segment, header, 0, 0, 64, 56, 1, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, at, at, size, size, 0x10000)
    return ident + head + load + processor.code


def prepare(arch: str, tools: Release, log: IO[str], *, mirror: bool, offline: bool) -> None:
    """Make programs for this processor run for this process and its children, which is root of its own view.

    Raises MachineError where that cannot be.
    """
    if not needs_register(arch):
        return
    emulator = _emulator(arch, tools, log, mirror=mirror, offline=offline)
    try:
        run("mount", "-t", "binfmt_misc", "binfmt_misc", REGISTER, log=log)
        register(arch, emulator)
    except (KilnError, OSError) as refusal:
        raise _cannot(arch, str(refusal)) from None
    if not runs(arch):
        raise _cannot(arch, "the emulator was registered, and they still do not run")


def _cannot(arch: str, reason: str) -> MachineError:
    last = reason.strip().splitlines()[-1]
    return MachineError(f"this machine cannot run programs for {arch}, which packages' scripts need: {last}", REMEDY)


def register(arch: str, emulator: Path) -> None:
    """Have the kernel run programs for this processor by that emulator. Raises OSError."""
    magic = MAGIC + PROCESSORS[arch].elf.to_bytes(2, "little")
    words = ("", f"qemu-{arch}", "M", "", _escaped(magic), _escaped(MASK), str(emulator), FLAGS)
    (REGISTER / "register").write_text(":".join(words))


def _escaped(content: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in content)


def _emulator(arch: str, state: Release, log: IO[str], *, mirror: bool, offline: bool) -> Path:
    """The emulator's program, taken from the tools' archive unless the cache has it."""
    folder = cache.folder() / "emulator" / f"{arch}-{state.sha256[:16]}"
    with cache.locked(f"emulator-{folder.name}"):
        if not folder.is_dir():
            if offline:
                raise MachineError(f"the emulator of {arch} has never been fetched", "build once without --offline")
            archive.verify(state, KEYRING, mirror=mirror)
            _fetch(arch, state, folder, log)
    return folder / f"qemu-{arch}"


def _fetch(arch: str, state: Release, folder: Path, log: IO[str]) -> None:
    tree, fresh = folder.with_suffix(".tree"), folder.with_suffix(".partial")
    for left in (tree, fresh):
        cache.remove(left)
    fresh.mkdir(parents=True)
    mmdebstrap.run(
        *("--mode=root", "--variant=extract", "--format=directory", "--skip=chroot/mount/sys,output/dev"),
        *(f"--keyring={KEYRING}", f"--include={PACKAGE}"),
        *(state.suite, tree, f"deb [signed-by={KEYRING}] {state.source}"),
        log=log,
        env={"SOURCE_DATE_EPOCH": str(state.date)},
    )
    (tree / f"usr/bin/qemu-{arch}").rename(fresh / f"qemu-{arch}")
    fresh.rename(folder)
    cache.remove(tree)
