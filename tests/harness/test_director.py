"""The director: moments counted from the journal, and what is done when they come."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from harness import director
from harness.azure.host import AzureHost
from harness.deadline import Deadline, Gone
from harness.director import Scene, directed, is_due
from harness.hardware import CARD, network_card
from harness.injection import READY, Do, Moment
from harness.qemu import Machine
from tests.harness.guests import VM
from tests.harness.test_hardware import GEN2


class Pretender:
    """A machine that remembers what it was told."""

    hardware = GEN2

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []

    def command(self, name: str, /, **arguments: Any) -> None:
        self.told.append((name, arguments))

    def reset(self) -> None:
        raise Gone("QEMU's monitor: gone")

    def insert_dvd(self, path: object) -> None:
        self.told.append(("insert", {"path": path}))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(director, "PACE", 0.001)


def play(*moments: Moment, ready: bool = True) -> tuple[AzureHost, Pretender, list[str]]:
    """What was done until as many faults were journalled as there are moments."""
    host, machine, moved = AzureHost(VM), Pretender(), list[str]()
    host.journal.add("machine", "switched on")
    with directed(Scene(host, cast(Machine, machine), lambda: moved.append("moved")), moments):
        if ready:
            host.take_health("Ready")
        wanted = len(moments)
        Deadline.after(5).until(
            "the faults",
            lambda: len([one for one in host.journal.find("fault") if one.event == "machine"]) >= wanted or None,
            every=0.001,
        )
    return host, machine, moved


def test_a_moment_comes_so_long_after_its_entry() -> None:
    host = AzureHost(VM)
    moment = Moment(Do.CUT_POWER, READY, 60)
    assert not is_due(moment, host)
    host.take_health("Ready")
    assert not is_due(moment, host)
    host.journal.began -= 61
    assert is_due(moment, host)


def test_pulls_the_cable_and_puts_it_back() -> None:
    _, machine, _ = play(Moment(Do.CUT_LINK))
    assert [(name, told["up"]) for name, told in machine.told] == [("set_link", False), ("set_link", True)]


def test_changes_the_goal_state() -> None:
    host, _, _ = play(Moment(Do.NEW_GOAL, READY), Moment(Do.NEW_CONTAINER, READY))
    assert host.vm.incarnation == VM.incarnation + 2
    assert host.vm.container_id != VM.container_id


def test_plugs_in_a_card_moves_the_guest_and_inserts_the_disc() -> None:
    _, machine, moved = play(Moment(Do.NEW_CARD), Moment(Do.MOVE), Moment(Do.INSERT_DISC))
    assert [name for name, _ in machine.told] == ["netdev_add", "device_add", "insert"]
    assert machine.told[1][1]["bus"] == "spare"
    assert moved == ["moved"]


def test_hands_a_machine_over_while_it_has_no_link() -> None:
    host, machine, order = AzureHost(VM), Pretender(), list[str]()
    host.take_health("Ready")

    def hand_over() -> None:
        order.extend(name for name, _ in machine.told)
        order.append("handed over")

    scene = Scene(host, cast(Machine, machine), lambda: None, None, hand_over)
    with directed(scene, (Moment(Do.HAND_OVER, READY),)):
        Deadline.after(5).until("the link", lambda: len(machine.told) == 2 or None, every=0.001)
    assert order == ["set_link", "handed over"]
    assert [told["up"] for _, told in machine.told] == [False, True]
    assert not host.journal.find("fault")


def exchange(letting_go: Callable[[AzureHost], None]) -> tuple[AzureHost, list[tuple[str, Mapping[str, Any]]]]:
    """What a machine that waits saved is told, and "handed over" among it; `letting_go` is what the guest does."""
    host, machine = AzureHost(VM), Pretender()
    host.take_health("Ready")
    letting_go(host)
    scene = Scene(host, cast(Machine, machine), lambda: None, None, lambda: machine.told.append(("handed over", {})))
    with directed(scene, (Moment(Do.EXCHANGE_CARD, READY),)):
        Deadline.after(5).until(
            "its end", lambda: machine.told[2:] or host.journal.find("fault", "crash") or None, every=0.001
        )
    return host, machine.told


def test_gives_a_machine_its_owners_card_once_its_own_is_gone() -> None:
    host, told = exchange(lambda host: host.journal.add("qmp", "DEVICE_DELETED", device=CARD, path="/"))
    assert [name for name, _ in told] == ["device_del", "handed over", "device_add"]
    assert told[2][1] == network_card(GEN2, VM.mac)
    assert not host.journal.find("fault")


def test_hands_nothing_over_where_the_guest_keeps_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(director, "LETS_GO_IN", 0.0)
    host, told = exchange(lambda host: None)
    assert [name for name, _ in told] == ["device_del"]
    crash = host.journal.first("fault", "crash")
    assert crash is not None and "did not let its network card go" in crash.details["reason"]


def test_says_what_could_not_be_done() -> None:
    host, _, _ = play(Moment(Do.CUT_POWER))
    crash = host.journal.first("fault", "crash")
    assert crash is not None and crash.details["reason"] == "QEMU's monitor: gone"
