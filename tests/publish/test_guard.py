"""The guard of what is changed: asked before each request of each library that would change something."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from build.errors import Bug, MachineError
from publish import sessions, staging, targetfile
from publish.guard import only_looking
from publish.staging import Staging
from tests.publish.conftest import Desk

pytestmark = pytest.mark.real


def refusing(after: int) -> Iterator[None]:
    """Lets so many through."""
    yield from [None] * after
    raise MachineError("no longer held", "")


def test_lets_a_plan_only_look(desk: Desk, account: Staging) -> None:
    looking = replace(account, guard=only_looking)
    assert staging.find(looking, "x.vhd") is None
    with pytest.raises(Bug, match=r"a plan wanted to PUT https://.*/x\.vhd$"):
        looking.blob("x.vhd").create(512, {})
    with sessions.session(targetfile.load(desk.target), only_looking) as one:
        assert one.arm.get("gallery", lambda: one.arm.compute.galleries.get(one.arm.group, desk.name)) is None
        with pytest.raises(Bug, match="a plan wanted to PUT"):
            one.arm.compute.galleries.begin_create_or_update(one.arm.group, desk.name, {"location": "westeurope"})


def test_is_asked_again_before_each_try(desk: Desk) -> None:
    """The library repeats a request by itself; what was allowed a minute ago need not be any more."""
    desk.playground.world.faults.throttled = 9
    allowed, asked = refusing(2), list[str]()

    def guard(what: str) -> None:
        asked.append(what)
        next(allowed)

    with (
        sessions.session(targetfile.load(desk.target), guard) as one,
        pytest.raises(MachineError, match="no longer held"),
    ):
        one.arm.compute.galleries.begin_create_or_update(one.arm.group, desk.name, {"location": "westeurope"})
    assert len(asked) == 3
    assert desk.playground.world.faults.throttled == 7
