"""What Azure would say to a file before any machine is made of it: a VHD that it takes, or InvalidVhd."""

from harness.report import Answer, Status, Verdict

OUTCOME = "InvalidVhd"
WHEN = "`inspect` finds the file to be no fixed VHD that Azure takes"
TEXT = "Azure refuses to make a disk or an image version of the file."
SOURCE = "https://learn.microsoft.com/azure/virtual-machines/linux/create-upload-generic"


def refuses(id: str) -> bool:
    """Whether it is one of the checks, where required, for which Azure refuses a file."""
    return id.startswith("vhd.")


def inspected(verdicts: tuple[Verdict, ...]) -> Answer | None:
    """The answer to the file, None where nothing speaks against it: only a deployment tells more."""
    for one in verdicts:
        if refuses(one.id) and one.status is Status.FAILED and one.severity == "required":
            return Answer(OUTCOME, TEXT, f"{one.id}: {one.findings[0]}", SOURCE)
    return None
