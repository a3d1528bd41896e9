"""A running machine: QEMU started, watched and ended. What it is made of is harness.hardware's matter.

Its files lie in the run's folder: console.log (all that the guest wrote on its serial port), firmware.log (what SeaBIOS
tells while it looks for something to boot) and qemu.log (QEMU's own complaints).
"""

import contextlib
import itertools
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from build.errors import MachineError
from harness.deadline import Deadline, Gone
from harness.hardware import Hardware, arguments, escaped
from harness.monitor import Monitor
from harness.processor import find_qemu
from harness.translations import forget

CONSOLE, FIRMWARE, COMPLAINTS = "console.log", "firmware.log", "qemu.log"
_numbers = itertools.count()
KILLED_AFTER = 10.0
"""Seconds that QEMU gets to end when asked."""


class Machine:
    """A machine that runs from entering the context until the guest switches it off, or the context is left.

    `on_event(name, data)` gets every QMP event in order, in a thread of its own; also without one they are heard.
    `prepare(machine)` is called once QEMU is there, before the machine starts.
    """

    def __init__(
        self,
        hardware: Hardware,
        folder: Path,
        on_event: Callable[[str, Mapping[str, Any]], None] | None = None,
        prepare: Callable[["Machine"], None] | None = None,
    ) -> None:
        self.hardware = hardware
        self.folder = folder
        self._tell = on_event
        self._prepare = prepare
        self._reason = ""
        self.panicked = False
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> "Machine":
        """Switch it on. Raises MachineError where QEMU is missing or refuses to start."""
        with contextlib.ExitStack() as stack:
            self.console_socket = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kiln-")), "console")
            ours, qemus = socket.socketpair()
            with qemus:
                command = [
                    find_qemu(self.hardware.processor),
                    *arguments(self.hardware),
                    *self._lines_to_us(qemus.fileno()),
                ]
                descriptors = (qemus.fileno(), *self.hardware.descriptors)
                complaints = stack.enter_context((self.folder / COMPLAINTS).open("w"))
                self._process = subprocess.Popen(
                    command,
                    pass_fds=descriptors,
                    stdin=subprocess.DEVNULL,
                    stdout=complaints,
                    stderr=complaints,
                    process_group=0,  # a Ctrl-C in the terminal is for Kiln, which then ends the machine in order
                )
            stack.callback(self._end)
            try:
                self._monitor = Monitor(ours, self._heard)
            except Gone as gone:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(KILLED_AFTER)
                raise self._unstarted(gone) from None
            stack.callback(self._monitor.close)
            try:
                if self._prepare:
                    self._prepare(self)
                self._monitor.execute("cont")
            except Gone as gone:
                raise self._unstarted(gone) from None
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def move(self, hardware: Hardware, prepare: Callable[["Machine"], None]) -> None:
        """End QEMU, and go on in another with this hardware, once `prepare` was called. Raises MachineError."""
        self._cleanup.close()
        self.hardware, self._prepare = hardware, prepare
        self.__enter__()

    @property
    def alive(self) -> bool:
        """Whether QEMU still runs."""
        return self._process.poll() is None

    @property
    def end(self) -> str:
        """How it ended, "" while it runs."""
        status = self._process.poll()
        if status is None:
            return ""
        if status == 0:
            return f"the machine was switched off ({self._reason or 'nobody said why'})"
        return f"QEMU died with status {status}: {self._complaint() or 'without a word'}"

    def check_alive(self) -> None:
        """Raise Gone, saying how it ended, unless it runs."""
        if end := self.end:
            raise Gone(end)

    def wait(self, deadline: Deadline) -> str:
        """Wait until it is switched off, and return how. Raises TooLate."""
        return deadline.until("the machine to switch off", lambda: self.end or None, every=0.1)

    def command(self, name: str, /, **arguments: Any) -> Any:
        """A QMP command's return value; in names of arguments _ stands for -. Raises Gone."""
        return self._monitor.execute(name, **arguments)

    def powerdown(self) -> None:
        """Press the power button; the guest decides what follows. Raises Gone."""
        self._monitor.execute("system_powerdown")

    def reset(self) -> None:
        """Press the reset button. Raises Gone."""
        self._monitor.execute("system_reset")

    def forget_translations(self) -> None:
        """After a reset under emulation: see `harness.translations`. Raises Gone."""
        if self.hardware.accelerator.name == "tcg":
            forget(self._monitor.execute)

    def remove_dvd(self) -> None:
        """Take the medium out of the drive, as Azure does once a guest is provisioned. Raises Gone."""
        self.insert_dvd(None)

    def insert_dvd(self, path: Path | None) -> None:
        """Put another medium into the drive, or none: the guest notices that it was changed. Raises Gone."""
        self._monitor.execute("blockdev-open-tray", id="dvd", force=True)
        self._monitor.execute("blockdev-remove-medium", id="dvd")
        if path:
            node = f"medium-{next(_numbers)}"
            file = {"driver": "file", "filename": str(path)}
            self._monitor.execute("blockdev-add", driver="raw", node_name=node, read_only=True, file=file)
            self._monitor.execute("blockdev-insert-medium", id="dvd", node_name=node)
        self._monitor.execute("blockdev-close-tray", id="dvd")

    def screenshot(self, path: Path) -> Path:
        """Save the screen as PNG. Raises Gone."""
        self._monitor.execute("screendump", filename=str(path.absolute()), format="png")
        return path

    def _lines_to_us(self, monitor: int) -> list[str]:
        console, firmware = (escaped(str(self.folder / name)) for name in (CONSOLE, FIRMWARE))
        server = f"path={escaped(str(self.console_socket))},server=on,wait=off"
        return [
            *("-chardev", f"socket,id=console,{server},logfile={console},logappend=on", "-serial", "chardev:console"),
            *(_listener(firmware, port) if (port := self.hardware.processor.port) else ()),
            *("-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control"),
            "-S",  # until we listen, so that no event is missed
        ]

    def _heard(self, name: str, data: Mapping[str, Any]) -> None:
        if name == "SHUTDOWN":
            self._reason = str(data.get("reason", ""))
        self.panicked |= name == "GUEST_PANICKED"
        if self._tell:
            self._tell(name, data)

    def _unstarted(self, gone: Gone) -> MachineError:
        return MachineError(f"QEMU did not start: {self._complaint() or gone}", f"see {self.folder / COMPLAINTS}")

    def _complaint(self) -> str:
        """The last lines of what QEMU itself wrote."""
        text = (self.folder / COMPLAINTS).read_text(errors="replace")
        return "; ".join(
            line.removeprefix(f"{self.hardware.processor.qemu}: ") for line in text.strip().splitlines()[-3:]
        )

    def _end(self) -> None:
        """End QEMU, whatever state it is in."""
        self._process.terminate()
        try:
            self._process.wait(KILLED_AFTER)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _listener(firmware: str, port: int) -> list[str]:
    return [
        "-chardev",
        f"file,id=firmware,path={firmware}",
        "-device",
        f"isa-debugcon,iobase={port:#x},chardev=firmware",
    ]
