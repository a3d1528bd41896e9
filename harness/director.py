"""The director of a run with faults: does what is to be done to the machine and its host when its moment comes.

Moments are counted from entries of the journal, so that they fall into the same stage of a boot however fast it is.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from harness.azure.host import AzureHost
from harness.deadline import Gone
from harness.hardware import CARD, network_card
from harness.injection import Do, Moment
from harness.qemu import Machine
from harness.wire import NETDEV

SPARE_PORT = "spare"
"""The PCI Express port for a card that comes later; a BIOS machine's bus takes one as it is."""
HANDED_OVER: Mapping[str, Do] = {"Running": Do.HAND_OVER, "Savable": Do.EXCHANGE_CARD}
"""How a machine gets its owner, by how it waits in its pool."""
PACE = 0.1
"""Seconds between two looks at the journal."""
LETS_GO_IN = 120.0
"""Seconds that a guest has to let a card go: its kernel is asked, and must agree."""


@dataclass(frozen=True)
class Scene:
    """What the director may touch. `move` changes the guest's next address, `disc` can be put into the drive."""

    host: AzureHost
    machine: Machine
    move: Callable[[], None]
    disc: Path | None = None
    hand_over: Callable[[], None] = lambda: None


@contextmanager
def directed(scene: Scene, moments: tuple[Moment, ...]) -> Iterator[None]:
    """Do what the moments want, in a thread, until the block is left."""
    stopping = threading.Event()
    thread = threading.Thread(target=_loop, args=(scene, moments, stopping), name="director", daemon=True)
    if moments:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        if moments:
            thread.join()


def _loop(scene: Scene, moments: tuple[Moment, ...], stopping: threading.Event) -> None:
    pending = list(moments)
    while pending and not stopping.wait(PACE):
        for moment in tuple(pending):
            if not is_due(moment, scene.host):
                continue
            pending.remove(moment)
            if moment.do not in HANDED_OVER.values():  # which is no fault
                scene.host.journal.add("fault", "machine", does=moment.do.value)
            try:
                DEEDS[moment.do](scene, moment, stopping)
            except Gone as gone:
                scene.host.journal.add("fault", "crash", does=moment.do.value, reason=str(gone))


def is_due(moment: Moment, host: AzureHost) -> bool:
    """Whether the moment has come."""
    began = host.journal.first(*moment.since)
    return began is not None and host.journal.now >= began.at + moment.after


def _cut_link(scene: Scene, moment: Moment, stopping: threading.Event) -> None:
    scene.machine.command("set_link", name=NETDEV, up=False)
    stopping.wait(moment.seconds)
    scene.machine.command("set_link", name=NETDEV, up=True)


def _cut_power(scene: Scene, moment: Moment, stopping: threading.Event) -> None:
    """What the guest had not flushed is lost; what it had is on QEMU's disk, whose cache honours flushes."""
    scene.machine.reset()
    scene.machine.forget_translations()


def _hand_over(scene: Scene, moment: Moment, stopping: threading.Event) -> None:
    """As Azure does for a machine that waits Running: by its link it notices that it may go on."""
    scene.machine.command("set_link", name=NETDEV, up=False)
    scene.hand_over()
    stopping.wait(moment.seconds)
    scene.machine.command("set_link", name=NETDEV, up=True)


def _exchange_card(scene: Scene, moment: Moment, stopping: threading.Event) -> None:
    """As Azure does for a machine that waits Savable: its own card is pulled, and its owner's is plugged in."""
    scene.machine.command("device_del", id=CARD)
    if not _lets_go(scene.host, stopping):
        raise Gone(f"the guest did not let its network card go within {LETS_GO_IN:.0f} s")
    scene.hand_over()
    stopping.wait(moment.seconds)
    scene.machine.command("device_add", **network_card(scene.machine.hardware, scene.host.vm.mac))


def _lets_go(host: AzureHost, stopping: threading.Event) -> bool:
    asked = host.journal.now
    while not any(one.details.get("device") == CARD for one in host.journal.find("qmp", "DEVICE_DELETED")):
        if host.journal.now > asked + LETS_GO_IN or stopping.wait(PACE):
            return False
    return True


def _insert_disc(scene: Scene, moment: Moment, stopping: threading.Event) -> None:
    scene.machine.insert_dvd(scene.disc)


def _new_goal(scene: Scene, moment: Moment, stopping: threading.Event) -> None:
    scene.host.vm = replace(scene.host.vm, incarnation=scene.host.vm.incarnation + 1)


def _new_container(scene: Scene, moment: Moment, stopping: threading.Event) -> None:
    other = UUID(int=scene.host.vm.container_id.int ^ 1)
    scene.host.vm = replace(scene.host.vm, container_id=other, incarnation=scene.host.vm.incarnation + 1)


def _new_card(scene: Scene, moment: Moment, stopping: threading.Event) -> None:
    scene.machine.command("netdev_add", type="hubport", id="second", hubid=1)
    slot = {"bus": SPARE_PORT} if scene.host.vm.generation == 2 else {}
    scene.machine.command("device_add", driver="virtio-net-pci", id="second-card", netdev="second", romfile="", **slot)


def _move(scene: Scene, moment: Moment, stopping: threading.Event) -> None:
    scene.move()


DEEDS: Mapping[Do, Callable[[Scene, Moment, threading.Event], None]] = {
    Do.CUT_LINK: _cut_link,
    Do.CUT_POWER: _cut_power,
    Do.INSERT_DISC: _insert_disc,
    Do.NEW_GOAL: _new_goal,
    Do.NEW_CONTAINER: _new_container,
    Do.NEW_CARD: _new_card,
    Do.MOVE: _move,
    Do.HAND_OVER: _hand_over,
    Do.EXCHANGE_CARD: _exchange_card,
}


def opened_after(host: AzureHost, seconds: float, gate: threading.Event, stopping: threading.Event) -> None:
    """Set the gate so many seconds after the guest's first DHCP message; for a thread of its own."""
    while not stopping.wait(PACE):
        began = host.journal.first("dhcp")
        if began is not None and host.journal.now >= began.at + seconds:
            gate.set()
            return
