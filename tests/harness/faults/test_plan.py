"""The faults of one run: what is expected under all of them, and whether the guest did it."""

from typing import Any

import pytest

from build.errors import CallerError
from harness.azure.host import AzureHost
from harness.chapters import Chapter
from harness.faultplan import FaultPlan, versions_of
from harness.faults.fault import Ready, Versions
from harness.faultverdicts import under_faults
from harness.judging import verdicts
from harness.play import Boot
from harness.report import Status
from tests.harness.guests import CLOUD_INIT, VM, facts, guest, host, units

NEW: Versions = {"cloud-init": (25, 1, 4)}
OLD: Versions = {"cloud-init": (22, 4, 2)}


def seen(made: AzureHost, *, agent: str = "Cloud-Init/25.1.4", met: bool = True) -> AzureHost:
    made.journal.add("imds", "exchange", agent=agent, path="/metadata/instance", status=500)
    if met:
        made.journal.add("fault", "imds", does="status 500")
    return made


def judged(words: str, made: AzureHost, boot: Boot | None = None, **changes: Any) -> dict[str, str]:
    """What failed, and why."""
    boot = boot or Boot(guest())
    known = facts(host=made, guest=boot.facts, ending=boot.ending, **changes)
    chapters = (Chapter("", "", boot, known),)
    found = under_faults(FaultPlan.of((words,)), verdicts(chapters), chapters)
    return {one.id: one.reason for one in found if one.status is Status.FAILED}


@pytest.mark.parametrize(
    ("words", "versions", "ready", "log_in"),
    [
        ("imds-500", NEW, Ready.LATE, True),
        ("imds-500", OLD, Ready.SOON, True),
        ("imds-503-forever", NEW, Ready.NEVER, False),
        ("imds-503-forever", {"cloud-init": (24, 4, 1)}, Ready.FAILED, True),
        ("imds-503-forever", OLD, Ready.SOON, True),
        ("imds-500,imds-403", NEW, Ready.FAILED, True),
        ("dhcp-never", {}, Ready.NEVER, False),
    ],
)
def test_expects_the_worst_of_all_by_the_guests_version(
    words: str, versions: Versions, ready: Ready, log_in: bool
) -> None:
    found = FaultPlan.of((words,)).expectation(CLOUD_INIT, versions)
    assert found is not None
    assert (found.ready, found.log_in) == (ready, log_in)


def test_does_not_guess_where_the_version_is_unknown() -> None:
    assert FaultPlan.of(("imds-500",)).expectation(CLOUD_INIT, {}) is None
    made = host("Ready")
    made.journal.add("fault", "imds", does="status 500")
    assert "fault.expectation" in judged("imds-500", made)


def test_learns_the_versions_from_what_clients_call_themselves() -> None:
    made = seen(AzureHost(VM), agent="Cloud-Init/25.1.4-0ubuntu0~24.04")
    made.journal.add("wireserver", "exchange", agent="WALinuxAgent/2.7.3.0+health")
    made.journal.add("wireserver", "exchange", agent="curl/8")
    assert versions_of(made.journal) == {"cloud-init": (25, 1, 4), "waagent": (2, 7, 3, 0)}


def test_waits_as_long_as_any_such_guest_may_need() -> None:
    assert FaultPlan.of(("ws-404-forever",)).waits(CLOUD_INIT) > 1200
    assert FaultPlan.of(("imds-403",)).waits(CLOUD_INIT) < 60
    assert FaultPlan().waits(CLOUD_INIT) == 0
    assert not FaultPlan()


def test_knows_who_asks_for_so_long_whatever_is_answered() -> None:
    def patience(words: str, version: str) -> float:
        told = seen(AzureHost(VM), agent=f"Cloud-Init/{version}")
        expected = FaultPlan.of((words,)).expected_of(CLOUD_INIT, told.journal)
        return expected.patience if expected else -1

    assert patience("ws-404-forever", "25.1.4") == 1200
    assert patience("ws-503-forever", "22.4.2") == 1200
    assert patience("ws-503-forever", "25.1.4") == 0, "503 is what it waits on: another answer would end that"
    assert patience("ws-404-forever,imds-403", "25.1.4") == 0
    assert FaultPlan.of(("ws-503-forever",)).expected_of(CLOUD_INIT, AzureHost(VM).journal) is None


def test_a_guest_that_gives_up_too_early_fails() -> None:
    made = seen(AzureHost(VM))
    made.take_eject()
    assert judged("ws-404-forever", made, Boot(guest(units=units("active", 1290)))) == {}
    assert judged("ws-404-forever", made)["fault.patience"] == "it asked until 12 s after its start"


def recovered() -> AzureHost:
    """A host whose guest met the fault, then reported ready."""
    made = seen(AzureHost(VM))
    made.take_health("Ready", client="cloud-init")
    made.take_eject()
    return made


def test_a_guest_that_recovers_passes() -> None:
    assert judged("imds-500", recovered()) == {}


def test_a_guest_that_was_ready_before_has_waited_nothing_out() -> None:
    assert "ready before it met the fault" in judged("imds-500", seen(host("Ready")))["fault.report"]
    assert judged("ws-bom", seen(host("Ready"))) == {}


def test_a_fault_that_nobody_met_proves_nothing() -> None:
    assert "nothing of imds-500 was ever met" in judged("imds-500", seen(host("Ready"), met=False))["fault.met"]


def test_a_guest_that_gives_up_although_it_should_not_fails() -> None:
    assert "it gave up" in judged("imds-500", seen(host("Failed", "Ready")))["fault.report"]


def test_a_guest_that_must_report_failure_and_boot_on_passes() -> None:
    made = seen(AzureHost(VM))
    made.take_health("NotReady", "ProvisioningFailed", "result=error|reason=http error 403 querying IMDS", "cloud-init")
    made.take_eject()
    assert judged("imds-403", made) == {}
    assert "should have reported failed" in judged("imds-403", seen(host("Ready")))["fault.report"]
    other = seen(AzureHost(VM))
    other.take_health("NotReady", "ProvisioningFailed", "reason=other", "cloud-init")
    assert "tells another reason" in judged("imds-403", other)["fault.report"]


def test_a_guest_that_must_be_stuck_passes_and_another_does_not() -> None:
    stuck = Boot(None, "waited in vain for an SSH login")
    assert judged("imds-503-forever", seen(host(ejected=False)), stuck) == {}
    found = judged("imds-503-forever", seen(host("Ready")))
    assert set(found) >= {"fault.report", "fault.log-in"}


def test_what_the_fault_does_not_spoil_is_judged_as_ever() -> None:
    found = judged("imds-500", recovered(), Boot(guest(failed="ssh.service")))
    assert set(found) == {"run.systemd"}


def test_what_the_fault_spoils_proves_nothing() -> None:
    known = facts(host=seen(host("Ready")), guest=guest(imds="{}"))
    chapters = (Chapter("", "", Boot(known["guest"]), known),)
    found = {one.id: one for one in under_faults(FaultPlan.of(("imds-vmid-mismatch",)), verdicts(chapters), chapters)}
    assert found["run.user-data"].status is Status.SKIPPED
    assert found["run.user-data"].reason.startswith("cannot pass under imds-vmid-mismatch: the guest reached no")


def test_a_fault_that_could_not_be_done_fails() -> None:
    made = seen(host("Ready"))
    made.journal.add("fault", "crash", does="x", reason="QEMU's monitor: no such device")
    assert "no such device" in judged("nic-hotplug", made)["fault.met"]


def test_a_fault_may_need_a_scenario() -> None:
    plan = FaultPlan.of(("dvd-noeject",))
    plan.check_scenario("reboot")
    with pytest.raises(CallerError, match="dvd-noeject needs the scenario reboot, not first-boot"):
        plan.check_scenario("first-boot")
