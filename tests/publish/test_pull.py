"""Bringing a disk here: begun, broken off, changed meanwhile, without room."""

import errno
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from build.errors import CallerError, KilnError, MachineError
from build.progress import Progress
from publish import arm as resources
from publish import credentials, landing, pulling, refusals, targetfile
from publish.guard import anything
from publish.playground.strict import Answer, Exchange
from publish.pulling import PullRequest
from publish.staging import Staging
from tests.publish.conftest import Desk
from tests.publish.images import SIZE, disk

pytestmark = pytest.mark.real
READ = 6


def staged(account: Staging, file: Path, name: str = "x.vhd") -> str:
    """The file as a page blob, by another hand than ours; its URL."""
    client = account.client().get_blob_client(name)
    refusals.patiently(lambda: client.upload_blob(file.read_bytes(), blob_type="PageBlob", overwrite=True))
    return str(client.url)


def broken_after(desk: Desk, pieces: int) -> None:
    """Refuse what comes after so many reads."""
    seen: list[Exchange] = []

    def fault(one: Exchange, before: int) -> Answer | None:
        if one.operation != "Get Blob":
            return None
        seen.append(one)
        return Answer(403, "AuthorizationFailure") if len(seen) > pieces else None

    desk.playground.gate.faults.append(fault)


def begun(desk: Desk, request: PullRequest) -> None:
    """A pull that was broken off."""
    broken_after(desk, READ)
    with pytest.raises(KilnError):
        pulling.pull(request, Progress())
    desk.playground.gate.faults.clear()
    assert request.output.with_name(f".{request.output.name}.partial").exists()


@pytest.fixture
def request_of(desk: Desk, account: Staging, tmp_path: Path) -> PullRequest:
    url = staged(account, disk(tmp_path / "x.vhd", 20))
    return PullRequest(tmp_path / "back.vhd", blob=url, to=desk.target)


def test_begins_anew_where_the_disk_was_changed_meanwhile(
    desk: Desk, account: Staging, request_of: PullRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(desk, request_of)
    other = disk(tmp_path / "other.vhd", 15, seed=2)
    staged(account, other)
    pulling.pull(request_of, Progress())
    assert request_of.output.read_bytes() == other.read_bytes()
    assert "it begins anew" in capsys.readouterr().err


def test_never_goes_on_with_what_was_begun_of_another_disk(
    desk: Desk, account: Staging, request_of: PullRequest, tmp_path: Path
) -> None:
    begun(desk, request_of)
    other = disk(tmp_path / "other.vhd", 15, seed=2)
    another = PullRequest(request_of.output, blob=staged(account, other, "y.vhd"), to=desk.target)
    pulling.pull(another, Progress())
    assert request_of.output.read_bytes() == other.read_bytes()


def test_notices_a_disk_that_changes_while_it_is_read(desk: Desk, account: Staging, request_of: PullRequest) -> None:
    seen: list[Exchange] = []

    def change(one: Exchange, before: int) -> Answer | None:
        if one.operation == "Get Blob" and not seen:
            seen.append(one)
            desk.playground.blobs.fence(request_of.blob)
        return None

    desk.playground.gate.faults.append(change)
    with pytest.raises(CallerError, match="changed while it was read"):
        pulling.pull(request_of, Progress())
    assert not request_of.output.exists()
    pulling.pull(request_of, Progress())
    assert request_of.output.stat().st_size == SIZE + 512


@pytest.mark.parametrize("damage", ["", "{", "no json\n1\n", "cut"])
def test_trusts_no_damaged_record(
    damage: str, desk: Desk, account: Staging, request_of: PullRequest, tmp_path: Path
) -> None:
    begun(desk, request_of)
    record = request_of.output.with_name(f".{request_of.output.name}.partial{landing.RECORD}")
    record.write_text(record.read_text()[:-2] if damage == "cut" else damage)
    pulling.pull(request_of, Progress())
    assert request_of.output.read_bytes() == (tmp_path / "x.vhd").read_bytes()


def test_says_that_the_disk_is_full_and_goes_on_later(
    desk: Desk, account: Staging, request_of: PullRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file system takes a part of a piece, then nothing."""
    whole, taken = os.pwrite, []

    def short(file: int, data: bytes, offset: int) -> int:
        taken.append(offset)
        if len(taken) > READ + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(file, data[: len(data) // 2] if len(taken) > READ else data, offset)

    with monkeypatch.context() as patched, pytest.raises(MachineError, match="No space left") as caught:
        patched.setattr(os, "pwrite", short)
        pulling.pull(request_of, Progress())
    assert "what is here is kept" in caught.value.hint
    before = desk.playground.gate.count("Get Blob")
    pulling.pull(request_of, Progress())
    assert request_of.output.read_bytes() == (tmp_path / "x.vhd").read_bytes()
    assert 0 < desk.playground.gate.count("Get Blob") - before < 20


def snapshot(desk: Desk, url: str) -> str:
    """A snapshot with a blob's content, always by the same name; its id."""
    target = targetfile.load(desk.target)
    who = credentials.credential(target.cloud)
    with resources.session(target.cloud, target.subscription, target.resource_group, who, anything) as arm:
        client: Any = arm.compute.snapshots
        arm.finish("delete", partial(client.begin_delete, arm.group, desk.name))
        body = {
            "location": target.location,
            "properties": {"creationData": {"createOption": "Import", "sourceUri": url}},
        }
        made = arm.finish("snapshot", partial(client.begin_create_or_update, arm.group, desk.name, body))
        return str(made["id"])


def test_never_takes_a_new_snapshot_for_an_old_one_of_its_name(
    desk: Desk, account: Staging, request_of: PullRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the same id and length: only the service's own number and day tell it from the one before."""
    first = snapshot(desk, request_of.blob)
    begun(desk, request := PullRequest(request_of.output, snapshot=first, to=desk.target))
    other = disk(tmp_path / "other.vhd", 20, seed=2)
    assert snapshot(desk, staged(account, other, "y.vhd")) == first
    pulling.pull(request, Progress())
    assert request.output.read_bytes() == other.read_bytes()
    assert "it begins anew" in capsys.readouterr().err


def test_goes_on_with_a_snapshot_that_is_the_same(desk: Desk, request_of: PullRequest, tmp_path: Path) -> None:
    request = PullRequest(request_of.output, snapshot=snapshot(desk, request_of.blob), to=desk.target)
    begun(desk, request)
    before = desk.playground.gate.count("Get Blob")
    pulling.pull(request, Progress())
    assert request.output.read_bytes() == (tmp_path / "x.vhd").read_bytes()
    assert desk.playground.gate.count("Get Blob") - before < 20


def test_tells_what_went_wrong_first(desk: Desk, request_of: PullRequest, capsys: pytest.CaptureFixture[str]) -> None:
    """Taking the address back is refused, too: that comes second."""
    id = snapshot(desk, request_of.blob)
    broken_after(desk, READ)
    desk.playground.world.faults.denied = {"Microsoft.Compute/snapshots/endGetAccess/action"}
    with pytest.raises(KilnError, match="AuthorizationFailure"):
        pulling.pull(PullRequest(request_of.output, snapshot=id, to=desk.target), Progress())
    assert "closing" in capsys.readouterr().err


@pytest.mark.parametrize(("where", "what"), [("missing/x.vhd", "is no folder"), ("file/x.vhd", "is no folder")])
def test_says_in_one_line_where_it_cannot_write(where: str, what: str, request_of: PullRequest, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(KilnError, match=what):
        pulling.pull(PullRequest(tmp_path / where, blob=request_of.blob, to=request_of.to), Progress())


def test_says_in_one_line_that_a_folder_takes_nothing(request_of: PullRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(MachineError, match=r"back\.vhd cannot be written: Read-only file system") as caught:
        pulling.pull(request_of, Progress())
    assert "--output" in caught.value.hint
