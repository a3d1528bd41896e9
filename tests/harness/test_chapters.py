"""What a machine must be called once somebody has done something to it."""

from dataclasses import replace

import pytest

from harness.azure.journal import Journal
from harness.chapters import _agent_name, _name_after
from harness.evidence import GuestFacts
from harness.profile import Profile
from harness.stint import CHOSEN, RENAMED, Deed
from tests.harness.guests import CLOUD_INIT, guest

WAAGENT = replace(CLOUD_INIT, provisioner="waagent")
LEFT = guest(network_left="network config is disabled")


@pytest.mark.parametrize(
    ("deed", "profile", "seen", "name"),
    [
        (Deed.RENAME, CLOUD_INIT, guest(), RENAMED),
        (Deed.RENAME, CLOUD_INIT, None, RENAMED),
        (Deed.RENAME, CLOUD_INIT, LEFT, "before"),
        (Deed.RENAME, WAAGENT, guest(), "before"),
        (Deed.REBOOT, CLOUD_INIT, guest(), "before"),
        (Deed.CHOOSE, CLOUD_INIT, LEFT, CHOSEN),
        (None, CLOUD_INIT, guest(), "before"),
    ],
)
def test_a_new_name_is_taken_over_by_cloud_init_where_it_asks_again(
    deed: Deed | None, profile: Profile, seen: GuestFacts | None, name: str
) -> None:
    assert _name_after(deed, "before", profile, seen) == name


def test_a_status_that_the_boot_before_sent_says_nothing_of_this_one() -> None:
    journal = Journal()
    journal.add("machine", "switched on")
    assert _agent_name(journal) is None
    journal.add("status", "Ready", computer_name="before")
    assert _agent_name(journal) == "before"
    journal.add("machine", "rebooted")
    journal.add("status", "Ready", computer_name="before")
    journal.add("qmp", "RESET")
    assert _agent_name(journal) is None
    journal.add("status", "Ready", computer_name="after")
    assert _agent_name(journal) == "after"
