"""In which order findings are repaired: what stands in the way of all else first, as an image meets it on Azure."""

from collections.abc import Iterable

from harness.report import UNREAD, Status, Verdict

STAGES = (
    ("vhd",),
    ("disk", "part"),
    ("efi", "grub", "cmdline"),
    ("kernel", "initrd"),
    ("fs", "fstab", "swap", "lvm"),
    ("agent", "ci", "acct", "net", "ign", "spec", "ssh"),
)
"""The topics of checks by the stage that they can stop: upload, partition table, boot loader, kernel, mounts, setup."""


def failed(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """The findings that are to be repaired, required ones first, each kind in the order of their stages."""
    found = [one for one in verdicts if one.status is Status.FAILED]
    return tuple(sorted(found, key=lambda one: (one.severity != "required", _stage(one.id), one.id)))


def _stage(id: str) -> int:
    """The place of a check's topic; what could not be looked at comes last: it is perhaps mended by the rest."""
    topic = id.partition(".")[0]
    known = next((number for number, topics in enumerate(STAGES) if topic in topics), len(STAGES))
    return known + 1 if id.startswith(UNREAD) else known
