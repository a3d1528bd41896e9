"""What Azure would have answered, row by row of the table."""

from typing import Any

import pytest

from harness.answer import PLATFORM_LIMIT, TABLE, answer, table
from harness.azure.host import AzureHost
from harness.chapters import Chapter
from harness.filerefusal import inspected
from harness.play import Boot
from harness.report import Status, Verdict
from tests.harness.guests import VM, facts, guest, host, specialized_facts


def played(**changes: Any) -> tuple[Chapter, ...]:
    known = facts(**changes)
    return (Chapter("", "", Boot(known["guest"], known["ending"]), known),)


def heard(*failures: str) -> AzureHost:
    made = AzureHost(VM)
    for words in failures:
        made.take_health("NotReady", "ProvisioningFailed", words, "WALinuxAgent")
    return made


def with_status(made: AzureHost) -> AzureHost:
    made.take_status({"aggregateStatus": {"guestAgentStatus": {"status": "Ready"}}})
    return made


def late() -> AzureHost:
    made = AzureHost(VM)
    made.journal.began -= PLATFORM_LIMIT + 1
    made.take_health("Ready")
    return made


@pytest.mark.parametrize(
    ("known", "outcome", "evidence"),
    [
        ({"host": host("Ready")}, "Succeeded", "cloud-init said Ready"),
        ({"host": host("NotReady", "Ready", "NotReady", "Ready")}, "Succeeded", "cloud-init said Ready"),
        ({"host": host("Ready", "Failed")}, "Succeeded", "cloud-init said Ready"),
        ({"host": host("Failed", "Ready")}, "OSProvisioningInternalError", "NotReady/ProvisioningFailed: no key"),
        (
            {"host": heard("[ProtocolError] [CopyOvfEnv] Error mounting dvd")},
            "OSProvisioningClientError",
            "Error mounting dvd",
        ),
        ({"host": heard("Giving up, ssh host key was not found")}, "OSProvisioningClientError", "ssh host key"),
        ({"host": heard("Failed to validate OVF: UserName not found")}, "OSProvisioningClientError", "UserName"),
        ({"host": host("Stranger")}, "OSProvisioningTimedOut", "for another container"),
        ({"host": late()}, "OSProvisioningTimedOut", "said Ready"),
        ({"host": with_status(host())}, "OSProvisioningTimedOut", "the agent sent its status"),
        (
            {"host": host(), "guest": None, "ending": "no sign"},
            "OSProvisioningTimedOut",
            "no health report came: no sign",
        ),
    ],
)
def test_decides_by_the_first_final_report(known: dict[str, Any], outcome: str, evidence: str) -> None:
    found = answer(played(**known))
    assert found is not None
    assert found.outcome == outcome
    assert evidence in found.evidence


def test_waits_for_no_report_of_a_specialized_machine() -> None:
    sound, lost = (
        answer((Chapter("", "", Boot(made["guest"], made["ending"]), made),))
        for made in (specialized_facts(), specialized_facts(guest=None, ending="the kernel panicked: no init"))
    )
    assert sound is not None and sound.outcome == "Succeeded"
    assert lost is not None and (lost.outcome, lost.evidence) == ("VM stuck", "the kernel panicked: no init")


def test_azure_has_no_word_on_a_nocloud_machine() -> None:
    assert answer(played(host=None)) is None


def test_a_second_deployment_that_fails_is_the_answer_and_a_reboot_is_none() -> None:
    (first,) = played()
    twin = Chapter("twin", "", Boot(None, "no"), facts(host=host(), guest=None, ending="no", twin=guest()))
    reboot = Chapter("reboot", "", Boot(None, "no"), facts(host=host(), guest=None, earlier=guest()))
    assert [getattr(answer((first, other)), "outcome", "") for other in (twin, reboot)] == [
        "OSProvisioningTimedOut",
        "Succeeded",
    ]


def test_every_row_has_a_source_or_says_inferred() -> None:
    rows = list(table())
    assert len(rows) == len(TABLE) + 1
    assert {row["outcome"] for row in rows} == {
        *("Succeeded", "OSProvisioningTimedOut", "OSProvisioningClientError", "OSProvisioningInternalError"),
        *("InvalidVhd", "VM stuck"),
    }
    assert all(row["source"] == "inferred" or row["source"].startswith("https://") for row in rows)


def test_a_file_that_azure_refuses_is_an_invalid_vhd() -> None:
    dynamic = Verdict("vhd.fixed", "it is fixed", Status.FAILED, evidence=("it is a dynamic VHD",))
    found = inspected((Verdict("part.table", "", Status.FAILED), dynamic))
    assert found is not None and (found.outcome, found.evidence) == ("InvalidVhd", "vhd.fixed: it is a dynamic VHD")
    assert inspected((Verdict("vhd.geometry", "", Status.FAILED, "recommended"),)) is None
