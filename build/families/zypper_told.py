"""What zypper and rpm print: what was chosen, and who must act when something failed."""

import html
import re
import xml.etree.ElementTree as ElementTree

from build import cache
from build.command import CommandFailed
from build.errors import KilnError, MachineError, RecipeError
from build.families.rpm import step
from build.families.rpm.lists import Nevra
from build.families.rpm.step import ALTERED, NOT_THERE, Blame

SUMMARY_END = "</install-summary>"
SIGNATURE = "a package's signature does not hold, or its key may not sign; " + ALTERED
BLAME: tuple[Blame, ...] = (
    ("No space left on device", MachineError, cache.FULL_HINT),
    ("Not enough space", MachineError, cache.FULL_HINT),
    ("more space on the", MachineError, cache.FULL_HINT),
    ("not found in package names", RecipeError, NOT_THERE),
    ("No provider of", RecipeError, NOT_THERE),
    ("nothing provides", RecipeError, "the repositories lack what a package needs; the build's log has the details"),
    ("conflicts with", RecipeError, "the recipe's packages exclude each other; the build's log has the details"),
    ("Signature verification failed", MachineError, SIGNATURE),
    ("is not signed", MachineError, "a package without a signature is never installed; use another mirror"),
    ("not signed!", MachineError, "a package without a signature is never installed; use another mirror"),
    ("unsigned", MachineError, "what has no signature is never used; use another mirror"),
    ("NOKEY", MachineError, SIGNATURE),
    ("does not verify", MachineError, SIGNATURE),
    ("Digest verification failed", MachineError, ALTERED),
    ("Wrong digest", MachineError, ALTERED),
    ("did not match checksum", MachineError, ALTERED),
    ("path '/nonexistent'", MachineError, "the cache lacks what is needed; build once without --offline"),
    ("scriptlet failed", RecipeError, "a package's script failed; the build's log has what it printed"),
    ("Curl error", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("Download (curl) error", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("Timeout exceeded", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("not found on medium", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("Valid metadata not found", MachineError, "the repository broke off; run the build again, or use --mirror"),
)
"""What zypper and rpm print, who must act then, and what to do. The first that is found counts."""


def chosen(told: str) -> dict[tuple[str, str, str, str], Nevra]:
    """What zypper's summary, told as XML, would install: by repository, name, version and architecture."""
    begin, end = told.find("<install-summary"), told.find(SUMMARY_END)
    if begin < 0 or end < 0:
        return {}
    found: dict[tuple[str, str, str, str], Nevra] = {}
    for change in ElementTree.fromstring(told[begin : end + len(SUMMARY_END)]):
        for one in change.iter("solvable") if change.tag != "to-remove" else ():
            if one.get("type") == "package":
                nevra = (one.get("name", ""), one.get("edition", ""), one.get("arch", ""))
                found[one.get("repository", ""), *nevra] = nevra
    return found


def blamed(failure: CommandFailed) -> KilnError:
    """The failure as an error of whoever must act; itself where that cannot be told."""
    return step.blamed(_plain(failure), BLAME)


def _plain(failure: CommandFailed) -> CommandFailed:
    """The failure without the marks of XML that its output may have."""
    if "<?xml" not in failure.output:
        return failure
    return CommandFailed(failure.argv, failure.exit_status, html.unescape(re.sub(r"<[^>]*>", "", failure.output)))
