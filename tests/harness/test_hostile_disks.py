"""Whatever the bytes of a disk say, its readers end, read little, and raise nothing but what they promise."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from build.errors import KilnError
from build.gpt import NotADisk, read_table
from harness.btrfs import BtrfsTree
from harness.diskfacts import read_disk
from harness.filesystem import identify
from harness.inodes import InodeTree
from harness.lvm import map_volumes, read_physical
from harness.pe import NotPe, contents
from harness.rpmdb import read_rpm
from harness.tree import FolderTree, Tree, Unreadable
from harness.volume import Piece, Volume
from harness.xfs import XfsTree
from tests.harness import images, rootdisks
from tests.harness.images import MIB
from tests.harness.pe import unified
from tests.harness.rpmdbs import header, ndb

MOST = 64 << 20
"""Bytes that a reader may ask for."""
Damage = list[tuple[int, bytes]]
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=100_000, suppress_health_check=list(HealthCheck))
TELLING = some.sampled_from([b"\0", b"\xff", b"\x7f", b"\x80", b"\1", b"\0" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7])


def damages(places: int) -> some.SearchStrategy[Damage]:
    """Bytes of a structure of that length that are others than they should be."""
    content = some.one_of(some.binary(min_size=1, max_size=8), TELLING)
    return some.lists(some.tuples(some.integers(0, places - 1), content), min_size=1, max_size=6)


def damaged(raw: bytes, damage: Damage) -> bytes:
    spoilt = bytearray(raw)
    for at, content in damage:
        spoilt[at : at + len(content)] = content[: len(raw) - at]
    return bytes(spoilt)


@dataclass(frozen=True)
class Hostile(Volume):
    """A volume with other bytes here and there, which counts what is read and remembers where."""

    damage: tuple[tuple[int, bytes], ...] = ()
    asked: list[tuple[int, int]] = field(default_factory=list)
    count: ClassVar[int] = 0

    def read(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        assert sum(length for _, length in self.asked) <= MOST
        raw = bytearray(super().read(offset, length))
        for at, content in self.damage:
            for place, byte in enumerate(content, at - offset):
                if 0 <= place < len(raw):
                    raw[place] = byte
        return bytes(raw)


@dataclass(frozen=True)
class Sample:
    """A sound file system: where it lies, its reader, and the bytes that matter: those that a look at it asks for."""

    disk: Path
    open: Callable[[Volume], InodeTree]
    places: tuple[int, ...] = field(repr=False)

    def volume(self, damage: Damage) -> Hostile:
        telling = tuple((self.places[at % len(self.places)], content) for at, content in damage)
        return Hostile(self.disk, (Piece(6 * MIB, rootdisks.LARGE * MIB),), "the sample", (1,), damage=telling)


def look(tree: Tree) -> None:
    """A few of the questions that checks have."""
    tree.read_text("/etc/fstab")
    tree.glob("/etc/*/*.conf")
    tree.is_file("/lib/modules")
    for path in tree.files("/boot"):
        tree.read_bytes(path, 4096)


@pytest.fixture(scope="module", params=["xfs", "btrfs"])
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Sample:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "xfs":
        return sampled(rootdisks.on_xfs(folder, tree), XfsTree)
    return sampled(rootdisks.on_btrfs(folder, tree), lambda volume: BtrfsTree(volume, folder))


def sampled(disk: Path, opener: Callable[[Volume], InodeTree]) -> Sample:
    whole = Sample(disk, opener, (0,))
    volume = whole.volume([])
    look(opener(volume))
    return Sample(disk, opener, tuple(sorted({at for start, length in volume.asked for at in told(start, length)})))


def told(start: int, length: int) -> Iterator[int]:
    """The head of what is read, and now and then a byte of the rest."""
    yield from range(start, start + min(length, 256))
    yield from range(start + 256, start + length, 61)


def survives(sample: Sample, damage: Damage) -> None:
    try:
        look(sample.open(sample.volume(damage)))
    except Unreadable as reason:
        assert str(reason)


@FEW
@given(damage=damages(1 << 20))
def test_a_damaged_file_system_is_read_or_refused(sample: Sample, damage: Damage) -> None:
    survives(sample, damage)


@pytest.mark.combination
@MANY
@given(damage=damages(1 << 20))
def test_many_damaged_file_systems_are_read_or_refused(sample: Sample, damage: Damage) -> None:
    survives(sample, damage)


LABEL = rootdisks.label(rootdisks.group())


def read_lvm(damage: Damage) -> None:
    raw = damaged(LABEL, damage)
    asked = []

    def read(offset: int, length: int) -> bytes:
        asked.append(length)
        return raw[offset : offset + length]

    try:
        map_volumes(read_physical(read, 0).text, {rootdisks.IDS[0]: 0})
    except Unreadable as reason:
        assert str(reason)
    assert sum(asked) <= MOST


@FEW
@given(damages(len(LABEL)))
def test_damaged_metadata_of_lvm_is_read_or_refused(damage: Damage) -> None:
    read_lvm(damage)


@pytest.mark.combination
@MANY
@given(damages(len(LABEL)))
def test_many_damaged_metadata_of_lvm_are_read_or_refused(damage: Damage) -> None:
    read_lvm(damage)


@pytest.fixture(scope="module")
def gpt() -> bytes:
    file = io.BytesIO(bytes(images.SIZE))
    images.write_gpt(file, images.SIZE, [(1, images.LINUX_ROOT, 2048, 2048)])
    return file.getvalue()[: 34 * 512]


@FEW
@given(damage=damages(34 * 512), size=some.integers(0, 1 << 63))
def test_a_damaged_partition_table_is_read_or_refused(gpt: bytes, damage: Damage, size: int) -> None:
    try:
        read_table(io.BytesIO(damaged(gpt, damage)), size)
    except NotADisk as reason:
        assert str(reason)


@FEW
@given(damage=damages(512))
def test_a_damaged_footer_is_findings_or_no_disk(disk: Path, tmp_path: Path, damage: Damage) -> None:
    with disk.open("r+b") as file:
        file.seek(-512, 2)
        sound = file.read()
        file.seek(-512, 2)
        file.write(damaged(sound, damage))
    try:
        found = read_disk(disk, tmp_path)
        assert found.table or found.table_problem or found.unread
    except KilnError as reason:
        assert str(reason)
    finally:
        with disk.open("r+b") as file:
            file.seek(-512, 2)
            file.write(sound)


@FEW
@given(some.binary(max_size=2048), some.sampled_from([b"XFSB", b"", b"LABELONE", b"\x53\xef"]), some.integers(0, 1100))
def test_any_bytes_are_some_file_system_or_none(raw: bytes, mark: bytes, at: int) -> None:
    content = raw[:at].ljust(at, b"\0") + mark + raw
    assert isinstance(identify(lambda offset, length: content[offset : offset + length], 0).kind, str)


@FEW
@given(damages(4096))
def test_a_damaged_program_is_read_or_refused(damage: Damage) -> None:
    try:
        found = contents(damaged(unified()[:65536], damage))
    except NotPe as reason:
        assert str(reason)
    else:
        assert all(len(part) <= 65536 for part in found.values())


@FEW
@given(damage=damages(8192))
def test_a_damaged_rpm_database_is_read_or_refused(tmp_path: Path, damage: Damage) -> None:
    path = ndb(tmp_path / "root/usr/lib/sysimage/rpm/Packages.db", [header("a"), header("b", epoch=3)] * 20)
    path.write_bytes(damaged(path.read_bytes(), damage))
    try:
        assert isinstance(read_rpm(FolderTree(tmp_path / "root"), tmp_path), dict)
    except Unreadable as reason:
        assert str(reason)
