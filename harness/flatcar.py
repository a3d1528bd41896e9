"""What tells Flatcar's disk: its partitions' names, the id that every fresh one has, the flag of a first boot."""

from build.gpt import Partition, PartitionTable

NAMES = frozenset({"EFI-SYSTEM", "USR-A", "USR-B", "OEM", "ROOT"})
FIXED_DISK_ID = "00000000-0000-0000-0000-000000000001"
FIRST_BOOT = "/flatcar/first_boot"
UNREAD = (
    "the system is a read-only partition that the distribution signed; its files are not read here, booting proves them"
)


def is_flatcar(table: PartitionTable | None) -> bool:
    """Whether a disk has Flatcar's layout."""
    return table is not None and {one.name for one in table.partitions} >= NAMES


def named(table: PartitionTable, name: str) -> Partition:
    """The partition of that name."""
    return next(one for one in table.partitions if one.name == name)
