"""Which images may pass, told by reports as `verify` writes them."""

from dataclasses import replace
from pathlib import Path

import pytest

from build.manifest import Package
from publish.gate import NotProven, examine, refusal
from publish.subject import subject
from publish.target import Definition
from tests.publish.images import Image, image, report, written

GEN1 = Definition("linux-gen1", "Kiln", "linux", "linux-gen1", 1)
GEN2 = Definition("linux-gen2", "Kiln", "linux", "linux-gen2", 2)


def complaints(made: Image, *definitions: Definition) -> tuple[str, ...]:
    return examine(subject(made.folder, Path()), made.digest, definitions).complaints


def test_lets_an_image_pass_that_booted_on_every_promised_machine(tmp_path: Path) -> None:
    made = image(tmp_path / "debian", "gen1", "gen2")
    proof = examine(subject(made.folder, Path()), made.digest, [GEN1, GEN2])
    assert proof.holds
    assert proof.runs == ("gen1-first-boot", "gen2-first-boot")


def test_takes_a_missing_report_for_no_proof(tmp_path: Path) -> None:
    made = image(tmp_path / "debian", "gen1")
    assert complaints(made, GEN1, GEN2) == ("no report of a first boot on gen2: `--machine gen2` plays one",)


@pytest.mark.parametrize(
    ("definition", "machine"),
    [
        (replace(GEN2, controllers=("SCSI", "NVMe")), "gen2-nvme"),
        (replace(GEN2, security="TrustedLaunchSupported"), "gen2-trusted"),
        (replace(GEN2, security="TrustedLaunch"), "gen2-trusted"),
    ],
)
def test_wants_a_boot_of_everything_that_a_definition_promises(
    definition: Definition, machine: str, tmp_path: Path
) -> None:
    made = image(tmp_path / "debian", "gen2")
    (complaint,) = complaints(made, definition)
    assert machine in complaint
    report(made.folder / "runs", machine, made.digest)
    assert not complaints(made, definition)


def test_names_the_verdict_that_failed_and_ends_with_1(tmp_path: Path) -> None:
    made = image(tmp_path / "debian", "gen1")
    report(made.folder / "runs", "gen2", made.digest, failed="hostname.kernel")
    one = subject(made.folder, Path())
    error = refusal(one, examine(one, made.digest, [GEN1, GEN2]))
    assert isinstance(error, NotProven)
    assert error.status == 1
    assert "gen2-first-boot: hostname.kernel: the name is localhost" in error.what


def test_is_not_swayed_by_a_pass_beside_a_failure(tmp_path: Path) -> None:
    made = image(tmp_path / "debian", "gen2")
    report(made.folder / "runs", "gen2", made.digest, scenario="reboot", failed="disk.grown")
    assert "disk.grown" in complaints(made, GEN2)[0]


def test_believes_verdicts_and_not_a_report_s_own_word(tmp_path: Path) -> None:
    made = image(tmp_path / "debian")
    report(made.folder / "runs", "gen2", made.digest, verdicts=[])
    assert "no report of a first boot on gen2" in complaints(made, GEN2)[0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"digest": "0" * 64}, "are about other bytes"),
        ({"faults": ["imds-slow"]}, "was played under imds-slow"),
        ({"seed": "nocloud"}, "not as Azure boots it"),
    ],
)
def test_says_why_a_report_does_not_count(changes: dict[str, object], why: str, tmp_path: Path) -> None:
    made = image(tmp_path / "debian")
    told = {"digest": made.digest, **changes}
    report(made.folder / "runs", "gen2", str(told.pop("digest")), **told)
    assert why in complaints(made, GEN2)[0]


def test_refuses_a_file_that_is_not_what_was_built(tmp_path: Path) -> None:
    made = image(tmp_path / "debian", "gen2", digest="f" * 64)
    assert "is not what was built" in complaints(made, GEN2)[0]


@pytest.mark.parametrize("version", ["13.8+deb13u8+standin", "10-1.standin", "9999.2.0"])
def test_refuses_what_was_made_from_a_stand_in(version: str, tmp_path: Path) -> None:
    made = image(tmp_path / "debian", "gen2", packages=(Package("base-files", version, "amd64"),))
    assert "a stand-in mirror, which proves Kiln's code" in complaints(made, GEN2)[0]


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"schema": 2, "machine": {"generation": "x"}}', b"\xff"])
def test_takes_a_damaged_report_for_none(damage: bytes, tmp_path: Path) -> None:
    made = image(tmp_path / "debian", "gen2")
    (made.folder / "runs" / "gen2-first-boot" / "report.json").write_bytes(damage)
    assert "no report" in complaints(made, GEN2)[0]


def test_finds_the_reports_of_an_image_that_kiln_did_not_build(tmp_path: Path) -> None:
    made = image(tmp_path / "vendor", "gen2")
    file = tmp_path / "vendor.vhd"
    made.disk.rename(file)
    report(tmp_path / "output" / "vendor" / "runs", "gen2", made.digest)
    foreign = subject(file, tmp_path / "output")
    assert foreign.manifest is None
    assert examine(foreign, made.digest, [GEN2]).holds


def test_a_written_byte_makes_another_image(tmp_path: Path) -> None:
    from publish.source import read

    made = image(tmp_path / "debian", "gen2")
    written(made.disk, 0, b"x")
    digest = read(made.disk).digest
    assert not examine(subject(made.folder, Path()), digest, [GEN2]).holds
