"""The director: moments counted from the journal, and what is done when they come."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from harness import director
from harness.azure.host import AzureHost
from harness.deadline import Deadline, Gone
from harness.director import Scene, directed, is_due
from harness.injection import READY, Do, Moment
from harness.qemu import Machine
from tests.harness.guests import VM


class Pretender:
    """A machine that remembers what it was told."""

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


def test_says_what_could_not_be_done() -> None:
    host, _, _ = play(Moment(Do.CUT_POWER))
    crash = host.journal.first("fault", "crash")
    assert crash is not None and crash.details["reason"] == "QEMU's monitor: gone"
