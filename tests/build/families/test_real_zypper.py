"""zypper against a tiny repository: what it installs, that it is the same each time, and what it refuses."""

import os
from pathlib import Path
from typing import Any

import pytest

from build import confined
from build.errors import CallerError, KilnError, MachineError, RecipeError
from build.privileges import entry
from tests.build.centre import SECRETS
from tests.build.families.test_real_dnf import NAMES, WITHOUT_MOUNTS
from tests.build.families.test_real_dnf import trial as any_trial

pytestmark = pytest.mark.real

GOOD = ["tiny-base", "tiny-top", "etc", "usr", "var", "Index.db", "Packages.db"]


def trial(tmp_path: Path, name: str, names: tuple[str, ...] = NAMES, **more: Any) -> list[str]:
    return any_trial(tmp_path, name, names, family="zypper", **more)


def test_makes_the_same_tree_each_time_and_leaves_nothing_of_its_own(tmp_path: Path) -> None:
    first, second = trial(tmp_path, "good", runs=2)
    assert first == second
    assert first.split()[1:] == GOOD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be a root without rights")
def test_makes_a_tree_without_the_right_to_mount(tmp_path: Path) -> None:
    (told,) = trial(tmp_path, "good", before=WITHOUT_MOUNTS)
    assert told.split()[1:] == GOOD


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("unsigned_package", MachineError, "tiny-base.*Signature verification failed"),
        ("foreign_key", MachineError, "tiny-base"),
        ("tampered_package", MachineError, "tiny-base.*Signature does not verify"),
        ("forged_package", MachineError, "tiny-base"),
        ("tampered_list", MachineError, "Digest verification failed"),
        ("tampered_metadata", CallerError, "does not hold"),
        ("missing_package", MachineError, "tiny-base.*not found"),
        ("mirror_that_dies", MachineError, "tiny-base"),
    ],
)
def test_refuses(tmp_path: Path, name: str, error: type[KilnError], message: str) -> None:
    with pytest.raises(error, match=message) as refusal:
        trial(tmp_path, name)
    assert refusal.value.hint
    assert "\n" not in refusal.value.what


def test_names_a_package_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="tiny-absent"):
        trial(tmp_path, "good", ("tiny-top", "tiny-absent"))


def test_names_a_package_whose_script_fails(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="tiny-broken"):
        trial(tmp_path, "broken_scriptlet", ("tiny-broken",))


def test_tells_of_a_script_that_rpm_lets_fail(tmp_path: Path) -> None:
    (told,) = trial(tmp_path, "scriptlet_that_complains", ("tiny-broken",))
    assert "tiny-broken" in told.partition("Packages.db")[2]


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's file systems need namespaces of their own")
def test_says_when_there_is_no_room(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"(?i)space") as refusal:
        trial(tmp_path, "good", room="700k")
    assert "KILN_CACHE" in refusal.value.hint


def test_adds_what_a_tree_lacks_and_leaves_the_rest_in_its_version(tmp_path: Path) -> None:
    (told,) = trial(tmp_path, "good", between="renewed", added=("tiny-base", "tiny-other"))
    assert told == "tiny-base-1-1 tiny-other-1-1 tiny-top-1-1 base early top"


def test_takes_packages_out_of_a_tree_that_has_all_it_needs(tmp_path: Path) -> None:
    """No package is asked for: the repository has lost them all."""
    (told,) = trial(
        tmp_path, "good", between="without_packages", added=("tiny-base",), removed=("tiny-top", "tiny-absent")
    )
    assert told == "tiny-base-1-1 base early"


def test_takes_no_package_out_that_another_needs(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"tiny-base cannot be removed: .*tiny-base is needed by .*tiny-top"):
        trial(tmp_path, "good", between="without_packages", added=("tiny-top",), removed=("tiny-base",))


def test_installs_by_a_registration_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    log, result = tmp_path / "log", tmp_path / "result"
    letter = {"log": str(log), "result": str(result)}
    assert confined.call(entry(), "tests.build.families.subscribed", letter) == 0, log.read_text()[-4000:]
    assert result.read_text().splitlines() == ["tiny-base tiny-top"]
    assert "zypper" in log.read_text()
    assert not any(secret in log.read_text() for secret in SECRETS)
