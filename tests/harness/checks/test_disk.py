"""What the checks of a VHD make of sizes and names that no test can afford as files."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from build.vhd import MIB, Footer
from harness.checks.disk import (
    GIB,
    its_name_can_be_a_blob,
    its_sectors_have_512_bytes,
    no_converter_changed_the_size,
    the_disk_can_be_uploaded,
    the_vhd_kept_its_size,
)
from harness.diskfacts import DiskFacts

Check = Callable[[DiskFacts], Iterator[str]]
SIZE = 30 * GIB
FOOTER = Footer(SIZE, uuid.UUID(int=1), 1700000000, original_size=SIZE)
CYLINDERS = (1023, 16, 63)
ROUNDED = 1023 * 16 * 63 * 512


def disk(name: str = "disk.vhd", size: int = SIZE, **footer: object) -> DiskFacts:
    path = Path(name)
    known = replace(FOOTER, current_size=size, **footer)  # type: ignore[arg-type]
    return DiskFacts(path, path, "fixed VHD", size + 512, size, known)


@pytest.mark.parametrize(
    ("check", "good", "bad", "found"),
    [
        (
            no_converter_changed_the_size,
            disk(creator=b"qemu"),
            disk(size=ROUNDED, creator=b"qemu", geometry=CYLINDERS),
            "QEMU made the size 1023 cylinders of 1008 sectors: 527966208 bytes",
        ),
        (
            no_converter_changed_the_size,
            disk(size=ROUNDED, creator=b"win ", geometry=CYLINDERS),
            disk(size=ROUNDED, creator=b"qemu", geometry=CYLINDERS),
            "QEMU made",
        ),
        (
            the_vhd_kept_its_size,
            disk(original_size=SIZE),
            disk(original_size=SIZE - MIB),
            f"it was made with {SIZE - MIB} bytes and has {SIZE}",
        ),
        (its_name_can_be_a_blob, disk("my disk.vhd"), disk('50%"1".vhd'), 'has " %'),
        (the_disk_can_be_uploaded, disk(size=8192 * GIB - 512), disk(size=8192 * GIB), "it fits into no page blob"),
        (the_disk_can_be_uploaded, disk(), disk(size=32769 * GIB), "no upload takes it"),
    ],
)
def test_tells_a_good_vhd_from_a_bad_one(check: Check, good: DiskFacts, bad: DiskFacts, found: str) -> None:
    assert list(check(good)) == []
    (told,) = check(bad)
    assert found in told


@pytest.mark.parametrize(("sector", "finds"), [(512, False), (4096, True)])
def test_finds_a_table_that_was_made_for_larger_sectors(tmp_path: Path, sector: int, finds: bool) -> None:
    file = tmp_path / "disk"
    file.write_bytes(bytes(sector) + b"EFI PART".ljust(4096, b"\0"))
    told = list(its_sectors_have_512_bytes(disk(str(file))))
    assert told == ([f"its partition table was made for sectors of {sector} bytes"] if finds else [])
