"""What is repaired first."""

from harness.inspect import offline_checks
from harness.report import Status, Verdict
from harness.urgency import STAGES, failed


def finding(id: str, severity: str = "required", status: Status = Status.FAILED) -> Verdict:
    return Verdict(id, id, status, severity)


def test_what_stands_in_the_way_of_all_else_comes_first() -> None:
    ids = ("vhd.align", "part.table", "efi.esp", "initrd.hyperv", "fstab.verify", "ci.enabled", "clean.tmp")
    found = [finding(id) for id in ("inspect.root", *reversed(ids))]
    assert [one.id for one in failed(found)] == [*ids, "inspect.root"]


def test_what_is_advised_comes_after_what_is_required() -> None:
    found = [finding("vhd.geometry", "recommended"), finding("udev.ci-ephemeral")]
    assert [one.id for one in failed(found)] == ["udev.ci-ephemeral", "vhd.geometry"]


def test_only_findings_are_repaired() -> None:
    others = [finding("vhd.align", status=one) for one in Status if one is not Status.FAILED]
    assert failed(others) == ()


def test_every_stage_has_checks() -> None:
    topics = {one.id.partition(".")[0] for one in offline_checks()}
    assert {topic for stage in STAGES for topic in stage} <= topics
