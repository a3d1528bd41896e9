"""What was played as verdicts of each boot, notes, and the table of names."""

from typing import Any

from harness.chapters import Chapter
from harness.hostnames import names_seen
from harness.judging import has_failed, notes, verdicts
from harness.performance import NOT_EXERCISED, Performance
from harness.play import Boot
from tests.harness.guests import facts, guest, specialized_facts


def chapter(boot: Boot, label: str = "", words: str = "", **changes: Any) -> Chapter:
    return Chapter(label, words, boot, facts(guest=boot.facts, ending=boot.ending, **changes))


def rebooted(before: Boot, after: Boot) -> tuple[Chapter, ...]:
    later = {name: value for name, value in facts().items() if name != "first_names"}
    told = {**later, "guest": after.facts, "ending": after.ending, "earlier": before.facts}
    return chapter(before), Chapter("reboot", "after a reboot", after, told)


def test_a_sound_run_passes_each_check_of_each_boot_once() -> None:
    once = list(verdicts((chapter(Boot(guest())),)))
    twice = list(verdicts(rebooted(Boot(guest()), Boot(guest()))))
    ids = [one.id for one in twice]
    assert len(ids) == len(set(ids))
    assert not [one.id for one in twice if one.status == "failed"]
    assert "reboot.run.identity-stays" in ids
    assert "hostname.stale-first" in ids
    assert "reboot.hostname.stale-first" not in ids
    assert not [one.id for one in once if "identity-" in one.id or "data-disks" in one.id]


def test_what_a_reboot_changed_is_said_of_the_reboot() -> None:
    found = [
        one for one in verdicts(rebooted(Boot(guest()), Boot(guest(machine_id="f" * 32)))) if one.status == "failed"
    ]
    assert [one.id for one in found] == ["reboot.run.identity-stays"]
    assert found[0].title.startswith("after a reboot, ")


def test_a_failed_reboot_is_told_once() -> None:
    played = rebooted(Boot(guest()), Boot(None, "the kernel panicked"))
    found = [one for one in verdicts(played) if one.status == "failed"]
    assert [(one.id, one.evidence) for one in found] == [("reboot.run.boot-ssh", ("the kernel panicked",))]
    assert has_failed(verdicts(played))
    assert not has_failed(verdicts(played[:1]))


def test_the_table_shows_the_name_wherever_it_was_seen() -> None:
    played = (chapter(Boot(guest(transient_name="", kernel_name="other")), hostnames=("localhost", "kiln-vm")),)
    seen = {one.where: (one.name, one.right) for one in names_seen(played)}
    assert seen == {
        "DHCP option 12, 1 of 2": ("localhost", False),
        "DHCP option 12, 2 of 2": ("kiln-vm", True),
        "DNS, forward": ("kiln-vm", True),
        "DNS, reverse": ("kiln-vm", True),
        "agent's status": ("kiln-vm", True),
        "metadata service": ("kiln-vm", True),
        "provisioning disc": ("kiln-vm", True),
        "kernel": ("other", False),
        "hostnamectl, static": ("kiln-vm", True),
        "/etc/hosts": ("kiln-vm", True),
    }


def test_the_table_has_what_was_heard_of_a_guest_that_nobody_could_ask() -> None:
    rows = names_seen((chapter(Boot(None, "no"), hostnames=(), published=(), reversed_name=(), agent_name=None),))
    assert [(one.where, one.name) for one in rows] == [("DNS, forward", "unknown"), ("DNS, reverse", "unknown")]


def test_notes_tell_the_guests_own_time() -> None:
    told = notes(Performance((chapter(Boot(guest())),)))[-1]
    assert told.startswith("By its own clock the guest needed 71.0 s until SSH was up and cloud-init done, and 83.92 s")


def test_notes_say_what_was_not_exercised() -> None:
    chapters = (chapter(Boot(None, "no")),)
    assert not any("not exercised" in note for note in notes(Performance(chapters)))
    told = notes(Performance(chapters, machine={"boot_loader": NOT_EXERCISED}))
    assert any("boot loader was not exercised" in note for note in told)


def test_notes_list_what_clones_of_a_specialized_machine_share() -> None:
    first = Chapter("", "", Boot(guest()), specialized_facts())
    told = specialized_facts(twin=guest(), twin_dhcp_ids=())
    clone = Chapter("twin", "on a second machine", Boot(guest(machine_id="f" * 32)), told)
    shared, claimed = notes(Performance((first, clone)))[1:3]
    assert shared == "Both machines share the name kiln-vm; users azureuser; 2 SSH host keys."
    assert claimed.startswith("Both claim the name kiln-vm in DNS, for 10.0.0.4 and 10.0.0.4: ")


def test_a_name_that_was_taken_over_late_is_not_looked_for_outside() -> None:
    late = chapter(Boot(guest()), hostnames=None, published=None, reversed_name=None)
    assert not [row for row in names_seen((late,)) if row.where.startswith(("DHCP", "DNS"))]
    skipped = [one.id for one in verdicts((late,)) if "at the boot after" in one.reason]
    assert skipped == ["hostname.dhcp", "hostname.dns", "hostname.reverse"]
