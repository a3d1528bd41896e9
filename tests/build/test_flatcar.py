"""Flatcar: an image that is published whole: what is planned for it, and that it was never booted before."""

from pathlib import Path

import pytest

from build import btrfs
from build.errors import CallerError, MachineError
from build.flatcar import CheckSystem
from build.plan import Choices, plan
from build.published import Published
from build.request import BuildRequest, choose
from build.spec.value import Content, Spec, User
from tests.build.flatcar_release import FILE, FIXED, RECIPE, VERSION, disk, workspace


@pytest.mark.parametrize(
    ("identity", "reason"), [("a9b52e7b-8a1d-4c53-9a51-2f6b8c0a7d11", "was booted"), (FIXED, "no EFI system partition")]
)
def test_refuses_a_disk_that_was_booted_or_cannot_boot(identity: str, reason: str, tmp_path: Path) -> None:
    work = workspace(tmp_path)
    disk(tmp_path, identity=identity).rename(work.disk)
    with pytest.raises(MachineError, match=reason):
        CheckSystem("flatcar", VERSION).run(work)


def titles(spec: Spec = Spec(), size: int = 30 << 30) -> list[str]:  # noqa: B008 - a frozen value
    signed = ("given:b", ("C",), "{url}.sig")
    state = Published("https://example.invalid/amd64-usr", "stable", FILE, VERSION, "a" * 64, 1, *signed)
    chosen = Choices("both", "generalized", "ignition", "", size, spec=spec)
    return [step.describe() for step in plan(RECIPE, chosen, (state,), 1).steps]


def test_leaves_the_image_as_it_is_where_nothing_is_added() -> None:
    assert [title.split()[0] for title in titles()] == ["Fetch", "Unpack", "Check", "Grow"]


def test_writes_the_users_config_only_where_it_is_asked_for() -> None:
    (base,) = [title for title in titles(Spec(timezone="UTC")) if "OEM" in title]
    assert "base/base.ign" in base and "config.ign" not in base
    own = Content("d", held=b'{"ignition": {"version": "3.3.0"}}')
    (user,) = [title for title in titles(Spec(first_boot=own)) if "OEM" in title]
    assert "config.ign" in user and "base/base.ign" not in user


def test_refuses_packages_and_sizes_that_azure_does_not_take() -> None:
    with pytest.raises(CallerError, match="none can be added"):
        titles(Spec(packages=("htop",)))
    with pytest.raises(CallerError, match="none that Azure takes"):
        titles(size=(30 << 30) + 1)


def test_is_offered_generalized_alone_and_says_why() -> None:
    assert choose(RECIPE, BuildRequest("flatcar")).provisioner == "ignition"
    with pytest.raises(CallerError, match="first boot"):
        choose(RECIPE, BuildRequest("flatcar", kind="specialized"))
    with pytest.raises(CallerError, match="--gen 1"):
        choose(RECIPE, BuildRequest("flatcar", gen="1"))


def test_takes_users_that_ignition_makes() -> None:
    spec = Spec(name="web", users=(User("web", ssh_keys=("ssh-ed25519 AAAA me",)),), file="web.toml")
    assert choose(RECIPE, BuildRequest("flatcar"), spec).spec == spec


def test_knows_the_checksum_of_btrfs() -> None:
    assert btrfs._checksum(b"123456789") == bytes.fromhex("839206e3")
