"""Files that other tools made, or that were damaged on the way: the finding names what is wrong, nothing crashes."""

import os
import subprocess
from functools import cache
from pathlib import Path
from uuid import UUID

import pytest

from build.command import find
from build.vhd import FIXED, LENGTH, Footer
from harness.checks.check import Check, judge
from harness.diskfacts import read_disk
from harness.inspect import inspect, offline_checks
from harness.report import Status
from tests.harness import images
from tests.harness.images import MIB, ROOT
from tests.harness.planted import cut, evidence, failed, patch


def _converted(disk: Path, form: str, *options: str) -> Path:
    """The disk without its footer, as qemu-img converts it."""
    raw, other = disk.with_suffix(".raw"), disk.with_suffix(f".{form}")
    disk.rename(raw)
    cut(raw, images.SIZE)
    words = [find("qemu-img"), "convert", "-f", "raw", "-O", form, *(["-o", ",".join(options)] if options else [])]
    subprocess.run([*words, raw, other], check=True)
    raw.unlink()
    return other


@pytest.mark.parametrize(
    ("form", "options", "found"),
    [
        ("vpc", ("subformat=fixed", "force_size=on"), set()),
        # Without force_size qemu-img rounds the disk up to whole cylinders: no whole MiB, and the GPT ends too early.
        ("vpc", ("subformat=fixed",), {"vhd.align", "part.table", "vhd.qemu-version"}),
        ("vpc", ("subformat=dynamic", "force_size=on"), {"vhd.fixed"}),
        ("vpc", ("subformat=dynamic",), {"vhd.fixed", "vhd.align", "part.table", "vhd.qemu-version"}),
        ("vhdx", ("subformat=dynamic",), {"vhd.fixed"}),
        ("vhdx", ("subformat=fixed",), {"vhd.fixed"}),
        ("qcow2", (), {"vhd.fixed"}),
    ],
)
def test_finds_what_another_tool_made_otherwise(
    disk: Path, form: str, options: tuple[str, ...], found: set[str]
) -> None:
    assert failed(inspect(_converted(disk, form, *options))) == found


@pytest.mark.parametrize(
    ("form", "options", "left", "found"),
    [
        ("vpc", ("subformat=dynamic", "force_size=on"), -512, "vhd.fixed"),
        ("vpc", ("subformat=dynamic", "force_size=on"), -MIB, "vhd.fixed"),
        ("vpc", ("subformat=dynamic", "force_size=on"), 1024, "vhd.fixed"),
        ("vhdx", (), MIB, "vhd.fixed"),
        ("qcow2", (), 65536, "vhd.fixed"),
        ("qcow2", (), 100, "vhd.fixed"),
    ],
)
def test_finds_that_a_file_is_cut(disk: Path, form: str, options: tuple[str, ...], left: int, found: str) -> None:
    file = _converted(disk, form, *options)
    os.truncate(file, left if left > 0 else file.stat().st_size + left)
    report = inspect(file)
    assert found in failed(report)
    assert report.unread
    assert not report.passed


def test_finds_a_damaged_footer_of_a_dynamic_disk(disk: Path) -> None:
    file = _converted(disk, "vpc", "subformat=dynamic", "force_size=on")
    patch(-LENGTH + 70, b"\xff")(file)
    assert failed(inspect(file)) == {"vhd.fixed", "vhd.checksum", "inspect.disk"}


def test_never_reads_the_file_that_another_stands_on(disk: Path, tmp_path: Path) -> None:
    other = tmp_path / "upper.qcow2"
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(disk), str(other)]
    subprocess.run([find(words[0]), *words[1:]], check=True)
    report = inspect(other)
    # The file below is a VHD with its footer, which the upper one takes for a part of the disk.
    assert failed(report) == {"vhd.fixed", "vhd.align", "inspect.disk"}
    assert "stands on another file" in evidence(report)


@pytest.mark.parametrize("left", [images.SIZE + LENGTH - 1, images.SIZE + LENGTH - 100, images.SIZE - 4096, 9 * MIB])
def test_finds_that_a_fixed_disk_is_cut(disk: Path, left: int) -> None:
    cut(disk, left)
    report = inspect(disk)
    assert "vhd.fixed" in failed(report)
    assert not report.passed


def test_finds_each_damaged_bit_of_a_footer(tmp_path: Path) -> None:
    file = tmp_path / "disk.vhd"
    with file.open("wb") as disk:
        disk.truncate(images.SIZE)
        images.write_gpt(disk, images.SIZE, [(1, images.LINUX_ROOT, 2048, 2048)])
        disk.seek(images.SIZE)
        disk.write(sound := bytes(Footer.build(images.SIZE, UUID(ROOT), 1700000000)))
    assert _findings(file) == set()
    for bit in range(LENGTH * 8):
        at, mask = divmod(bit, 8)
        patch(images.SIZE + at, bytes([sound[at] ^ 1 << mask]))(file)
        assert _right_finding(at) in _findings(file), f"bit {mask} of byte {at}"
        patch(images.SIZE + at, sound[at : at + 1])(file)


def _right_finding(at: int) -> str:
    """What tells of a damaged byte of the footer: the cookie, the type, or else the checksum."""
    return "vhd.cookie" if at < 8 else "vhd.type" if 60 <= at < 64 else "vhd.checksum"


@cache
def _of_containers() -> tuple[Check, ...]:
    return tuple(one for one in offline_checks() if one.needs == ("vhd",))


def _findings(file: Path) -> set[str]:
    """The checks of the container alone that fail."""
    verdicts = judge(_of_containers(), {"vhd": read_disk(file, file.parent)})
    return {one.id for one in verdicts if one.status is Status.FAILED and one.severity == "required"}


@pytest.mark.parametrize("kind", sorted({0, 1, 2, 3, 4, 5, 6, 7, 0xFFFFFFFF} - {FIXED}))
def test_finds_a_footer_of_another_type(disk: Path, kind: int) -> None:
    footer = Footer(images.SIZE, UUID(ROOT), 1700000000, kind, original_size=images.SIZE)
    patch(-LENGTH, bytes(footer))(disk)
    assert failed(inspect(disk)) == ({"vhd.fixed", "inspect.disk"} if kind == 4 else {"vhd.type"})
