"""What Azure would answer to an image in which one check has failed, where that is known: `harness.answer` by files.

The rows about deployments are what Kiln's own boots of images broken on purpose came to, or follow from them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness import filerefusal
from harness.report import Answer, Verdict
from harness.sources import INFERRED, MESSAGES

BOOTED = "Kiln's boots of images broken so"
SILENT = (
    "Where it keeps the machine from reporting ready, the deployment fails after 20 minutes. From a specialized image"
    " Azure waits for no report: it calls the deployment of a machine that is out of reach a success."
)
UNNOTICED = "Azure calls the deployment a success; what is wrong shows afterwards, in the machine."


@dataclass(frozen=True)
class Row:
    """An answer, and the checks that lead to it when they fail."""

    answer: Answer
    leads: Callable[[str], bool]


def _row(outcome: str, text: str, source: str, *ids: str) -> Row:
    return Row(Answer(outcome, text, source=source), lambda id: id in ids)


TABLE = (
    Row(Answer(filerefusal.OUTCOME, filerefusal.TEXT, source=filerefusal.SOURCE), filerefusal.refuses),
    _row("OSProvisioningTimedOut", SILENT, BOOTED, "ci.datasource", "ci.enabled", "fs.room"),
    _row(
        *("OSProvisioningTimedOut", SILENT, f"{MESSAGES} ({INFERRED})"),
        *("part.table", "efi.esp", "efi.fallback", "efi.cfg-path", "grub.bios-code", "grub.menu", "grub.kernel"),
        *("kernel.hyperv", "initrd.exists", "initrd.hyperv", "agent.needed"),
    ),
    _row(
        *("Succeeded", UNNOTICED, BOOTED),
        *("net.hostname", "net.preserve-hostname", "net.no-static", "net.dhcp", "agent.not-both", "clean.hostkeys"),
        *("clean.agent-lib", "kernel.no-hv-blacklist", "ssh.enabled"),
    ),
)
"""The rows of which the first that a check leads to is the answer."""


def foreseen(verdict: Verdict) -> Answer | None:
    """What Azure would answer where this check fails; None where nobody knows, or it is only advised."""
    if verdict.severity != "required":
        return None
    return next((row.answer for row in TABLE if row.leads(verdict.id)), None)
