"""A disk's volumes: its partitions of Linux, and the logical volumes that lie on them, with the names they go by."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from build.gpt import LINUX, LINUX_BOOT, LINUX_LVM, MBR_LINUX, MBR_LVM, ROOT_ARM64, ROOT_X86_64, Partition
from harness.filesystem import FileSystem, identify
from harness.lvm import LogicalVolume, PhysicalVolume, map_volumes, read_physical
from harness.tree import Unreadable
from harness.volume import Piece, Volume

_ROOTS = (ROOT_X86_64, ROOT_ARM64)
_TYPES = (*_ROOTS, LINUX_BOOT, LINUX, MBR_LINUX, LINUX_LVM, MBR_LVM)
_KINDS = ("ext2", "ext3", "ext4", "xfs", "btrfs", "lvm", "luks")
"""What makes any partition one of Linux, whatever its type says."""


def find_volumes(
    disk: Path, partitions: tuple[Partition, ...], filesystems: Mapping[int, FileSystem]
) -> tuple[tuple[Volume, ...], tuple[str, ...]]:
    """The volumes of a disk, the likeliest root first, and why others of LVM's cannot be read.

    `disk` has its bytes from the first on, `filesystems` what each partition holds, by its number.
    """
    order = sorted(partitions, key=lambda one: (one.type not in _ROOTS, one.type not in _TYPES, -one.size))
    plain = [_partition(disk, one, filesystems[one.number]) for one in order]
    groups = [one for one in plain if one.filesystem.kind == "lvm"]
    problems: list[str] = []
    logical = list(_logical(groups, problems)) if groups else []
    return (*plain, *sorted(logical, key=lambda volume: -volume.size)), tuple(problems)


def _partition(disk: Path, partition: Partition, filesystem: FileSystem) -> Volume:
    return _named(
        Volume(
            disk,
            (Piece(partition.offset, partition.size),),
            f"partition {partition.number}",
            (partition.number,),
            filesystem,
            frozenset({f"partuuid={partition.guid}", f"partlabel={partition.name}"}),
            partition.type in _TYPES or filesystem.kind in _KINDS,
        )
    )


def _named(volume: Volume) -> Volume:
    """With the names that its file system has, and without the empty ones."""
    names = {*volume.names, f"uuid={volume.filesystem.uuid}", f"label={volume.filesystem.label}"}
    return replace(volume, names=frozenset(name.lower() for name in names if not name.endswith("=")))


def _logical(physical: list[Volume], problems: list[str]) -> Iterator[Volume]:
    """What the physical volumes hold, each group once."""
    known: dict[str, tuple[Volume, PhysicalVolume]] = {}
    for one in physical:
        try:
            read = read_physical(one.read, 0)
        except Unreadable as broken:
            problems.append(f"{one.name} holds LVM: {broken.what}")
            continue
        known[read.id] = (one, read)
    places = {id: volume.pieces[0].offset for id, (volume, _) in known.items()}
    owners = [volume for volume, _ in known.values()]
    texts = dict.fromkeys(read.text for _, read in known.values() if read.text)
    if known and not texts:
        problems.append(f"LVM on {', '.join(one.name for one in owners)}: nothing describes its volumes")
    for text in texts:
        try:
            found, others = map_volumes(text, places)
        except Unreadable as broken:
            problems.append(f"LVM on {', '.join(one.name for one in owners)}: {broken.what}")
            continue
        problems += others
        for volume in found:
            if all(any(_lies_on(owner, piece) for owner in owners) for piece in volume.pieces):
                yield _volume(volume, owners)
            else:
                problems.append(f"logical volume {volume.group}/{volume.name} reaches out of its disk")


def _volume(logical: LogicalVolume, physical: list[Volume]) -> Volume:
    group, name = (text.replace("-", "--") for text in (logical.group, logical.name))
    names = {f"/dev/mapper/{group}-{name}", f"/dev/{logical.group}/{logical.name}"}
    numbers = tuple(one.partitions[0] for one in physical if any(_lies_on(one, piece) for piece in logical.pieces))
    title = f"logical volume {logical.group}/{logical.name}"
    volume = Volume(physical[0].disk, logical.pieces, title, numbers, names=frozenset(names))
    return _named(replace(volume, filesystem=identify(volume.read, 0)))


def _lies_on(physical: Volume, piece: Piece) -> bool:
    (whole,) = physical.pieces
    return whole.offset <= piece.offset < piece.offset + piece.size <= whole.offset + whole.size
