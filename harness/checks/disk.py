"""The file as a VHD that Azure takes (catalogue 1.1 and 1.4)."""

from build.gpt import BIOS_BOOT, ESP, LINUX_BOOT, MBR_ESP, SECTOR
from build.vhd import COOKIE, FIXED, LENGTH, MIB
from harness.checks.check import Complaints, check
from harness.diskfacts import DiskFacts
from harness.extfree import sample
from harness.filesystem import FileSystem
from harness.profile import GENERATION_1, GENERATION_2, Profile

VHD = "Microsoft: Azure VM certification FAQ; Prepare a Linux VHD"
TRUSTED_CREATORS = (b"qem2", b"win ", b"d2v ")
"""Creators whose current size every reader believes; QEMU takes that of others from the geometry (block/vpc.c)."""
GIB = 1 << 30
LARGEST_BLOB = 8192 * GIB
LARGEST_UPLOAD = 32768 * GIB
FIRST_FREE = 2048
GPT = b"EFI PART"
MOST_LEFT = 0.05
"""The share of free blocks that may hold something: a few files are deleted in every build."""


@check("vhd.fixed", source=VHD, repair="Convert it: `qemu-img convert -O vpc -o subformat=fixed,force_size`")
def the_file_is_a_fixed_vhd(vhd: DiskFacts) -> Complaints:
    """Azure takes fixed VHDs only: dynamic and differencing ones, VHDX, qcow2 and raw files are refused at upload."""
    if vhd.container != "fixed VHD" and not vhd.container.startswith("VHD of type"):
        yield f"this is a {vhd.container} file" if vhd.container != "raw" else "there is no VHD footer: a raw disk"


@check("vhd.type", source=VHD, repair="Write the footer anew with disk type 2")
def the_footer_says_fixed(vhd: DiskFacts) -> Complaints:
    """The type is what tells a reader whether tables or the disk itself come first."""
    if vhd.footer and vhd.container.startswith("VHD of type"):
        yield f"the footer's disk type is {vhd.footer.disk_type}, not {FIXED}"


@check("vhd.align", source=VHD, repair="Grow the raw disk to the next MiB before it gets its footer")
def the_virtual_size_is_whole_mib(vhd: DiskFacts) -> Complaints:
    """Azure refuses a VHD whose virtual size is not a whole multiple of 1 MiB, after the upload."""
    if vhd.virtual_size % MIB:
        yield f"the virtual size is {vhd.virtual_size} bytes, {vhd.virtual_size % MIB} over a whole MiB"


@check("vhd.length", source=VHD, repair="Copy the file again: it is cut, padded, or its footer was edited")
def the_file_is_as_long_as_its_footer_says(vhd: DiskFacts) -> Complaints:
    """The footer is the last 512 bytes, right behind the disk."""
    if vhd.container == "fixed VHD" and vhd.file_size != vhd.virtual_size + LENGTH:
        yield f"the file has {vhd.file_size} bytes, its footer makes it {vhd.virtual_size + LENGTH}"


@check("vhd.cookie", source=VHD, repair="Write the footer anew")
def the_footer_begins_with_its_cookie(vhd: DiskFacts) -> Complaints:
    """Without the cookie `conectix` Azure calls the file an invalid VHD."""
    if vhd.footer and vhd.cookie != COOKIE:
        yield f"the footer begins with {vhd.cookie!r}"


@check("vhd.checksum", source="VHD specification", repair="Write the footer anew: this one is damaged")
def the_footer_has_the_right_checksum(vhd: DiskFacts) -> Complaints:
    """A reader that checks it takes the file for damaged."""
    if vhd.footer and vhd.cookie == COOKIE and not vhd.checksum_is_right:
        yield "the footer's checksum does not fit its bytes"


@check(
    "vhd.geometry", severity="recommended", source="QEMU block/vpc.c", repair="Convert with `force_size` (creator qem2)"
)
def every_reader_sees_the_same_size(vhd: DiskFacts) -> Complaints:
    """Azure goes by the current size, QEMU for some creators by the geometry: the same file is then two disks."""
    if vhd.footer is None or vhd.footer.creator in TRUSTED_CREATORS:
        return
    cylinders, heads, sectors = vhd.footer.geometry
    seen = cylinders * heads * sectors * SECTOR
    if seen != vhd.footer.current_size and vhd.footer.geometry != (65535, 16, 255):
        creator = vhd.footer.creator.decode("latin-1").strip()
        yield f"creator {creator!r}: the geometry makes {seen} bytes, the current size {vhd.footer.current_size}"


@check(
    "vhd.qemu-version",
    source="Microsoft: Prepare a Linux VHD (generic steps)",
    repair="Convert it anew with QEMU 2.6 or newer: `-o subformat=fixed,force_size`",
)
def no_converter_changed_the_size(vhd: DiskFacts) -> Complaints:
    """QEMU between 2.2 and 2.6, and newer ones without force_size, round a disk's size to whole cylinders; a footer
    does not tell the version."""
    if vhd.footer and vhd.footer.creator == b"qemu" and vhd.virtual_size % MIB:
        cylinders, heads, sectors = vhd.footer.geometry
        if cylinders * heads * sectors * SECTOR == vhd.virtual_size:
            yield f"QEMU made the size {cylinders} cylinders of {heads * sectors} sectors: {vhd.virtual_size} bytes"


@check(
    "vhd.resize-raw",
    severity="recommended",
    source="Microsoft: Prepare a Linux VHD (generic steps)",
    repair="Resize the raw disk, and convert it then",
)
def the_vhd_kept_its_size(vhd: DiskFacts) -> Complaints:
    """Microsoft warns that a VHD whose own size was changed may not boot: the footer keeps both sizes."""
    if vhd.footer and vhd.footer.original_size not in (0, vhd.footer.current_size):
        yield f"it was made with {vhd.footer.original_size} bytes and has {vhd.footer.current_size}"


@check("vhd.blob", severity="recommended", source=VHD, repair="Rename the file, or name the blob otherwise")
def its_name_can_be_a_blob(vhd: DiskFacts) -> Complaints:
    """Tools name the page blob as the file, and the Marketplace takes no VHD with such a character in its address."""
    if strange := sorted(set(vhd.path.name) & set("%\"'")):
        yield f"the file's name {vhd.path.name} has {' '.join(strange)}"


@check(
    "vhd.logical-sector", source="Microsoft: Upload a VHD to Azure", repair="Make the disk anew with 512-byte sectors"
)
def its_sectors_have_512_bytes(vhd: DiskFacts) -> Complaints:
    """A VHD counts sectors of 512 bytes: what was laid out in larger ones is found at other places on Azure."""
    for size in (1024, 2048, 4096):
        if vhd.read(size, 8) == GPT and vhd.read(SECTOR, 8) != GPT:
            yield f"its partition table was made for sectors of {size} bytes"


@check("vhd.size-min", source=VHD, repair="Make the disk larger")
def the_disk_is_large_enough(vhd: DiskFacts) -> Complaints:
    """Azure takes no VHD below 20 MiB."""
    if 0 < vhd.virtual_size < 20 * MIB:
        yield f"the disk has {vhd.virtual_size} bytes"


@check("vhd.size-legacy", severity="recommended", source=VHD, repair="Stay at or below 1023 GiB")
def the_disk_fits_old_limits(vhd: DiskFacts) -> Complaints:
    """The Marketplace takes OS disks up to 1023 GiB."""
    if vhd.virtual_size > 1023 * GIB:
        yield f"the disk has {vhd.virtual_size / GIB:.0f} GiB"


@check("disk.gen1-2tib", source="Microsoft: FAQ for disks", repair="Make the disk smaller, or GPT", when=GENERATION_1)
def an_mbr_reaches_the_whole_disk(disk: DiskFacts) -> Complaints:
    """An MBR counts sectors with 32 bits: nothing behind 2 TiB can be used."""
    if disk.table and disk.table.kind == "mbr" and disk.virtual_size > 2048 * GIB:
        yield f"the disk has {disk.virtual_size / GIB:.0f} GiB and an MBR"


@check("disk.gen2-4tib", source="Microsoft: FAQ for disks", repair="Make the disk smaller", when=GENERATION_2)
def the_disk_is_no_larger_than_an_os_disk(disk: DiskFacts) -> Complaints:
    """An OS disk of generation 2 ends at 4095 GiB."""
    if disk.virtual_size > 4095 * GIB:
        yield f"the disk has {disk.virtual_size / GIB:.0f} GiB"


@check("disk.blob-limit", source="Microsoft: FAQ for disks; Upload a VHD", repair="Make the disk smaller")
def the_disk_can_be_uploaded(vhd: DiskFacts) -> Complaints:
    """A page blob ends at 8 TiB, and what is written right into a managed disk at 32 TiB."""
    if vhd.virtual_size > LARGEST_UPLOAD:
        yield f"the disk has {vhd.virtual_size / GIB:.0f} GiB: no upload takes it"
    elif vhd.virtual_size + LENGTH > LARGEST_BLOB:
        yield f"the disk has {vhd.virtual_size / GIB:.0f} GiB: it fits into no page blob"


@check(
    "disk.sparse",
    severity="recommended",
    source="AlmaLinux's Azure images",
    repair="Fill the free space with zeros (`fstrim`, `zerofree`) before the disk is converted",
)
def free_space_is_zeros(disk: DiskFacts, root: FileSystem) -> Complaints:
    """Uploads leave zeros out: what lies in free space is sent and stored for nothing, deleted secrets among it. Looked
    at are samples of ext file systems, whose bitmaps tell what is free."""
    holder = next((one for one in disk.partitions if disk.filesystems[one.number] is root), None)
    if holder is None or not root.kind.startswith("ext"):
        return
    looked, full = sample(disk.read, holder.offset)
    if full > MOST_LEFT * looked:
        yield f"{full} of {looked} free places of the root file system hold data: {full / looked:.0%}"


@check("part.table", source="UEFI specification 5.3", repair="Repair it: `sgdisk --verify`, then `sgdisk -e`")
def the_partition_table_is_whole(disk: DiskFacts) -> Complaints:
    """Firmware, kernel and growpart each read another copy of it; where they differ, so does the disk."""
    if disk.table is None:
        yield disk.table_problem or "there is no partition table"
        return
    yield from disk.table.problems


@check("part.first-mib", source=VHD, repair="Let the first partition start at sector 2048")
def the_first_mib_is_free(disk: DiskFacts) -> Complaints:
    """Azure writes billing and boot metadata there: the Marketplace refuses images with a partition in the way."""
    if disk.table and disk.table.kind == "gpt":
        for one in disk.partitions:
            if one.start < FIRST_FREE:
                yield f"partition {one.number} starts at sector {one.start}"


@check("part.align", severity="recommended", source="Debian's Azure images", repair="Start partitions on whole MiB")
def partitions_start_on_whole_mib(disk: DiskFacts) -> Complaints:
    """Azure's storage works in larger blocks than 512 bytes; an odd start makes two accesses of one."""
    for one in disk.partitions:
        if one.offset % MIB:
            yield f"partition {one.number} starts at byte {one.offset}"


@check("part.root-last", severity="recommended", source="vendors' layouts", repair="Put the root behind all others")
def the_root_is_the_last_partition(disk: DiskFacts, root: FileSystem) -> Complaints:
    """The disk is created larger than the image, and only what lies last can grow into the new space."""
    holder = max(disk.holders(root), key=lambda one: one.start)
    for one in disk.partitions:
        if one.start > holder.start:
            yield f"partition {one.number} lies behind the root (partition {holder.number})"


@check("part.root-single", severity="recommended", source=VHD, repair="Keep one root partition on the OS disk")
def there_is_one_root_partition(disk: DiskFacts, root: FileSystem) -> Complaints:
    """The certification tool counts root partitions."""
    helpers = (ESP, MBR_ESP, BIOS_BOOT, LINUX_BOOT)
    twins = [
        one.number
        for one in disk.partitions
        if root.uuid and disk.filesystems[one.number].uuid == root.uuid and one.type not in helpers
    ]
    if len(twins) > 1:
        yield f"partitions {', '.join(map(str, twins))} carry the same UUID as the root"


@check("disk.gen1-table", severity="recommended", source="Microsoft: FAQ for disks", repair="MBR is the documented way")
def generation_1_finds_a_table_it_knows(disk: DiskFacts, profile: Profile) -> Complaints:
    """The documents name MBR for generation 1; vendors ship GPT with a BIOS boot partition, which boots as well."""
    if disk.table and disk.table.kind == "gpt" and profile.generations == (1,):
        yield "a GPT on an image for generation 1 alone"
