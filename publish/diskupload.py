"""Filling a managed disk by its own address.

It is a page blob that is there already and is not ours: it cannot be made, fenced or given metadata, its length cannot
change, and who holds its address may write. So identity stands in the disk's tags, one writer is held by the lease of
its definition, and an upload goes on by the ranges that the disk shows. Source: Azure's "Upload a VHD to Azure".
"""

from build.errors import CallerError
from build.progress import Progress
from build.vhd import LENGTH
from publish import refusals, sending
from publish.address import Address
from publish.blocks import CHUNK, Extent
from publish.source import Source
from publish.staging import Staged


def upload(source: Source, address: Address, progress: Progress, *, verify: str = "ranges") -> Staged:
    """Fill the disk at that address. Raises CallerError where it is of another size, else as `staging.upload` does."""
    blob = address.blob
    with refusals.told("managed disk"):
        state = blob.state()
        if state is None:
            raise CallerError("the managed disk is gone", "run it again: it is made anew")
        if state.length != source.length:
            sizes = f"{state.length - LENGTH >> 20} MiB, the image of {source.size >> 20}"
            raise CallerError(f"the managed disk is of {sizes}", "remove the disk, or name another one")
        there = blob.ranges()
    # Such an address takes pages alone: what must be zero is written as zeros (Azure, "Upload a VHD to Azure").
    work = sending.missing(source, there, CHUNK)
    sending.send(source, blob, work, None, progress, address.renew, zeros=True)
    if not there.hold(Extent(source.size, LENGTH)):
        sending.commit(source, blob, None, address.renew)
    sending.verify(source, blob, verify, progress, address.renew, zeroed=work.clear)
    kept = sending.everything(source).length - work.length
    told = f"{work.length >> 20} MiB sent" + (f", {kept >> 20} were there from an earlier run" if kept else "")
    return Staged(blob.url, source.digest, work.length, sum(one.length for one in work.clear), told)
