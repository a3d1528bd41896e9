"""A run's outcome as a report: verdicts of each boot, notes, files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.errors import CallerError
from harness.expected import CUSTOM_DATA, USER_DATA
from harness.guest import make_key
from harness.machines import GEN1, GEN2, MachineProfile
from harness.play import Boot
from harness.run import Outcome, _files, _judged, _notes
from harness.stage import Order, make_vm, profile_of
from harness.vm import swapped
from harness.wishes import MachineWishes, machine_order
from tests.build.test_manifest import MANIFEST
from tests.harness.guests import CLOUD_INIT, SPECIALIZED_PROFILE, facts, guest
from tests.harness.test_verify import SUBJECT


def order(seed: str = "azure", machine: MachineProfile = GEN2, **wishes: Any) -> Order:
    return Order.of(machine_order(SUBJECT, machine, seed, MachineWishes(**wishes)))


def outcome(*boots: Boot, **changes: Any) -> Outcome:
    return Outcome(boots, facts(guest=boots[0].facts, ending=boots[0].ending, **changes), (), {}, "")


def test_the_order_arrives_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(range(256)))
    given = order(name="web", admin="me", custom_data=tmp_path / "data")
    assert (given.name, given.admin, given.custom_data, given.own_data) == ("web", "me", bytes(range(256)), True)
    assert (order().custom_data, order().user_data, order().own_data) == (CUSTOM_DATA, USER_DATA, False)


def test_two_machines_of_one_image_are_two_to_azure() -> None:
    first, second = (make_vm(order(), CLOUD_INIT, make_key(), which) for which in ("first", "twin"))
    assert first.uuid != second.uuid
    assert first.mac != second.mac
    assert make_vm(order(), CLOUD_INIT, make_key()).uuid == first.uuid


def test_a_machine_is_what_was_ordered() -> None:
    key = make_key()
    vm = make_vm(order(machine=GEN1), CLOUD_INIT, key)
    assert (vm.name, vm.generation, vm.os_disk_gib) == ("kiln-vm", 1, 34)
    assert vm.vm_id == swapped(vm.uuid)
    assert vm.os_profile is not None and vm.os_profile.public_keys == (key.public,)
    assert make_vm(order(), SPECIALIZED_PROFILE, key).os_profile is None


def test_the_manifest_says_what_the_image_is(tmp_path: Path) -> None:
    replace(MANIFEST, provisioner="waagent").save(tmp_path)
    profile = profile_of(replace(order(), container=tmp_path))
    assert (profile.kind, profile.provisioner, profile.generations) == ("generalized", "waagent", (2,))


def test_a_sound_run_passes_each_check_of_each_boot_once() -> None:
    once = list(_judged(outcome(Boot(guest())), CLOUD_INIT))
    twice = list(_judged(outcome(Boot(guest()), Boot(guest())), CLOUD_INIT))
    ids = [one.id for one in twice]
    assert len(ids) == len(set(ids)) == 2 * len(once) + 1
    assert not [one.id for one in twice if one.status == "failed"]
    assert "reboot.run.identity-stays" in ids
    assert not [one.id for one in once if "identity-" in one.id]


def test_what_a_reboot_changed_is_said_of_the_reboot() -> None:
    changed = guest(machine_id="f" * 32)
    found = [one for one in _judged(outcome(Boot(guest()), Boot(changed)), CLOUD_INIT) if one.status == "failed"]
    assert [one.id for one in found] == ["reboot.run.identity-stays"]
    assert found[0].title.startswith("after a reboot, ")


def test_a_failed_reboot_is_told_once() -> None:
    ended = outcome(Boot(guest()), Boot(None, "the kernel panicked"))
    found = [one for one in _judged(ended, CLOUD_INIT) if one.status == "failed"]
    assert [(one.id, one.evidence) for one in found] == [("reboot.run.boot-ssh", ("the kernel panicked",))]


def test_notes_show_the_name_wherever_it_was_seen() -> None:
    told = _notes(order(), outcome(Boot(guest(transient_name="")), hostnames=("localhost", "kiln-vm")))
    assert (
        "The name as seen: metadata service kiln-vm; disc kiln-vm; DHCP, in order localhost, kiln-vm; kernel kiln-vm; "
        "hostnamectl kiln-vm; /etc/hosts kiln-vm; DNS kiln-vm → 10.0.0.4." in told
    )


def test_notes_tell_the_guests_own_time() -> None:
    told = _notes(order(), outcome(Boot(guest())))[-1]
    assert told.startswith("By its own clock the guest needed 71.5 s until SSH was up and cloud-init done, and 83.92 s")


def test_notes_say_what_was_not_exercised() -> None:
    assert any("boot loader was not exercised" in note for note in _notes(order("nocloud"), outcome(Boot(None, "no"))))


def test_names_the_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "twin").mkdir()
    for name in ("console.log", "twin/journal.jsonl"):
        (tmp_path / name).touch()
    assert _files(tmp_path) == {"console": "console.log", "second machine's journal": "twin/journal.jsonl"}


def test_refuses_a_key_of_nobody(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(make_key().public)
    with pytest.raises(CallerError, match="no usable private key"):
        order(ssh_key=tmp_path / "key")
