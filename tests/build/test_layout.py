"""Layouts: where partitions lie, and the tables that sfdisk gets."""

import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.errors import CallerError
from build.layout import MIB, lay_out

GIB = 1 << 30


def without_ids(script: str) -> str:
    lines = []
    for line in script.splitlines():
        head, mark, value = line.rpartition("uuid=" if "uuid=" in line else "label-id: ")
        lines.append(f"{head}{mark}*" if mark else value)
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("generation", "script"),
    [
        (
            "1",
            """\
label: dos
label-id: *
1 : start=2048, size=62912512, type=83, bootable""",
        ),
        (
            "2",
            """\
label: gpt
label-id: *
1 : start=256000, size=62656512, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=root, uuid=*
15 : start=2048, size=253952, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp, uuid=*""",
        ),
        (
            "both",
            """\
label: gpt
label-id: *
1 : start=262144, size=62650368, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=root, uuid=*
14 : start=2048, size=6144, type=21686148-6449-6E6F-744E-656564454649, name=bios, uuid=*
15 : start=8192, size=253952, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp, uuid=*""",
        ),
    ],
)
def test_tells_sfdisk_the_table_of_each_generation(generation: str, script: str) -> None:
    assert without_ids(lay_out("an-image", generation, 30 * GIB, 124, "x86_64").script()) == script


@given(
    generation=st.sampled_from(["1", "2", "both"]),
    mib=st.integers(min_value=1152, max_value=2047 << 10),
    esp=st.integers(min_value=40, max_value=512),
)
def test_lays_partitions_side_by_side_with_root_last(generation: str, mib: int, esp: int) -> None:
    layout = lay_out("an-image", generation, mib * MIB, esp, "x86_64")
    slots = [slot for slot in (layout.bios, layout.esp, layout.root) if slot]
    assert all(slot.start % MIB == 0 and slot.size % MIB == 0 for slot in slots)
    assert all(left.start + left.size == right.start for left, right in pairwise(slots))
    assert slots[0].start == MIB
    assert layout.size - (layout.root.start + layout.root.size) == (0 if layout.label == "dos" else MIB)


def test_names_everything_by_ids_that_follow_from_the_images_name() -> None:
    one, again, other = (lay_out(name, "both", 30 * GIB, 124, "x86_64") for name in ("a", "a", "b"))
    assert one == again
    found = [one.disk_id, one.root_uuid, *(slot.guid for slot in (one.root, one.esp, one.bios) if slot)]
    assert len({*map(uuid.UUID, found)}) == 5
    assert one.disk_id != other.disk_id
    assert one.esp_serial != other.esp_serial
    assert one.root_uuid != other.root_uuid


@pytest.mark.parametrize(("generation", "sector", "prefix"), [("1", 1, "(,msdos1)"), ("both", 2048, "(,gpt1)")])
def test_puts_core_img_where_the_table_leaves_room(generation: str, sector: int, prefix: str) -> None:
    layout = lay_out("an-image", generation, 30 * GIB, 124, "x86_64")
    assert (layout.core_at, layout.core_prefix, layout.boots_bios) == (sector, prefix, True)


def test_has_no_place_for_bios_code_on_a_disk_for_uefi_alone() -> None:
    layout = lay_out("an-image", "2", 30 * GIB, 124, "x86_64")
    assert not layout.boots_bios
    assert layout.bios is None


@pytest.mark.parametrize(
    ("generation", "size", "message", "hint"),
    [
        ("both", 30 * GIB + 1, "not whole MiB", "--size 30G"),
        ("both", GIB // 2, "a disk of 512 MiB is too small", "--size 641M"),
        ("1", GIB // 2, "too small", "--size 513M"),
        ("2", 0, "too small", "--size 638M"),
        ("1", 2048 * GIB, "too large", "--size 2096128M"),
        ("both", 4096 * GIB, "too large", "--size 4193280M"),
    ],
)
def test_refuses_a_size_and_names_one_that_does(generation: str, size: int, message: str, hint: str) -> None:
    with pytest.raises(CallerError, match=message) as refusal:
        lay_out("an-image", generation, size, 124, "x86_64")
    assert hint in refusal.value.hint


@pytest.mark.parametrize(("generation", "least"), [("1", 513), ("2", 638), ("both", 641)])
def test_takes_the_least_size_that_it_names(generation: str, least: int) -> None:
    assert lay_out("an-image", generation, least * MIB, 124, "x86_64").size == least * MIB
