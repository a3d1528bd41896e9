"""What a caller wants of a machine, checked before anything runs; where results are kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from build.diskfile import DiskFile
from build.errors import CallerError, MachineError
from build.progress import Progress
from harness.machines import GEN1, GEN2, TRUSTED
from harness.runs import VerifyRequest
from harness.scratch import scratch_folder
from harness.sshkey import make_key
from harness.subject import Subject
from harness.verify import Verified, verify
from harness.wishes import GROWTH, MachineWishes, machine_order, machines
from tests.build.test_manifest import MANIFEST
from tests.harness.guests import CLOUD_INIT
from tests.harness.test_subject import disk

GIB = 1 << 30
SUBJECT = Subject("image", DiskFile(Path("image/disk.vhd"), "fixed-vhd", 30 * GIB, "raw"), Path("image"), MANIFEST)
SPECIALIZED = replace(SUBJECT, manifest=replace(MANIFEST, kind="specialized", hostname="built-in", admin="boss"))


@pytest.mark.parametrize(
    ("wishes", "names"),
    [
        (MachineWishes(), ["gen1", "gen2"]),
        (MachineWishes(generation=2), ["gen2"]),
        (MachineWishes(machine="gen2-nvme"), ["gen2-nvme"]),
        (MachineWishes(machine="gen2-trusted", generation=2), ["gen2-trusted"]),
    ],
)
def test_boots_on_the_machines_that_are_wished(wishes: MachineWishes, names: list[str]) -> None:
    assert [one.name for one in machines(SUBJECT, wishes)] == names


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (MachineWishes(machine="gen3"), "there is no machine 'gen3'"),
        (MachineWishes(machine="gen2-nvme", generation=1), "gen2-nvme is of generation 2"),
        (MachineWishes(machine="gen2-trusted"), "is not made for generation 2"),
    ],
)
def test_refuses_machines_that_do_not_fit(wishes: MachineWishes, message: str) -> None:
    assert SUBJECT.manifest
    of_bios = replace(SUBJECT, manifest=replace(SUBJECT.manifest, generations=(1,)))
    with pytest.raises(CallerError, match=message):
        machines(of_bios, wishes)


def test_starts_no_kernel_past_secure_boot() -> None:
    with pytest.raises(CallerError, match="which Secure Boot refuses"):
        machine_order(SUBJECT, TRUSTED, "nocloud", MachineWishes())


def test_orders_a_machine_of_its_own_choice() -> None:
    order = machine_order(SUBJECT, GEN2, "azure", MachineWishes())
    assert (order["name"], order["admin"], order["memory_mib"]) == ("kiln-vm", "azureuser", 1536)
    assert order["disk_size"] == 30 * GIB + GROWTH
    assert (order["image"], order["container"]) == (str(Path("image/disk.vhd").absolute()), "image")


def test_orders_what_the_caller_wishes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(bytes(range(256)))
    wishes = MachineWishes("web", "me", None, data, data, 2 * GIB, 64 * GIB)
    order = machine_order(replace(SUBJECT, manifest=None), GEN1, "azure", wishes)
    assert (order["name"], order["admin"], order["memory_mib"], order["disk_size"]) == ("web", "me", 2048, 64 * GIB)
    assert order["custom_data"].encode("latin-1") == bytes(range(256))
    assert order["container"] == ""


def test_knows_the_administrator_of_a_specialized_image(tmp_path: Path) -> None:
    key = make_key()
    (tmp_path / "key").write_text(key.private)
    order = machine_order(SPECIALIZED, GEN2, "azure", MachineWishes(ssh_key=tmp_path / "key"))
    assert (order["admin"], order["ssh_key"]) == ("boss", key.private)


@pytest.mark.parametrize(
    ("subject", "seed", "wishes", "message"),
    [
        (SUBJECT, "azure", MachineWishes(ssh_key=Path("/dev/null")), "that is no usable private key"),
        (SPECIALIZED, "azure", MachineWishes(), "image is specialized: Azure gives it no key to log in with"),
        (SPECIALIZED, "nocloud", MachineWishes(), "nothing provisions a specialized image"),
        (SUBJECT, "ec2", MachineWishes(), "there is no seed 'ec2'"),
        (SUBJECT, "azure", MachineWishes(name="Web_1"), "'Web_1' is no name for a machine"),
        (SUBJECT, "azure", MachineWishes(name="a" * 64), "is no name for a machine"),
        (SUBJECT, "azure", MachineWishes(admin="Me Myself"), "'Me Myself' is no name for an administrator"),
        (SUBJECT, "azure", MachineWishes(admin="root"), "Azure refuses the administrator root"),
        (SUBJECT, "azure", MachineWishes(memory=64 << 20), "67108864 bytes of memory are too few"),
        (SUBJECT, "azure", MachineWishes(disk_size=20 * GIB), "smaller than the image's"),
        (SUBJECT, "azure", MachineWishes(disk_size=31 * GIB + 1), "is not a whole number of MiB"),
        (SUBJECT, "azure", MachineWishes(custom_data=Path("/nowhere")), "/nowhere cannot be read: No such file"),
        (SUBJECT, "azure", MachineWishes(user_data=Path("/")), "/ cannot be read: Is a directory"),
        (SUBJECT, "azure", MachineWishes(ssh_key=Path("/nowhere")), "/nowhere cannot be read"),
    ],
)
def test_refuses_what_cannot_be(subject: Subject, seed: str, wishes: MachineWishes, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        machine_order(subject, GEN2, seed, wishes)


@pytest.mark.parametrize("what", ["custom_data", "user_data"])
def test_refuses_more_data_than_azure_takes(what: str, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes((64 << 10) + 1))
    with pytest.raises(CallerError, match="is larger than the 65535 bytes that Azure takes"):
        machine_order(SUBJECT, GEN2, "azure", replace(MachineWishes(), **{what: tmp_path / "data"}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenario": "crash"}, "no scenario 'crash'"),
        ({"generation": None}, "has no manifest"),
        ({"image": Path("/nowhere")}, "is not a file"),
    ],
)
def test_refuses_before_anything_runs(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    request = VerifyRequest(image=disk(tmp_path / "image.raw", footer=False), generation=1, output=tmp_path / "output")
    with pytest.raises(CallerError, match=message):
        verify(replace(request, **changes), Progress())  # type: ignore[arg-type]
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("scenario", ["specialized-twins", "first-boot,specialized-twins"])
def test_refuses_a_scenario_that_does_not_apply(scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.runs.profile_of", lambda order: CLOUD_INIT)
    request = VerifyRequest(image=disk(tmp_path / "image.raw", footer=False), generation=1, output=tmp_path / "output")
    with pytest.raises(CallerError, match="specialized-twins is for specialized images"):
        verify(replace(request, scenario=scenario), Progress())


def test_nothing_played_is_nothing_passed() -> None:
    assert not Verified(()).passed


def test_leaves_a_run_alone_that_is_under_way(tmp_path: Path) -> None:
    request = VerifyRequest(image=disk(tmp_path / "image.raw", footer=False), generation=1, output=tmp_path / "output")
    folder = tmp_path / "output" / "image" / "runs" / "gen1-first-boot"
    folder.mkdir(parents=True)
    with scratch_folder(folder), pytest.raises(MachineError, match=r"another run writes to .*gen1-first-boot"):
        verify(request, Progress())


def test_says_that_results_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("in the way")
    request = VerifyRequest(image=disk(tmp_path / "image.raw", footer=False), generation=1, output=tmp_path / "output")
    with pytest.raises(MachineError, match="cannot be replaced: Not a directory"):
        verify(request, Progress())
