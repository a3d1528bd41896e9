"""The virtual TPM of a machine with Trusted Launch: swtpm, a TPM 2.0 in a process of its own."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from build.command import find
from build.errors import MachineError
from harness.deadline import Deadline, TooLate

SOCKET = "tpm"
LOG = "tpm.log"
STARTS_IN = 10.0
"""Seconds that it gets until it listens."""
ENDS_IN = 5.0


@contextmanager
def virtual_tpm(state: Path) -> Iterator[Path]:
    """A TPM with its state in the folder, a new one where there is none; gives the socket on which QEMU finds it.

    It ends with the block. Raises MachineError where swtpm is missing or does not start.
    """
    state.mkdir(exist_ok=True)
    with ExitStack() as stack:
        # A socket's path may have 107 bytes (unix(7)): no place for a run's folder.
        socket = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kiln-")), SOCKET)
        log = stack.enter_context((state / LOG).open("wb"))
        words = [_program(), "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={socket}"]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        stack.callback(_end, process)
        _wait(process, socket, state / LOG)
        yield socket


def _program() -> str:
    try:
        return find("swtpm")
    except MachineError as missing:
        raise MachineError(missing.what, "install the package swtpm: Trusted Launch has a virtual TPM") from None


def _wait(process: "subprocess.Popen[bytes]", socket: Path, log: Path) -> None:
    def listens() -> bool | None:
        if process.poll() is not None:
            said = log.read_text(errors="replace").strip()
            raise MachineError(f"swtpm ended with status {process.returncode}: {said}", f"see {log}")
        return socket.exists() or None

    try:
        Deadline.after(STARTS_IN).until("swtpm to listen", listens, every=0.02)
    except TooLate as late:
        raise MachineError(str(late), f"see {log}") from None


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(ENDS_IN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
