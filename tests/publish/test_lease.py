"""The lock of a definition: who has it, who had it and died, and who stood still for so long that it is another's."""

import os
import signal
import time
from dataclasses import dataclass, field

import pytest

from build.errors import CallerError, MachineError
from build.progress import Progress
from publish import lease
from publish.lease import FOLDER, HOLDER, LEASE, MARGIN, PLACE, PROCESS, SECONDS, Lock
from publish.playground.strict import Answer, Exchange
from publish.staging import Staging
from tests.publish.conftest import Desk

pytestmark = pytest.mark.real
NAME = "a-definition"


@dataclass
class Clock:
    """A clock that is put forward by hand."""

    time: float = 0.0

    def __call__(self) -> float:
        return self.time


@dataclass
class Renewed:
    """A lease that counts how often it was renewed."""

    times: list[int] = field(default_factory=list)

    def renew(self, **_: float) -> None:
        self.times.append(1)


def test_is_certain_of_a_lock_for_a_while() -> None:
    clock, own = Clock(), Renewed()
    lock = Lock(NAME, own, clock)
    clock.time = SECONDS - MARGIN - 0.1
    lock.require()
    assert own.times == []
    clock.time = SECONDS - MARGIN
    lock.require()
    lock.require()
    assert len(own.times) == 1


def test_goes_on_after_standing_still_where_nobody_else_came(account: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEWAL", 3600.0)
    with lease.held(account, [NAME], Progress()) as names:
        clock = Clock(names.locks[0].certain + 1000)
        names.locks[0].now = clock
        names.require("")
        assert names.locks[0].certain == clock.time


def test_changes_nothing_any_more_once_another_came(account: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after SIGSTOP, or a lid that was closed: the lease has ended meanwhile, and another has the name."""
    from azure.storage.blob import BlobLeaseClient

    monkeypatch.setattr(lease, "RENEWAL", 3600.0)
    with lease.held(account, [NAME], Progress()) as names:
        blob = account.client().get_blob_client(f"{FOLDER}/{NAME}")
        BlobLeaseClient(blob).break_lease(0)
        with lease.held(account, [NAME], Progress()):
            names.locks[0].now = Clock(names.locks[0].certain + 1000)
            with pytest.raises(MachineError, match="no longer held"):
                names.require("")


def test_takes_over_at_once_from_one_who_died_here(account: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 0.0)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with lease.held(account, [NAME], Progress()):
            os.write(writing, b"x")
            signal.pause()
    assert os.read(reading, 1) == b"x"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with lease.held(account, [NAME], Progress()):
        told = account.client().get_blob_client(f"{FOLDER}/{NAME}").get_blob_properties().metadata
        assert told[PROCESS] == str(os.getpid())


def test_leaves_the_lease_of_one_who_came_just_now(account: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has taken a dead one's name has not said so yet: the blob still names the dead one."""
    monkeypatch.setattr(lease, "PATIENCE", 0.0)
    with lease.held(account, [NAME], Progress()) as names:
        blob = account.client().get_blob_client(f"{FOLDER}/{NAME}")
        told = blob.get_blob_properties().metadata
        dead = {HOLDER: "a dead one", PLACE: told[PLACE], PROCESS: str(2**22 + 1), LEASE: told[LEASE][::-1]}
        blob.set_blob_metadata(dead, lease=names.locks[0].lease)
        with (
            pytest.raises(CallerError, match="is being published by a dead one"),
            lease.held(account, [NAME], Progress()),
        ):
            pass
        names.locks[0].renew()


def test_knows_its_own_lease_whose_answer_was_lost(
    desk: Desk, account: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 0.0)
    seen: list[Exchange] = []

    def lose(one: Exchange, before: int) -> Answer | None:
        if one.operation != "Lease" or seen:
            return None
        seen.append(one)
        return Answer(0, after=True)

    desk.playground.gate.faults.append(lose)
    with lease.held(account, [NAME], Progress()):
        assert seen


def test_counts_a_lease_from_before_it_was_asked_for(desk: Desk, account: Staging) -> None:
    """Its holder may stand still before it hears that it has it."""
    seen: list[float] = []

    def late(one: Exchange, before: int) -> Answer | None:
        if one.operation != "Lease" or seen:
            return None
        seen.append(time.clock_gettime(time.CLOCK_BOOTTIME))
        return Answer(delay=1.0)

    desk.playground.gate.faults.append(late)
    with lease.held(account, [NAME], Progress()) as names:
        assert names.locks[0].certain <= seen[0]
