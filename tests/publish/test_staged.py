"""What a plan says of the staging account: what is there, what a base would save, and that it could not look."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import CallerError
from build.progress import Progress
from publish import api, bases, sessions, staged, staging, targetfile
from publish.guard import only_looking
from publish.plan import Action, Order, Plan
from publish.playground.strict import Answer, Exchange
from publish.source import Source, read
from publish.staging import Staging
from publish.subject import subject
from publish.versions import DIGEST
from publish.versions import IMAGE as NAME
from tests.publish.conftest import Desk
from tests.publish.images import Image, disk, image

pytestmark = pytest.mark.real
VERSION = "12.20261124.0"


@pytest.fixture
def proven(tmp_path: Path) -> Image:
    return image(tmp_path / "debian-12-genboth-x86_64", "gen1", "gen2")


@pytest.fixture
def order(desk: Desk, proven: Image) -> Order:
    target = targetfile.load(desk.target)
    return Order(target, subject(proven.folder, proven.folder.parent), read(proven.disk), {}, api.date(2026, 11, 24))


def refused(what: str) -> Callable[[Exchange, int], Answer | None]:
    """No right to do this with storage."""
    return lambda one, before: Answer(403, "AuthorizationPermissionMismatch") if one.operation == what else None


def told(order: Order, version: str = "") -> tuple[str, ...]:
    """What is said of the upload, by a session that can only look."""
    with sessions.session(order.target, only_looking) as one:
        plan = staged.looked_up(one, order, Plan((Action("upload", "blob", order.blob),)), version)
    (action,) = plan.actions
    return (*action.details, *(f"refused: {one.what}" for one in plan.refusals))


def published(order: Order, account: Staging, source: Source) -> str:
    """The staged file of a version of that content."""
    name = f"base-{source.digest[:16]}.vhd"
    staging.upload(source, name, account, Progress())
    bases.keep(source, name, account)
    return name


@pytest.fixture
def base(order: Order, account: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The staged file of a version that has data where the order's file has, and other data."""
    source = read(disk(tmp_path / "before.vhd", seed=2))
    assert list(source.blocks.numbers) == list(order.source.blocks.numbers)
    version = {"name": VERSION, "tags": {DIGEST: source.digest, NAME: "base"}}
    monkeypatch.setattr(bases, "every", lambda arm, target: [version])
    return published(order, account, source)


def test_says_nothing_where_nothing_is_there(order: Order, account: Staging) -> None:
    assert told(order) == ()


def test_says_what_is_there_of_each_file(order: Order, account: Staging, tmp_path: Path) -> None:
    whole = read(disk(tmp_path / "data.vhd", seed=9))
    with_data = replace(order, data={3: whole})
    staging.upload(whole, with_data.data_blobs[3], account, Progress())
    account.blob(order.blob).create(order.source.length, staging._metadata(order.source, staging.UPLOADING, account))
    left = order.source.blocks
    assert told(with_data) == (
        f"an earlier run has begun: {len(left) * 65536 >> 20} MiB are left",
        "data disk 3: it is staged already: nothing is sent",
    )


def test_refuses_what_the_upload_would_refuse(order: Order, account: Staging) -> None:
    account.blob(order.blob).create(512, {})
    (line,) = told(order)
    assert line.startswith("refused: ")
    assert line.endswith("holds another file")


def test_says_once_that_it_may_not_look(desk: Desk, order: Order, account: Staging, tmp_path: Path) -> None:
    desk.playground.gate.faults.append(refused("Head"))
    (line,) = told(replace(order, data={3: read(disk(tmp_path / "data.vhd", seed=9))}))
    assert line.startswith("whether it is staged already cannot be seen: ")
    assert "\n" not in line


def test_says_what_a_base_saves(order: Order, base: str) -> None:
    assert told(order, VERSION) == (f"on top of {base}: 1 MiB differ, 0 MiB become zero",)


def test_says_that_a_base_is_gone(order: Order, account: Staging, base: str) -> None:
    account.blob(base).delete()
    assert told(order, VERSION) == (f"all is sent, since the base {base} is gone",)
    account.blob(f"{base}{bases.SUFFIX}").delete()
    assert told(order, VERSION) == (f"the list of {VERSION}'s blocks is gone: all is sent",)


def test_says_that_it_may_not_look_at_a_base(desk: Desk, order: Order, base: str) -> None:
    desk.playground.gate.faults.append(refused("Get Blob"))
    (line,) = told(order, VERSION)
    assert line.startswith(f"what {VERSION} would save cannot be seen: ")


def test_refuses_a_base_that_there_is_not(order: Order, base: str) -> None:
    with pytest.raises(CallerError, match="does not exist"):
        told(order, "12.20261124.1")


@pytest.mark.parametrize(("old", "new", "why"), [("[staging]", '[staging]\nroute = "disk"', "takes no base")])
def test_says_where_a_base_is_of_no_use(old: str, new: str, why: str, desk: Desk) -> None:
    staged.require_base_of_use(targetfile.load(desk.target))
    desk.change(old, new)
    with pytest.raises(CallerError, match=why):
        staged.require_base_of_use(targetfile.load(desk.target))


def test_prunes_nothing_that_a_version_needs_since_it_was_planned(desk: Desk, account: Staging, proven: Image) -> None:
    """Another publishes between the plan and its lock: the file that the plan names is a version's by then."""
    name = f"{proven.folder.name}-{proven.digest[:16]}.vhd"
    staging.upload(read(proven.disk), name, account, Progress())
    shown: list[Plan] = []

    def show(plan: Plan) -> None:
        shown.append(plan)
        if len(shown) == 1:
            desk.publish(proven.folder)

    api.prune(desk.target, Progress(), show, apply=True)
    assert [[one.name for one in plan.actions] for plan in shown] == [[name], []]
    assert staging.find(account, name)
