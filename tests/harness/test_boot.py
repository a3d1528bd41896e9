"""`boot` on a terminal: a shell over SSH, the serial console, and how one leaves them."""

import contextlib
import os
import pty
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.digest import content_digest
from tests.conftest import ImageMaker
from tests.processes import descendants, eventually, runs

PROJECT = Path(__file__).parents[2]
CODE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from harness.boot import BootRequest, boot
sys.exit(boot(BootRequest(image=Path(sys.argv[2]), generation=1, ssh=sys.argv[3] == "ssh")))
"""
LEAVE = b"\x1d"


class Terminal:
    """A program on a terminal of its own: what it shows, what is typed."""

    def __init__(self, *command: str) -> None:
        self.pid, self.descriptor = pty.fork()
        if not self.pid:
            os.execv(command[0], command)
        self.shown = b""

    def wait_for(self, text: bytes, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < limit, f"{text!r} did not come after {self.shown[-2000:]!r}"
            if select.select([self.descriptor], [], [], 1)[0]:
                self.shown += os.read(self.descriptor, 1 << 16)

    def type(self, text: bytes) -> None:
        os.write(self.descriptor, text)

    def status(self) -> int:
        """The program's exit status, once it has ended."""
        with contextlib.suppress(OSError):
            while os.read(self.descriptor, 1 << 16):
                pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def folder(image: ImageMaker) -> Iterator[Path]:
    """An image, which is afterwards as it was."""
    found = image("debian-12")
    disk = found / "disk.vhd"
    before = content_digest(disk, disk.stat().st_size)
    yield found
    assert content_digest(disk, disk.stat().st_size) == before


def start(folder: Path, how: str) -> Terminal:
    return Terminal(sys.executable, "-c", CODE, str(PROJECT), str(folder), how)


@pytest.mark.real
@pytest.mark.combination
def test_opens_a_shell_and_leaves_nothing(folder: Path) -> None:
    terminal = start(folder, "ssh")
    terminal.wait_for(b"azureuser@kiln-vm", 600)
    processes = descendants(terminal.pid)
    terminal.type(b"sudo id -un; echo sum $((6 * 7))\n")
    terminal.wait_for(b"root\r\nsum 42", 120)
    terminal.type(b"exit\n")
    assert terminal.status() == 0
    assert eventually(lambda: not any(runs(one) for one in processes))


@pytest.mark.real
@pytest.mark.combination
def test_shows_the_serial_console_until_one_leaves(folder: Path) -> None:
    terminal = start(folder, "console")
    terminal.wait_for(b"Linux version", 300)
    processes = descendants(terminal.pid)
    terminal.type(LEAVE)
    assert terminal.status() == 0
    assert eventually(lambda: not any(runs(one) for one in processes))
