"""Images whose first boot is Ignition's: it must still be to come."""

from harness.checks.check import Complaints, check
from harness.diskfacts import DiskFacts
from harness.flatcar import FIRST_BOOT, FIXED_DISK_ID, named
from harness.profile import GENERALIZED, IGNITION
from harness.tree import Tree

FLATCAR = "flatcar/init; flatcar/bootengine"


@check("ign.first-boot", source=FLATCAR, repair="Take a fresh image: never boot one", when=GENERALIZED & IGNITION)
def the_first_boot_is_still_to_come(esp: Tree) -> Complaints:
    """Without the flag Ignition does not run, and nobody can ever log in."""
    if not esp.exists(FIRST_BOOT):
        yield f"there is no {FIRST_BOOT} on the EFI system partition"


@check("ign.disk-id", source=FLATCAR, repair="Take a fresh image: never boot one", when=GENERALIZED & IGNITION)
def the_disk_has_the_id_of_a_fresh_one(disk: DiskFacts) -> Complaints:
    """By that id the first boot knows that the disk needs one of its own; machines must not share one."""
    if disk.table and disk.table.disk_guid != FIXED_DISK_ID:
        yield f"the disk's id is {disk.table.disk_guid}"


@check("ign.root-last", source=FLATCAR, repair="Keep Flatcar's layout", when=IGNITION)
def the_root_can_grow(disk: DiskFacts) -> Complaints:
    """ROOT takes what the disk has more than the image: nothing may lie behind it."""
    if disk.table:
        root = named(disk.table, "ROOT")
        yield from (f"{one.name} lies behind ROOT" for one in disk.partitions if one.start > root.start)
