"""Publishing to a gallery of the playground: real storage, the real libraries, a double of everything else."""

import json
from pathlib import Path

import pytest

from build.errors import CallerError, KilnError, SubscriptionError
from build.progress import Progress
from publish import api, versions
from publish.gate import NotProven
from publish.playground.azure import GROUP
from publish.playground.strict import Answer, Exchange
from publish.playground.world import SUBSCRIPTION
from tests.publish.conftest import Desk
from tests.publish.images import Image, image, report, written

pytestmark = pytest.mark.real
ENCRYPTION_SETS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute/diskEncryptionSets"


@pytest.fixture
def proven(tmp_path: Path) -> Image:
    return image(tmp_path / "debian-12-genboth-x86_64", "gen1", "gen2")


def blob_of(desk: Desk, made: Image) -> bytes:
    """What the staged file holds."""
    from publish import credentials, targetfile
    from publish.staging import Staging

    target = targetfile.load(desk.target)
    who = credentials.credential(target.cloud)
    staged = Staging(target.blob_endpoint, target.staging.container, who, target.cloud.certificate)
    name = f"{made.folder.name}-{made.digest[:16]}.vhd"
    return bytes(staged.client().get_blob_client(name).download_blob().readall())


def test_changes_nothing_unless_told_to(desk: Desk, proven: Image) -> None:
    before = len(desk.playground.world.exchanges)
    outcome = desk.publish(proven.folder, apply=False)
    assert not outcome.applied
    assert [(one.verb, one.kind) for one in outcome.plan.actions] == [
        ("create", "gallery"),
        *[("create", "definition")] * 2,
        ("upload", "blob"),
        *[("create", "version")] * 2,
    ]
    asked = [one.method for one in desk.playground.world.exchanges[before:] if "oauth2" not in one.path]
    assert asked
    assert set(asked) == {"GET"}


def test_registers_no_provider_while_it_plans(desk: Desk, proven: Image) -> None:
    desk.playground.world.faults.unregistered = True
    with pytest.raises(KilnError):
        desk.publish(proven.folder, apply=False)
    assert desk.playground.world.faults.unregistered


def test_publishes_both_generations_by_one_upload(desk: Desk, proven: Image) -> None:
    before = desk.playground.gate.sent(desk.name)
    desk.publish(proven.folder)
    rows = desk.versions()
    assert [(one["definition"], one["state"], one["latest"], one["proof"]) for one in rows] == [
        ("linux-gen1", "Succeeded", False, "booted"),
        ("linux-gen2", "Succeeded", False, "booted"),
    ]
    assert len({one["version"] for one in rows}) == 1
    assert {region["state"] for one in rows for region in one["regions"]} == {"Completed"}  # type: ignore[attr-defined]
    assert desk.playground.gate.sent(desk.name) - before == proven.held + 512
    assert blob_of(desk, proven) == proven.disk.read_bytes()


@pytest.mark.parametrize("style", ["location", "body"])
def test_understands_every_way_to_say_that_it_takes_long(style: str, desk: Desk, proven: Image) -> None:
    desk.playground.world.style = style
    desk.publish(proven.folder)
    assert {one["state"] for one in desk.versions()} == {"Succeeded"}


def test_does_nothing_twice(desk: Desk, proven: Image) -> None:
    desk.publish(proven.folder)
    sent, before = desk.playground.gate.sent(desk.name), len(desk.playground.world.exchanges)
    outcome = desk.publish(proven.folder)
    assert not outcome.plan.changes
    assert desk.playground.gate.sent(desk.name) == sent
    assert not [one for one in desk.playground.world.exchanges[before:] if one.method == "PUT"]


def test_gives_another_content_the_next_number(desk: Desk, proven: Image, tmp_path: Path) -> None:
    desk.publish(proven.folder)
    other = image(tmp_path / "other" / proven.folder.name, "gen1", "gen2", seed=2)
    desk.publish(other.folder)
    names = sorted({str(one["version"]) for one in desk.versions()})
    assert [versions.parse(name)[2] for name in names] == [1, 2]


def test_refuses_what_is_not_proven_and_leaves_no_trace(desk: Desk, tmp_path: Path) -> None:
    made = image(tmp_path / "debian", "gen1")
    report(made.folder / "runs", "gen2", made.digest, failed="hostname.kernel")
    with pytest.raises(NotProven, match=r"hostname\.kernel"):
        desk.publish(made.folder)
    assert desk.versions() == []
    assert desk.playground.gate.sent(desk.name) == 0


def test_marks_for_ever_what_was_published_unproven(desk: Desk, tmp_path: Path) -> None:
    made = image(tmp_path / "debian")
    outcome = desk.publish(made.folder, unverified=True)
    assert any("NOT PROVEN" in warning for warning in outcome.plan.warnings)
    assert {one["proof"] for one in desk.versions()} == {"UNVERIFIED"}


def test_refuses_a_definition_that_contradicts_the_image(desk: Desk, tmp_path: Path) -> None:
    made = image(tmp_path / "debian", "gen2", generations=[2])
    outcome = desk.publish(made.folder, apply=False)
    assert [one.name for one in outcome.plan.actions if one.verb == "skip"] == ["linux-gen1"]
    desk.change("generation = 1", 'generation = 1\nimage = "debian*"')
    with pytest.raises(CallerError, match="definition linux-gen1 contradicts debian: the image boots on generation 2"):
        desk.publish(made.folder)


def test_warns_of_promises_that_no_boot_here_can_prove(desk: Desk, proven: Image) -> None:
    desk.change("generation = 2", "generation = 2\nhibernation = true\naccelerated_networking = true")
    warnings = desk.publish(proven.folder, apply=False).plan.warnings
    assert warnings == (
        "linux-gen2 promises accelerated networking, which no boot here can prove",
        "linux-gen2 promises hibernation, which no boot here can prove",
    )


def test_never_changes_what_cannot_change(desk: Desk, proven: Image) -> None:
    desk.publish(proven.folder)
    desk.change('offer = "linux"\nsku = "linux-gen1"', 'offer = "other"\nsku = "linux-gen1"')
    with pytest.raises(CallerError, match=r"exists otherwise: identifier\.offer: linux -> other"):
        desk.publish(proven.folder)


def test_adds_a_region_to_a_version_that_exists(desk: Desk, proven: Image) -> None:
    desk.publish(proven.folder)
    desk.change('name = "northeurope"', 'name = "northeurope"\n\n[[version.region]]\nname = "westus"\nreplicas = 2')
    desk.publish(proven.folder)
    assert [region["name"] for region in desk.versions()[0]["regions"]] == ["northeurope", "westeurope", "westus"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('resource_group = "playground"', 'resource_group = "none"', "there is no resource group none"),
        ('account = "kilnplayground"', 'account = "nobody"', "there is no storage account nobody"),
        ('name = "northeurope"', 'name = "atlantis"', "there is no region atlantis"),
        ('name = "northeurope"', 'name = "westus"\nstorage = "Standard_ZRS"', "westus has no zone-redundant storage"),
        (
            'name = "northeurope"',
            f'name = "northeurope"\nencryption_set = "{ENCRYPTION_SETS}/none"',
            "there is no disk encryption set",
        ),
        ('location = "westeurope"', 'location = "northeurope"', "is in West Europe, the gallery in northeurope"),
    ],
)
def test_says_what_is_missing_around_it(old: str, new: str, what: str, desk: Desk, proven: Image) -> None:
    desk.change(old, new)
    with pytest.raises(CallerError, match=what):
        desk.publish(proven.folder)


def test_says_which_role_is_missing(desk: Desk, proven: Image) -> None:
    desk.playground.world.faults.denied.add("Microsoft.Compute/galleries/write")
    with pytest.raises(SubscriptionError) as caught:
        desk.publish(proven.folder)
    assert "Compute Gallery Artifacts Publisher" in caught.value.hint


def test_says_that_a_credential_is_wrong(desk: Desk, proven: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    with pytest.raises(SubscriptionError, match="AADSTS7000215"):
        desk.publish(proven.folder, apply=False)


def test_says_that_a_credential_has_expired(desk: Desk, proven: Image) -> None:
    desk.playground.world.faults.expired = True
    with pytest.raises(SubscriptionError, match="expir"):
        desk.publish(proven.folder, apply=False)


def test_says_that_the_quota_is_near(desk: Desk, proven: Image) -> None:
    desk.playground.world.faults.quota = 1
    with pytest.raises(SubscriptionError, match="of 1 that it may have"):
        desk.publish(proven.folder)


def test_bears_throttling_and_errors_of_the_service(desk: Desk, proven: Image) -> None:
    desk.playground.world.faults.throttled = 2
    desk.playground.world.faults.broken = 1
    desk.publish(proven.folder)
    assert {one["state"] for one in desk.versions()} == {"Succeeded"}


def test_goes_on_with_a_version_that_one_region_failed_for(desk: Desk, proven: Image) -> None:
    desk.playground.world.faults.regions.add("northeurope")
    with pytest.raises(SubscriptionError, match="northeurope: The replication to this region failed: capacity"):
        desk.publish(proven.folder)
    desk.playground.world.faults.regions.clear()
    desk.publish(proven.folder)
    assert {one["state"] for one in desk.versions()} == {"Succeeded"}


def test_tells_what_the_service_says_of_a_file_that_is_no_vhd(desk: Desk, proven: Image) -> None:
    day = desk.publish(proven.folder, apply=False).plan.of("version")[0].name.split("/")[1]
    desk.playground.world.faults.failing[day] = ("InvalidVhd", "expected to have cookie value 'conectix'")
    with pytest.raises(KilnError, match=f"version linux-gen1/{day} failed"):
        desk.publish(proven.folder)


def test_shares_with_groups_and_tenants_once(desk: Desk, proven: Image) -> None:
    group, tenant = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
    desk.target.write_text(f'{desk.target.read_text()}\n[sharing]\ngroups = ["{group}"]\ntenants = ["{tenant}"]\n')
    desk.publish(proven.folder)
    outcome = desk.publish(proven.folder)
    assert not outcome.plan.changes
    world = desk.playground.world
    (role,) = [one for key, one in world.resources.items() if "roleassignments" in key and desk.name in key]
    assert role["properties"]["principalId"] == group


def test_promotes_rolls_back_and_retires(desk: Desk, proven: Image) -> None:
    desk.publish(proven.folder)
    name = str(desk.versions()[0]["version"])

    def latest() -> set[bool]:
        return {bool(one["latest"]) for one in desk.versions()}

    assert not api.promote(desk.target, name, Progress(), desk.shown.append, apply=False).applied
    assert latest() == {False}
    api.promote(desk.target, name, Progress(), desk.shown.append, apply=True)
    assert latest() == {True}
    with pytest.raises(CallerError, match="may still be the latest"):
        api.retire(desk.target, name, None, Progress(), desk.shown.append, delete=True, apply=True)
    api.rollback(desk.target, name, Progress(), desk.shown.append, apply=True)
    assert latest() == {False}
    api.retire(desk.target, name, None, Progress(), desk.shown.append, delete=False, apply=True)
    assert all(one["end_of_life"] for one in desk.versions())
    api.retire(desk.target, name, None, Progress(), desk.shown.append, delete=True, apply=True)
    assert desk.versions() == []


def test_promotes_only_what_a_smoke_test_finds_good(desk: Desk, proven: Image, tmp_path: Path) -> None:
    desk.publish(proven.folder)
    name = str(desk.versions()[0]["version"])
    told = tmp_path / "told"
    program = tmp_path / "smoke"
    program.write_text(f'#!/bin/sh\necho "$2" >>{told}\nexit "$1"\n')
    program.chmod(0o755)
    with pytest.raises(NotProven, match="ended with 3: it is not promoted"):
        api.promote(desk.target, name, Progress(), desk.shown.append, apply=True, smoke_test=f"{program} 3")
    assert {bool(one["latest"]) for one in desk.versions()} == {False}
    api.promote(desk.target, name, Progress(), desk.shown.append, apply=True, smoke_test=f"{program} 0")
    assert {bool(one["latest"]) for one in desk.versions()} == {True}
    assert told.read_text().splitlines()[-1].endswith(f"/galleries/{desk.name}/images/linux-gen2/versions/{name}")


def test_waits_for_whoever_publishes_already_and_names_them(
    desk: Desk, proven: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    from publish import credentials, lease, staging, targetfile

    monkeypatch.setattr(lease, "PATIENCE", 1.0)
    target = targetfile.load(desk.target)
    who = credentials.credential(target.cloud)
    account = staging.Staging(target.blob_endpoint, target.staging.container, who, target.cloud.certificate)
    staging.ensure(account)
    with (
        lease.held(account, [f"{desk.name}-linux-gen2"], Progress()),
        pytest.raises(CallerError, match=r"linux-gen2 is being published by .* \(process \d+\)"),
    ):
        desk.publish(proven.folder)
    assert desk.versions() == []
    desk.publish(proven.folder)


def details(outcome: api.Outcome) -> str:
    return "; ".join(line for one in outcome.plan.of("blob") for line in one.details)


def test_plans_with_what_is_staged_already(desk: Desk, proven: Image, tmp_path: Path) -> None:
    gate = desk.playground.gate
    assert "begun" not in details(desk.publish(proven.folder, apply=False))
    seen: list[Exchange] = []

    def refuse(one: Exchange, before: int) -> Answer | None:
        if one.operation != "Put Page":
            return None
        seen.append(one)
        return Answer(403, "AuthorizationPermissionMismatch") if len(seen) > 2 else None

    gate.faults.append(refuse)
    with pytest.raises(SubscriptionError):
        desk.publish(proven.folder)
    gate.faults.clear()
    written = gate.sent(desk.name)
    assert "an earlier run has begun" in details(desk.publish(proven.folder, apply=False))
    assert gate.sent(desk.name) == written
    desk.publish(proven.folder)
    name = str(desk.versions()[0]["version"])
    api.retire(desk.target, name, None, Progress(), desk.shown.append, delete=True, apply=True)
    assert "nothing is sent" in details(desk.publish(proven.folder, apply=False))


def test_plans_though_it_may_not_look_at_what_is_staged(desk: Desk, proven: Image) -> None:
    def refuse(one: Exchange, before: int) -> Answer | None:
        return Answer(403, "AuthorizationPermissionMismatch") if one.operation == "Head" else None

    desk.playground.gate.faults.append(refuse)
    assert "cannot be seen" in details(desk.publish(proven.folder, apply=False))


def test_says_what_an_upload_will_build_on(desk: Desk, proven: Image, tmp_path: Path) -> None:
    desk.publish(proven.folder)
    other = image(tmp_path / "new" / proven.folder.name, "gen1", "gen2")
    written(other.disk, 0, b"changed")
    first = str(desk.versions()[0]["version"])
    told = details(desk.publish(renewed(other).folder, apply=False, base=first))
    assert "on top of" in told
    with pytest.raises(CallerError, match="does not exist"):
        desk.publish(proven.folder, apply=False, base="1.20200101.1")
    desk.change("[staging]", '[staging]\nroute = "disk"')
    with pytest.raises(CallerError, match="takes no base"):
        desk.publish(proven.folder, apply=False, base=first)


def test_keeps_what_the_next_upload_builds_on(desk: Desk, proven: Image, tmp_path: Path) -> None:
    desk.publish(proven.folder)
    first = str(desk.versions()[0]["version"])
    other = image(tmp_path / "new" / proven.folder.name, "gen1", "gen2")
    written(other.disk, 0, b"changed")
    other = renewed(other)
    before = desk.playground.gate.sent(desk.name)
    desk.publish(other.folder, base=first)
    assert desk.playground.gate.sent(desk.name) - before == (64 << 10) + 512
    assert blob_of(desk, other) == other.disk.read_bytes()
    outcome = api.prune(desk.target, Progress(), desk.shown.append, apply=True)
    assert [one.name for one in outcome.plan.actions] == [f"{proven.folder.name}-{proven.digest[:16]}.vhd"]
    assert not api.prune(desk.target, Progress(), desk.shown.append, apply=True).plan.changes


def test_leaves_the_files_of_another_target_alone(desk: Desk, proven: Image) -> None:
    """Two targets may stage in one container: what one needs no longer, or never did, the other may."""
    desk.publish(proven.folder)
    name = str(desk.versions()[0]["version"])
    api.retire(desk.target, name, None, Progress(), desk.shown.append, delete=True, apply=True)
    own = api.prune(desk.target, Progress(), desk.shown.append, apply=False)
    assert [one.kind for one in own.plan.actions] == ["blob"]
    desk.change(f'name = "{desk.name}"', f'name = "{desk.name}other"')
    assert not api.prune(desk.target, Progress(), desk.shown.append, apply=True).plan.changes


def renewed(made: Image) -> Image:
    """The image whose file was changed, as if it had been built and verified so."""
    from dataclasses import replace

    from build.manifest import Manifest
    from publish.source import read

    digest = read(made.disk).digest
    replace(Manifest.load(made.folder), digest=digest).save(made.folder)
    for file in (made.folder / "runs").glob("*/report.json"):
        told = json.loads(file.read_text())
        file.write_text(json.dumps({**told, "digest": digest}))
    return replace(made, digest=digest)
