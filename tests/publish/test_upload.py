"""Uploads that are disturbed: by the service, by the network, by a second writer, by kill -9."""

from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import CallerError, KilnError, SubscriptionError
from build.progress import Progress
from build.vhd import LENGTH
from publish import sending, staging
from publish.blocks import Extent
from publish.pageblob import PageBlob, State
from publish.playground.strict import Answer, Exchange, Fault
from publish.source import Source, read
from publish.staging import Base, Staging
from tests.publish.conftest import Desk
from tests.publish.images import PIECE, SIZE, disk, written
from tests.publish.killing import kill_after

pytestmark = pytest.mark.real
PIECES = 40
IN_FLIGHT = 8
"""Pieces that are on their way at once at first: what of them came through, nobody knows who was killed."""


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return read(disk(tmp_path / "x.vhd", PIECES))


def content(account: Staging, name: str) -> bytes:
    return bytes(account.client().get_blob_client(name).download_blob().readall())


def puts(answer: Answer, *numbers: int) -> Fault:
    """A fault of the Put Pages with these numbers, counted from now."""
    seen: list[Exchange] = []

    def fault(one: Exchange, before: int) -> Answer | None:
        if one.operation != "Put Page":
            return None
        seen.append(one)
        return answer if len(seen) - 1 in numbers else None

    return fault


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, "OperationTimedOut"),
        Answer(503, "ServerBusy"),
        Answer(503, "ServerBusy", after=True),
        Answer(0),
        Answer(0, after=True),
    ],
    ids=["500", "503", "503-after", "reset", "reset-after"],
)
def test_bears_what_the_service_and_the_network_do(
    answer: Answer, desk: Desk, account: Staging, source: Source
) -> None:
    desk.playground.gate.faults.append(puts(answer, 0, 1, 5, 17, 39))
    done = staging.upload(source, "x.vhd", account, Progress())
    assert content(account, "x.vhd") == source.path.read_bytes()
    assert done.sent == PIECES * PIECE


@pytest.mark.parametrize("operation", ["Head", "Put Blob", "Set Properties", "Get Page Ranges", "Set Metadata"])
def test_asks_again_what_stands_alone(operation: str, desk: Desk, account: Staging, source: Source) -> None:
    seen: list[Exchange] = []

    def fault(one: Exchange, before: int) -> Answer | None:
        if one.operation != operation or len(seen) >= 2:
            return None
        seen.append(one)
        return Answer(503, "ServerBusy") if len(seen) == 1 else Answer(0)

    desk.playground.gate.faults.append(fault)
    staging.upload(source, "x.vhd", account, Progress())
    assert len(seen) == 2
    assert content(account, "x.vhd") == source.path.read_bytes()


def test_reads_everything_back_if_asked(account: Staging, source: Source) -> None:
    staging.upload(source, "x.vhd", account, Progress(), verify="full")
    staging.upload(source, "y.vhd", account, Progress(), verify="sample")


def test_finds_what_is_not_as_it_was_sent(account: Staging, source: Source, tmp_path: Path) -> None:
    staging.upload(source, "x.vhd", account, Progress())
    blob = account.blob("x.vhd")
    blob.client.upload_page(b"\1" * 512, 0, 512)
    with pytest.raises(KilnError, match="differs from"):
        sending.verify(source, blob, "full", Progress())


def test_never_writes_over_another_file(account: Staging, source: Source, tmp_path: Path) -> None:
    staging.upload(source, "x.vhd", account, Progress())
    other = read(disk(tmp_path / "other.vhd", seed=2))
    with pytest.raises(CallerError, match="holds another file"):
        staging.upload(other, "x.vhd", account, Progress())


def test_shuts_out_a_writer_that_was_overtaken(desk: Desk, account: Staging, source: Source) -> None:
    """Another one begins while this one is at its first page."""
    begun: list[int] = []

    def overtake(one: Exchange, before: int) -> Answer | None:
        if one.operation == "Put Page" and not begun:
            begun.append(0)
            # The gate serves one request at a time: who begins in between comes from elsewhere.
            desk.playground.blobs.fence(f"{account.endpoint}/{account.container}/x.vhd")
        return None

    desk.playground.gate.faults.append(overtake)
    with pytest.raises(CallerError, match="began, and this one was shut out"):
        staging.upload(source, "x.vhd", account, Progress())
    desk.playground.gate.faults.clear()
    staging.upload(source, "x.vhd", account, Progress())
    assert content(account, "x.vhd") == source.path.read_bytes()


@pytest.mark.parametrize(
    ("operation", "number"), [("Set Metadata", 0), ("Put Page", PIECES), ("Get Page Ranges", 1), ("Set Metadata", 1)]
)
def test_marks_nothing_once_it_was_overtaken(
    operation: str, number: int, desk: Desk, account: Staging, source: Source
) -> None:
    """Another one begins as this one signs, writes the footer, verifies, and says that the file is whole."""
    seen: list[Exchange] = []

    def overtake(one: Exchange, before: int) -> Answer | None:
        if one.operation == operation and len(seen) <= number:
            seen.append(one)
            if len(seen) > number:
                desk.playground.blobs.fence(f"{account.endpoint}/{account.container}/x.vhd")
        return None

    desk.playground.gate.faults.append(overtake)
    with pytest.raises(CallerError, match="began, and this one was shut out"):
        staging.upload(source, "x.vhd", account, Progress())
    state = staging.find(account, "x.vhd")
    assert state and state.metadata[staging.STATE] == staging.UPLOADING
    if operation == "Put Page":
        assert not account.blob("x.vhd").ranges().touch(Extent(SIZE, LENGTH))


def test_names_whoever_overtook_it(desk: Desk, account: Staging, source: Source) -> None:
    begun: list[int] = []

    def overtake(one: Exchange, before: int) -> Answer | None:
        if one.operation == "Put Page" and not begun:
            begun.append(0)
            other = desk.playground.blobs._client(f"{account.endpoint}/{account.container}/x.vhd")
            other.set_sequence_number("increment")
            told = other.get_blob_properties().metadata
            other.set_blob_metadata({**told, sending.WRITER: "ann on desk (process 7)"})
        return None

    desk.playground.gate.faults.append(overtake)
    with pytest.raises(CallerError, match=r"x\.vhd by ann on desk \(process 7\) began, and this one was shut out"):
        staging.upload(source, "x.vhd", account, Progress())


@pytest.mark.parametrize(("operation", "number"), [("Put Blob", 1), ("Set Metadata", 1), ("Set Metadata", 2)])
def test_knows_its_own_word_whose_answer_was_lost(
    operation: str, number: int, desk: Desk, account: Staging, source: Source
) -> None:
    seen: list[Exchange] = []

    def lose(one: Exchange, before: int) -> Answer | None:
        if one.operation != operation:
            return None
        seen.append(one)
        return Answer(0, after=True) if len(seen) == number else None

    desk.playground.gate.faults.append(lose)
    staging.upload(source, "x.vhd", account, Progress())
    assert seen
    state = staging.find(account, "x.vhd")
    assert state and state.metadata[staging.STATE] == staging.COMPLETE
    assert content(account, "x.vhd") == source.path.read_bytes()


def test_says_that_access_is_over(desk: Desk, account: Staging, source: Source) -> None:
    desk.playground.gate.faults.append(puts(Answer(403, "AuthenticationFailed"), *range(1000)))
    with pytest.raises(SubscriptionError, match="the credential was refused"):
        staging.upload(source, "x.vhd", account, Progress())


def test_says_which_role_is_missing(desk: Desk, account: Staging, source: Source) -> None:
    desk.playground.gate.faults.append(puts(Answer(403, "AuthorizationPermissionMismatch"), *range(1000)))
    with pytest.raises(SubscriptionError) as caught:
        staging.upload(source, "x.vhd", account, Progress())
    assert "Storage Blob Data Contributor" in caught.value.hint


@pytest.mark.parametrize("first", [4, 15, 30, 40])
def test_goes_on_after_kill_9_with_what_was_not_there(first: int, desk: Desk, account: Staging, source: Source) -> None:
    gate = desk.playground.gate
    kill_after(desk.playground, first, lambda: staging.upload(source, "x.vhd", account, Progress()))
    there = [
        one for one in gate.exchanges if one.operation == "Put Page" and desk.name in one.path and one.status == 201
    ]
    before = gate.sent(desk.name)
    done = staging.upload(source, "x.vhd", account, Progress())
    assert content(account, "x.vhd") == source.path.read_bytes()
    again = gate.sent(desk.name) - before - 512
    assert again == done.sent
    assert done.sent <= PIECES * PIECE - sum(one.length for one in there if one.length > 512)


@pytest.mark.combination
def test_ends_the_same_wherever_it_is_killed(desk: Desk, account: Staging, source: Source) -> None:
    for point in range(1, 51):
        name = f"x{point}.vhd"
        kill_after(desk.playground, point, lambda name=name: staging.upload(source, name, account, Progress()))  # type: ignore[misc]
        staging.upload(source, name, account, Progress())
        assert content(account, name) == source.path.read_bytes()


def test_sends_only_what_changed_since_the_base(desk: Desk, account: Staging, source: Source, tmp_path: Path) -> None:
    staging.upload(source, "x.vhd", account, Progress())
    file = disk(tmp_path / "y.vhd", PIECES)
    written(file, 0, b"changed")
    written(file, SIZE // 2, b"\1" * (64 << 10))
    spot = SIZE // PIECES // PIECE * PIECE
    written(file, spot, bytes(PIECE))
    after = read(file)
    before = desk.playground.gate.sent("y.vhd")
    done = staging.upload(after, "y.vhd", account, Progress(), base=Base("x.vhd", source.blocks), verify="full")
    assert "on top of x.vhd" in done.done
    assert desk.playground.gate.sent("y.vhd") - before <= 1.1 * 2 * (64 << 10)
    assert done.cleared == PIECE
    assert content(account, "y.vhd") == file.read_bytes()


@pytest.mark.parametrize("known", [True, False], ids=["base-known", "base-unknown"])
@pytest.mark.parametrize("point", [1, 2, 3, 5, 8, 12])
def test_goes_on_with_a_delta_after_kill_9(
    point: int, known: bool, desk: Desk, account: Staging, source: Source, tmp_path: Path
) -> None:
    """What was sent on top of the copy stays, and what the base had is sent again only where nobody knows the base."""
    staging.upload(source, "x.vhd", account, Progress())
    file = disk(tmp_path / "y.vhd", PIECES)
    for number in range(10):
        written(file, number * SIZE // PIECES // PIECE * PIECE, b"changed")
    after, base = read(file), Base("x.vhd", source.blocks)
    before = desk.playground.gate.sent("y.vhd")
    kill_after(desk.playground, point, lambda: staging.upload(after, "y.vhd", account, Progress(), base=base))
    done = staging.upload(after, "y.vhd", account, Progress(), base=base if known else None, verify="full")
    assert content(account, "y.vhd") == file.read_bytes()
    if known:
        assert desk.playground.gate.sent("y.vhd") - before <= (10 + IN_FLIGHT) * (64 << 10)
        assert "on top of x.vhd" in done.done


@pytest.mark.parametrize("why", ["is gone", "MiB and this of"])
def test_says_why_it_sends_everything(why: str, account: Staging, source: Source, tmp_path: Path) -> None:
    if "gone" not in why:
        other = read(disk(tmp_path / "small.vhd", size=SIZE // 2))
        staging.upload(other, "base.vhd", account, Progress())
    done = staging.upload(source, "x.vhd", account, Progress(), base=Base("base.vhd", source.blocks))
    assert why in done.done
    assert done.sent == PIECES * PIECE


def test_lets_another_upload_be_that_began_as_it_copied_the_base(
    desk: Desk, account: Staging, source: Source, tmp_path: Path
) -> None:
    """What is there then is no copy of the base, and is not taken for one that failed."""
    staging.upload(source, "x.vhd", account, Progress())
    file = disk(tmp_path / "y.vhd", PIECES)
    written(file, 0, b"changed")
    after, seen = read(file), list[Exchange]()

    def overtake(one: Exchange, before: int) -> Answer | None:
        if one.operation == "Copy Blob" and not seen:
            seen.append(one)
            other = desk.playground.blobs._client(f"{account.endpoint}/{account.container}/y.vhd")
            other.create_page_blob(after.length, metadata=staging._metadata(after, staging.UPLOADING, account))
            other.upload_page(file.read_bytes()[:PIECE], 0, PIECE)
        return None

    desk.playground.gate.faults.append(overtake)
    done = staging.upload(after, "y.vhd", account, Progress(), base=Base("x.vhd", source.blocks), verify="full")
    assert content(account, "y.vhd") == file.read_bytes()
    assert done.sent == (PIECES - 1) * PIECE
    assert not [one for one in desk.playground.gate.exchanges if one.operation == "DELETE " and desk.name in one.path]


def test_goes_on_with_a_delta_whose_copy_was_still_being_made(
    desk: Desk, account: Staging, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed once the service had been asked for it, and the service is not done when the next run comes."""
    staging.upload(source, "x.vhd", account, Progress())
    file = disk(tmp_path / "y.vhd", PIECES)
    written(file, 0, b"changed")
    after, base = read(file), Base("x.vhd", source.blocks)
    account.blob("y.vhd").copy_from(
        account.blob("x.vhd").url, {**staging._metadata(after, staging.UPLOADING, account), staging.BASE: base.name}
    )
    looked, state = list[str](), PageBlob.state

    def pending(self: PageBlob) -> State | None:
        found = state(self)
        looked.append(self.url)
        return replace(found, copy="pending") if found and len(looked) < 4 else found

    monkeypatch.setattr(PageBlob, "state", pending)
    monkeypatch.setattr(staging, "COPYING", 0.01)
    before = desk.playground.gate.sent("y.vhd")
    done = staging.upload(after, "y.vhd", account, Progress(), base=base, verify="full")
    assert content(account, "y.vhd") == file.read_bytes()
    assert desk.playground.gate.sent("y.vhd") - before == (64 << 10) + LENGTH
    assert "on top of x.vhd" in done.done
