"""What an injection does to the stage: services behind faults or behind closed doors, another disc, other hardware."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from build.command import CommandFailed, run
from harness.azure.faults import FOREVER, troubled
from harness.azure.host import AzureHost
from harness.azure.server import Binding
from harness.director import SPARE_PORT, opened_after
from harness.discs import DISCS, document
from harness.hardware import blockdev
from harness.injection import Do, Injection
from harness.media import azure_dvd
from harness.vm import IMDS, VirtualMachine

ADDRESSES = {"imds": IMDS}
"""Addresses that can be silent: the wireserver's is the address server's own."""
DECOY = 1 << 30
MOVED_TO = "10.0.0.9"
"""The address that a guest gets instead of its first one."""


def silent_addresses(injection: Injection) -> tuple[str, ...]:
    """The addresses that nobody has."""
    return tuple(ADDRESSES[one.service] for one in injection.absences if one.silent)


@dataclass(frozen=True)
class Doors:
    """The bindings behind their faults; the gates of those that are closed are opened by `opening`."""

    bindings: tuple[Binding, ...]
    gates: tuple[tuple[str, float, threading.Event], ...]

    @contextmanager
    def opening(self, host: AzureHost, appear: Callable[[str], None]) -> Iterator[None]:
        """Open each gate when its time has come, until the block is left."""
        stopping = threading.Event()
        with ExitStack() as stack:
            stack.callback(stopping.set)
            for address, seconds, gate in self.gates:
                if seconds < FOREVER:
                    thread = threading.Thread(
                        target=_open, args=(host, address, seconds, gate, appear, stopping), daemon=True
                    )
                    thread.start()
                    stack.callback(thread.join)
                    stack.callback(stopping.set)
            yield


def _open(
    host: AzureHost,
    address: str,
    seconds: float,
    gate: threading.Event,
    appear: Callable[[str], None],
    stopping: threading.Event,
) -> None:
    due = threading.Event()
    opened_after(host, seconds, due, stopping)
    if due.is_set():
        if address:
            with suppress(CommandFailed):
                appear(f"{address}/32")
        gate.set()


def doors(bindings: Sequence[Binding], injection: Injection, host: AzureHost) -> Doors:
    """The host's services with what is wrong with each."""
    found, gates = [], []
    for binding in bindings:
        gate = None
        if absence := injection.absence(binding.source):
            gate = threading.Event()
            gates.append((binding.address if absence.silent else "", absence.seconds, gate))
            host.journal.add("fault", binding.source, does="silent" if absence.silent else "absent")
        app = troubled(binding.app, binding.source, injection.http, host.journal, seed=injection.seed)
        found.append(binding._replace(app=app, gate=gate))
    return Doors(tuple(found), tuple(gates))


def faulty_disc(injection: Injection, vm: VirtualMachine, path: Path) -> Path | None:
    """The disc that lies in the drive at first, written to `path`, None where none does."""
    disc = DISCS[injection.disc] if injection.disc else None
    if disc is None or not disc.there:
        azure_dvd(vm, path)
    else:
        azure_dvd(vm, path, document(disc, vm), disc.udf)
    return path if disc is None or disc.there else None


def disc_fails(injection: Injection) -> bool:
    """Whether reading the disc is an error."""
    return bool(injection.disc) and not DISCS[injection.disc].readable


def extra_hardware(injection: Injection, vm: VirtualMachine, scratch: Path) -> tuple[str, ...]:
    """QEMU's words for what the faults need besides."""
    words: list[str] = []
    if injection.decoy:
        path = scratch / "decoy.qcow2"
        run("qemu-img", "create", "-q", "-f", "qcow2", path, str(DECOY))
        words += [*blockdev("decoy", "qcow2", path), "-device", "virtio-blk-pci,drive=decoy"]
    if vm.generation == 2 and any(one.do is Do.NEW_CARD for one in injection.moments):
        words += ["-device", f"pcie-root-port,id={SPARE_PORT},chassis=9"]
    return tuple(words)
