"""Flatcar images built from the stand-in's release server, by the real tools."""

from pathlib import Path

import pytest

from build.digest import content_digest
from build.gpt import PartitionTable, read_table
from build.manifest import DISK, Manifest
from tests.standin.flatcar import VERSION
from tests.standin.flatcar_image import SIZE, build_image

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flatcar")


def table(image: Path) -> PartitionTable:
    with (image / DISK).open("rb") as file:
        return read_table(file, SIZE)


def test_comes_to_the_same_image_each_time(room: Path) -> None:
    digests = [Manifest.load(build_image(room, spec=True, rebuild=True)).digest for _ in range(2)]
    assert digests[0] == digests[1]


def test_puts_a_spec_into_the_oem_partition_and_nowhere_else(room: Path) -> None:
    plain, own = build_image(room), build_image(room, spec=True)
    assert plain != own
    (oem,) = (one for one in table(own).partitions if one.name == "OEM")
    with (plain / DISK).open("rb") as one, (own / DISK).open("rb") as other:
        for at in range(0, SIZE, 1 << 20):
            same = one.read(1 << 20) == other.read(1 << 20)
            assert same or oem.offset <= at < oem.offset + oem.size


def test_keeps_the_disks_id_and_moves_its_table_to_the_end(room: Path) -> None:
    found = table(build_image(room))
    assert found.problems == ()
    assert found.disk_guid == "00000000-0000-0000-0000-000000000001"
    assert [one.name for one in found.partitions][-1] == "ROOT"


def test_tells_what_can_be_known_of_it(room: Path) -> None:
    image = build_image(room)
    manifest = Manifest.load(image)
    assert manifest.provisioner == "ignition"
    assert manifest.generations == (1, 2)
    assert next((one.name, one.version) for one in manifest.packages) == ("flatcar", VERSION)
    assert manifest.kernel.startswith("6.1.")
    assert manifest.digest == content_digest(image / DISK, SIZE)


def test_leaves_holes_where_there_is_nothing(room: Path) -> None:
    image = build_image(room)
    assert (image / DISK).stat().st_blocks * 512 < SIZE // 4
