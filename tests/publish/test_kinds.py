"""A managed image, a managed disk, a version by way of a disk; and bringing disks back."""

from pathlib import Path

import pytest

from build.errors import CallerError, SubscriptionError
from build.progress import Progress
from publish import pulling
from publish.playground.strict import Answer, Exchange
from tests.publish.conftest import Desk
from tests.publish.images import SIZE, Image, disk, image

pytestmark = pytest.mark.real


def kind(desk: Desk, what: str, table: str) -> None:
    """Make the desk's target one of another kind."""
    text = desk.target.read_text()
    head, _, rest = text.partition("[gallery]")
    _, _, staging = rest.partition("[staging]")
    staging, _, _ = staging.partition("[[definition]]")
    body = f'kind = "{what}"\n{head}[{table}]\nname = "{desk.name}"\ngeneration = 2\n\n[staging]{staging}'
    desk.target.write_text(body)


def resource(desk: Desk, kind: str) -> dict[str, object] | None:
    found = desk.playground.world.resources
    return next((one for key, one in found.items() if key.endswith(f"/{kind}/{desk.name}".lower())), None)


@pytest.fixture
def generalized(tmp_path: Path) -> Image:
    return image(tmp_path / "debian-12-genboth-x86_64", "gen1", "gen2")


@pytest.fixture
def specialized(tmp_path: Path) -> Image:
    return image(
        tmp_path / "debian-12-genboth-specialized-x86_64", "gen2", kind="specialized", hostname="one", admin="me"
    )


def test_makes_a_managed_image_of_a_generalized_one(desk: Desk, generalized: Image) -> None:
    kind(desk, "managed-image", "managed_image")
    desk.publish(generalized.folder)
    made = resource(desk, "images")
    assert made
    assert made["properties"]["provisioningState"] == "Succeeded"  # type: ignore[index]
    assert not desk.publish(generalized.folder).plan.changes


def test_makes_a_managed_disk_of_a_specialized_one(desk: Desk, specialized: Image, tmp_path: Path) -> None:
    kind(desk, "managed-disk", "managed_disk")
    desk.publish(specialized.folder)
    made = resource(desk, "disks")
    assert made
    assert made["properties"]["diskState"] == "Unattached"  # type: ignore[index]
    assert not desk.publish(specialized.folder).plan.changes
    file = pulling.pull(pulling.PullRequest(tmp_path / "back.vhd", disk=str(made["id"]), to=desk.target), Progress())
    assert file.read_bytes() == specialized.disk.read_bytes()
    assert file.stat().st_blocks * 512 < SIZE // 4


@pytest.mark.parametrize(
    ("what", "table", "hint"),
    [("managed-image", "managed_image", 'kind = "gallery"'), ("managed-disk", "managed_disk", 'kind = "gallery"')],
)
def test_says_which_kind_takes_what_another_cannot(
    what: str, table: str, hint: str, desk: Desk, generalized: Image, specialized: Image
) -> None:
    kind(desk, what, table)
    wrong = specialized if what == "managed-image" else generalized
    with pytest.raises(CallerError) as caught:
        desk.publish(wrong.folder)
    assert hint in caught.value.hint


def test_never_writes_over_a_disk_of_something_else(desk: Desk, specialized: Image, tmp_path: Path) -> None:
    kind(desk, "managed-disk", "managed_disk")
    desk.publish(specialized.folder)
    other = image(tmp_path / "other", "gen2", seed=5, kind="specialized")
    with pytest.raises(CallerError, match="exists with other content"):
        desk.publish(other.folder)


def test_shows_a_disk_that_waits_for_another_upload(desk: Desk, specialized: Image, tmp_path: Path) -> None:
    kind(desk, "managed-disk", "managed_disk")
    desk.playground.gate.faults.append(
        lambda one, before: Answer(403, "AuthorizationFailure") if one.operation == "Put Page" else None
    )
    with pytest.raises(SubscriptionError):
        desk.publish(specialized.folder)
    desk.playground.gate.faults.clear()
    other = image(tmp_path / "other", "gen2", seed=5, kind="specialized")
    with pytest.raises(CallerError, match="waits for an upload of something else") as caught:
        desk.publish(other.folder)
    assert "az disk revoke-access" in caught.value.hint or "az disk revoke-access" in str(caught.value.what)
    desk.publish(specialized.folder)
    made = resource(desk, "disks")
    assert made
    assert made["properties"]["diskState"] == "Unattached"  # type: ignore[index]


def test_publishes_by_way_of_managed_disks_where_keys_are_forbidden(desk: Desk, generalized: Image) -> None:
    desk.change(f'container = "{desk.name}"', f'container = "{desk.name}"\nroute = "disk"')
    desk.publish(generalized.folder)
    assert {one["state"] for one in desk.versions()} == {"Succeeded"}
    sources = [
        one["properties"]["storageProfile"]["osDiskImage"]["source"]["id"].rsplit("-", 1)[1]
        for key, one in desk.playground.world.resources.items()
        if f"/{desk.name}/images/".lower() in key and "/versions/" in key
    ]
    assert sources == ["gen1", "gen2"]


def test_brings_data_disks_along(desk: Desk, generalized: Image, tmp_path: Path) -> None:
    disk(tmp_path / "data.vhd", seed=9)
    desk.target.write_text(f'{desk.target.read_text()}\n[[data_disk]]\nlun = 1\nfile = "{tmp_path}/data.vhd"\n')
    desk.publish(generalized.folder)
    (first, _) = [
        one["properties"]["storageProfile"]["dataDiskImages"]
        for key, one in desk.playground.world.resources.items()
        if f"/{desk.name}/images/".lower() in key and "/versions/" in key
    ]
    assert first[0]["lun"] == 1


def test_pulls_a_staged_file_and_goes_on_after_a_break(desk: Desk, generalized: Image, tmp_path: Path) -> None:
    desk.publish(generalized.folder)
    url = f"{desk.playground.endpoint}/{desk.name}/{generalized.folder.name}-{generalized.digest[:16]}.vhd"
    request = pulling.PullRequest(tmp_path / "back.vhd", blob=url, to=desk.target)
    gate = desk.playground.gate
    seen: list[Exchange] = []

    def broken(one: Exchange, before: int) -> Answer | None:
        if one.operation != "Get Blob":
            return None
        seen.append(one)
        return Answer(403, "AuthorizationFailure") if len(seen) > 4 else None

    gate.faults.append(broken)
    with pytest.raises(SubscriptionError):
        pulling.pull(request, Progress())
    assert not request.output.exists()
    gate.faults.clear()
    again = gate.count("Get Blob")
    pulling.pull(request, Progress())
    assert request.output.read_bytes() == generalized.disk.read_bytes()
    assert gate.count("Get Blob") - again < 9
    with pytest.raises(CallerError, match="exists already"):
        pulling.pull(request, Progress())


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({}, "which one?"),
        ({"disk": "x"}, "is no id of one of disks"),
        ({"disk": "a", "snapshot": "b"}, "which one?"),
        ({"blob": "https://127.0.0.1:1/a/b/c"}, "out of reach"),
    ],
)
def test_says_what_is_wrong_with_an_id(words: dict[str, str], what: str, desk: Desk, tmp_path: Path) -> None:
    from build.errors import KilnError

    with pytest.raises(KilnError, match=what):
        pulling.pull(pulling.PullRequest(tmp_path / "x.vhd", to=desk.target, **words), Progress())


@pytest.mark.parametrize("action", ["disks/beginGetAccess/action", "disks/endGetAccess/action", "disks/write"])
def test_asks_again_where_an_answer_was_lost(action: str, desk: Desk, specialized: Image) -> None:
    """What was asked for was done; asked for again it is the same."""
    kind(desk, "managed-disk", "managed_disk")
    desk.playground.world.faults.lost = {f"Microsoft.Compute/{action}"}
    desk.publish(specialized.folder)
    assert not desk.playground.world.faults.lost
    made = resource(desk, "disks")
    assert made
    assert made["properties"]["diskState"] == "Unattached"  # type: ignore[index]
