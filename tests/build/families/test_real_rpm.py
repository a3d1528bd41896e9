"""dnf and zypper against a tiny repository: what they install, that it is the same each time, and what they refuse."""

import os
from pathlib import Path
from typing import Any

import pytest

from build.errors import CallerError, KilnError, MachineError, RecipeError
from tests.build.families.trial import WITHOUT_MOUNTS, trial

pytestmark = [pytest.mark.real, pytest.mark.parametrize("family", ["dnf", "zypper"])]

LEFT = {
    "dnf": ["tiny-base", "tiny-top", "etc", "usr", "rpmdb.sqlite"],
    "zypper": ["tiny-base", "tiny-top", "etc", "usr", "var", "Index.db", "Packages.db"],
}
"""Packages, folders of the tree, and files of rpm's database after a good trial."""
REFUSED: dict[str, tuple[type[KilnError], str, str]] = {
    "unsigned_package": (MachineError, "is not signed", "tiny-base.*Signature verification failed"),
    "foreign_key": (MachineError, "tiny-base", "tiny-base"),
    "tampered_package": (MachineError, "checksum", "tiny-base.*Signature does not verify"),
    "forged_package": (MachineError, "tiny-base", "tiny-base"),
    "tampered_list": (MachineError, "checksum", "Digest verification failed"),
    "tampered_metadata": (CallerError, "does not hold", "does not hold"),
    "missing_package": (MachineError, "404", "tiny-base.*not found"),
    "mirror_that_dies": (MachineError, "Curl error", "tiny-base"),
}
"""Trials that must fail: who must act, and what dnf and zypper say."""


def test_makes_the_same_tree_each_time_and_leaves_nothing_of_its_own(tmp_path: Path, family: str) -> None:
    first, second = trial(tmp_path, family, "good", runs=2)
    assert first == second
    assert first.split()[1:] == LEFT[family]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be a root without rights")
def test_makes_a_tree_without_the_right_to_mount(tmp_path: Path, family: str) -> None:
    (told,) = trial(tmp_path, family, "good", before=WITHOUT_MOUNTS)
    assert told.split()[1:] == LEFT[family]


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(tmp_path: Path, family: str, name: str) -> None:
    error, by_dnf, by_zypper = REFUSED[name]
    with pytest.raises(error, match=by_dnf if family == "dnf" else by_zypper) as refusal:
        trial(tmp_path, family, name)
    assert refusal.value.hint
    assert "\n" not in refusal.value.what


def test_names_a_package_that_is_nowhere(tmp_path: Path, family: str) -> None:
    with pytest.raises(RecipeError, match="tiny-absent"):
        trial(tmp_path, family, "good", ("tiny-top", "tiny-absent"))


def test_names_a_package_whose_script_fails(tmp_path: Path, family: str) -> None:
    with pytest.raises(RecipeError, match="tiny-broken"):
        trial(tmp_path, family, "broken_scriptlet", ("tiny-broken",))


def test_tells_of_a_script_that_rpm_lets_fail(tmp_path: Path, family: str) -> None:
    (told,) = trial(tmp_path, family, "scriptlet_that_complains", ("tiny-broken",))
    assert "tiny-broken" in told.partition(LEFT[family][-1])[2]


@pytest.mark.combination
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's file systems need namespaces of their own")
def test_says_when_there_is_no_room(tmp_path: Path, family: str) -> None:
    with pytest.raises(MachineError, match=r"(?i)full|space") as refusal:
        trial(tmp_path, family, "large", room="9m")
    assert "KILN_CACHE" in refusal.value.hint


def test_adds_what_a_tree_lacks_and_leaves_the_rest_in_its_version(tmp_path: Path, family: str) -> None:
    (told,) = trial(tmp_path, family, "good", between="renewed", added=("tiny-base", "tiny-other"))
    assert told == "tiny-base-1-1 tiny-other-1-1 tiny-top-1-1 base early top"


def test_takes_packages_out_of_a_tree_that_has_all_it_needs(tmp_path: Path, family: str) -> None:
    """No package is asked for: the repository has lost them all."""
    asked: dict[str, Any] = {"added": ("tiny-base",), "removed": ("tiny-top", "tiny-absent")}
    (told,) = trial(tmp_path, family, "good", between="without_packages", **asked)
    assert told == "tiny-base-1-1 base early"


def test_takes_no_package_out_that_another_needs(tmp_path: Path, family: str) -> None:
    with pytest.raises(RecipeError, match=r"tiny-base cannot be removed: .*tiny-base is needed by .*tiny-top"):
        trial(tmp_path, family, "good", between="without_packages", added=("tiny-top",), removed=("tiny-base",))


@pytest.mark.combination
def test_makes_the_same_tree_from_a_lock_also_when_the_archive_moved_on(tmp_path: Path, family: str) -> None:
    """The tree tells in which order its packages came: a lock, which has no more to choose from, must keep it."""
    first, *others = trial(tmp_path, family, "many", ("tiny-many", "tiny-top"), module="tiny_locked", locked="moved_on")
    assert "tiny-many" in first
    assert others == [first] * 3


@pytest.mark.combination
def test_makes_the_same_tree_of_what_the_cache_has_with_a_lock_and_without(tmp_path: Path, family: str) -> None:
    first, again, locked = trial(tmp_path, family, "good", module="tiny_locked", locked="offline")
    assert first == again == locked


@pytest.mark.combination
def test_says_what_to_do_where_the_cache_has_no_package(tmp_path: Path, family: str) -> None:
    with pytest.raises(MachineError) as refusal:
        trial(tmp_path, family, "good", module="tiny_locked", locked="offline_with_lists_alone")
    assert "without --offline" in refusal.value.hint


@pytest.mark.combination
def test_names_a_locked_package_that_is_gone_everywhere(tmp_path: Path, family: str) -> None:
    with pytest.raises(MachineError, match=r"tiny-base 1-1 \(x86_64\)") as refusal:
        trial(tmp_path, family, "good", module="tiny_locked", locked="gone")
    assert "--mirror" in refusal.value.hint


@pytest.mark.combination
def test_checks_the_signature_of_what_a_lock_names(tmp_path: Path, family: str) -> None:
    with pytest.raises(MachineError, match="tiny-base"):
        trial(tmp_path, family, "good", module="tiny_locked", locked="forged")
