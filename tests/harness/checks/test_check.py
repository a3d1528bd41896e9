"""Judging: what a check lacks skips it, what it says fails it, and a broken check hides nothing."""

from collections.abc import Iterator

import pytest

from harness.checks import all_checks
from harness.checks.check import Check, check, judge
from harness.inspect import FACTS, offline_checks
from harness.profile import GENERALIZED, GENERATION_1, Profile
from harness.report import Status, Verdict

PROFILE = Profile((2,), "specialized", "none")


def complains(tree: str) -> Iterator[str]:
    """It matters."""
    yield from (word for word in tree.split() if word == "bad")


def verdict(one: Check, facts: dict[str, object], lacks: dict[str, str] | None = None) -> Verdict:
    (found,) = judge([one], facts, lacks or {})
    return found


SOME = Check("some.id", "required", "a document", "Do this", complains)


def test_carries_why_source_and_repair() -> None:
    found = verdict(SOME, {"tree": "a bad bad one"})
    assert (found.status, found.evidence, found.why) == (Status.FAILED, ("bad", "bad"), "It matters.")
    assert (found.source, found.repair, found.reason) == ("a document", "Do this", "bad. Do this")
    assert verdict(SOME, {"tree": "good"}).status is Status.PASSED


def test_writes_its_title_as_people_write_names() -> None:
    def no_machines_name_of_the_ssh_hosts_clock() -> Iterator[str]:
        """Made up."""
        yield from ()

    one = Check("some.id", "required", "a document", "Do this", no_machines_name_of_the_ssh_hosts_clock)
    assert one.title == "no machine's name of the SSH host's clock"


def test_says_what_a_skipped_check_lacked() -> None:
    assert verdict(SOME, {}).reason == "needs tree"
    assert verdict(SOME, {}, {"tree": "the root is XFS"}).reason == "the root is XFS"


@pytest.mark.parametrize(
    ("facts", "status", "reason"),
    [
        ({"tree": "bad", "profile": PROFILE}, Status.SKIPPED, "is for generalized images and generation 1"),
        ({"tree": "bad"}, Status.SKIPPED, "needs profile"),
        ({"tree": "bad", "profile": Profile((1,), "generalized", "none")}, Status.FAILED, "bad. Do this"),
    ],
)
def test_leaves_out_checks_for_other_images(facts: dict[str, object], status: Status, reason: str) -> None:
    one = Check("some.id", "required", "", "Do this", complains, GENERALIZED & GENERATION_1)
    found = verdict(one, facts)
    assert (found.status, found.reason) == (status, reason)


def test_fails_a_check_that_breaks() -> None:
    found = verdict(SOME, {"tree": 5})
    assert found.status is Status.FAILED
    assert found.reason.startswith("the check itself broke: AttributeError")


def test_takes_an_id_once() -> None:
    taken = all_checks()[0].id
    with pytest.raises(ValueError, match="two checks are called"):
        check(taken, source="", repair="")(complains)


@pytest.mark.parametrize("one", offline_checks(), ids=lambda one: one.id)
def test_every_offline_check_explains_itself(one: Check) -> None:
    assert one.why.endswith((".", ")")) and one.source and one.repair and one.needs
    assert one.severity in ("required", "recommended")
    assert set(one.needs) <= FACTS
