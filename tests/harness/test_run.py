"""What a run is told to make, and the files that lie beside its report."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from build.errors import CallerError
from harness.accelerator import TCG
from harness.expected import CUSTOM_DATA, USER_DATA
from harness.machines import GEN1, GEN2, TRUSTED, MachineProfile
from harness.order import Order, make_vm, profile_of, waiting, with_disks
from harness.performance import machine_facts
from harness.processor import X86_64
from harness.run import _files
from harness.scenario import find_scenario
from harness.sshkey import make_key
from harness.stage import Stage
from harness.stint import Stint
from harness.vm import swapped
from harness.wishes import MachineWishes, machine_order
from tests.build.test_manifest import MANIFEST
from tests.harness.guests import CLOUD_INIT, SPECIALIZED_PROFILE
from tests.harness.reports import MACHINE
from tests.harness.test_verify import SUBJECT


def order(seed: str = "azure", machine: MachineProfile = GEN2, **wishes: Any) -> Order:
    return Order.of(machine_order(SUBJECT, machine, seed, MachineWishes(**wishes)))


def test_the_order_arrives_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(range(256)))
    given = order(name="web", admin="me", custom_data=tmp_path / "data")
    assert (given.name, given.admin, given.custom_data, given.own_data) == ("web", "me", bytes(range(256)), True)
    assert (order().custom_data, order().user_data, order().own_data) == (CUSTOM_DATA, USER_DATA, False)


def test_two_machines_of_one_image_are_two_to_azure() -> None:
    first, second = (make_vm(order(), CLOUD_INIT, make_key(), which) for which in ("first", "second"))
    assert first.uuid != second.uuid
    assert first.mac != second.mac
    assert first.address != second.address
    assert first.subscription_id == second.subscription_id
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


def test_a_machine_on_another_host_is_the_same_in_another_container() -> None:
    first, moved = (make_vm(order(), CLOUD_INIT, make_key(), "first", place) for place in ("first", "second"))
    assert (first.uuid, first.mac, first.deployment_id) == (moved.uuid, moved.mac, moved.deployment_id)
    assert first.container_id != moved.container_id


def test_a_machine_of_a_pool_is_nobodys_until_it_is_handed_over() -> None:
    vm = make_vm(order(), CLOUD_INIT, make_key())
    assert waiting(vm, "None") is vm
    pooled = waiting(vm, "Running")
    assert (pooled.pool, pooled.uuid, pooled.container_id) == ("Running", vm.uuid, vm.container_id)
    assert pooled.os_profile is not None and pooled.os_profile.computer_name != order().name
    assert pooled.os_profile.custom_data == b""
    assert (pooled.mac, pooled.address) == (vm.mac, vm.address)


def test_a_machine_that_waits_saved_has_the_pools_card() -> None:
    vm = make_vm(order(), CLOUD_INIT, make_key())
    pooled = waiting(vm, "Savable")
    assert pooled.mac != vm.mac and pooled.address != vm.address
    assert pooled.network == vm.network


def test_azure_knows_a_machines_disks() -> None:
    stint = Stint(data_disks=(4 << 30, 64 << 30), resource_disk=16 << 30)
    vm = with_disks(make_vm(order(), CLOUD_INIT, make_key()), stint)
    assert [(one.lun, one.size_gib) for one in vm.data_disks] == [(0, 4), (1, 64)]
    assert vm.resource_disk_gib == 16


def test_names_the_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "twin").mkdir()
    for name in ("console.log", "twin/journal.jsonl"):
        (tmp_path / name).touch()
    found = _files(tmp_path, find_scenario("twins"))
    assert found == {"console": "console.log", "twin's journal": "twin/journal.jsonl"}


def test_refuses_a_key_of_nobody(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(make_key().public)
    with pytest.raises(CallerError, match="no usable private key"):
        order(ssh_key=tmp_path / "key")


def test_tells_what_booted_as_reports_have_it() -> None:
    given = order(machine=TRUSTED)
    stage = SimpleNamespace(
        vm=make_vm(given, CLOUD_INIT, make_key()),
        machine=SimpleNamespace(hardware=SimpleNamespace(processor=X86_64, kernel=None)),
        accelerator=TCG,
        link=SimpleNamespace(kind="tap"),
    )
    told = machine_facts(cast(Stage, stage), given)
    assert list(told) == list(MACHINE)
    assert (told["machine"], told["generation"]) == ("gen2-trusted", "2")
    assert told["secure_boot"].startswith("on") and told["vtpm"].startswith("TPM 2.0")
