"""Azure's verdict: what the platform would have answered to a deployment, by a table whose rows carry a source.

The codes and their messages are those of "Understand common error messages when you manage virtual machines in Azure";
which report of a guest leads to which code is documented in part only: such rows say inferred.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness import filerefusal
from harness.azure.host import AzureHost, HealthReport
from harness.chapters import Chapter
from harness.profile import Profile
from harness.report import Answer
from harness.sources import INFERRED, MESSAGES

SEEN = "https://github.com/cloudfoundry/bosh-linux-stemcell-builder/issues/221"
TROUBLESHOOTING = "https://learn.microsoft.com/azure/virtual-machines/linux/cloud-init-troubleshooting"
TYPES = "https://learn.microsoft.com/azure/virtual-machines/shared-image-galleries"

PLATFORM_LIMIT = 1200.0
"""Seconds that the platform waits for the first report: cloud-init's and WALinuxAgent's own loops are sized by it."""
HOST_KEY = re.compile(r"ssh host key|ssh-keygen|SSH host key generation", re.IGNORECASE)
USER_NAME = re.compile(r"user ?name|useradd|OSUtilError.*user account", re.IGNORECASE)
MEDIUM = re.compile(r"CopyOvfEnv|mount(?:ing)? dvd|ovf-env|validate OVF", re.IGNORECASE)


@dataclass(frozen=True)
class Seen:
    """What the platform sees of one deployment. `reports` are the guest's, in order; `ending` is why nobody got in."""

    kind: str
    reports: tuple[HealthReport, ...]
    agent: bool
    ending: str

    @property
    def first(self) -> HealthReport | None:
        """The report that decides: the first that is final, of this machine, and in time."""
        finals = (one for one in self.reports if one.ready or one.failed)
        return next((one for one in finals if one.at <= PLATFORM_LIMIT), None)


@dataclass(frozen=True)
class Row:
    """`finds` gives the line of evidence where the row applies, "" where it does not."""

    outcome: str
    when: str
    text: str
    source: str
    finds: Callable[[Seen], str]


def _waits(seen: Seen) -> bool:
    return seen.kind == "generalized"


def _failure(pattern: re.Pattern[str] | None = None) -> Callable[[Seen], str]:
    def finds(seen: Seen) -> str:
        report = seen.first
        if not _waits(seen) or report is None or not report.failed:
            return ""
        return _line(report) if pattern is None or pattern.search(report.description) else ""

    return finds


def _ready(seen: Seen) -> str:
    return _line(seen.first) if _waits(seen) and seen.first and seen.first.ready else ""


def _silent_with_agent(seen: Seen) -> str:
    return f"the agent sent its status, and nobody reported ready{_so(seen)}" if _waits(seen) and seen.agent else ""


def _strange(seen: Seen) -> str:
    wrong = [one for one in seen.reports if one.state == "Ready" and not one.matches]
    return f"{_line(wrong[0])}, for another container, instance or incarnation" if _waits(seen) and wrong else ""


def _late(seen: Seen) -> str:
    late = [one for one in seen.reports if one.at > PLATFORM_LIMIT]
    return _line(late[0]) if _waits(seen) and late else ""


def _silent(seen: Seen) -> str:
    return f"no health report came{_so(seen)}" if _waits(seen) else ""


def _stuck(seen: Seen) -> str:
    return "" if _waits(seen) else seen.ending


def _unasked(seen: Seen) -> str:
    return "" if _waits(seen) else "the machine runs, and Azure waits for no report"


def _so(seen: Seen) -> str:
    return f": {seen.ending}" if seen.ending else ""


def _line(report: HealthReport) -> str:
    told = f"{report.state}/{report.substatus}" if report.substatus else report.state
    return f"{report.at:.1f} s: {report.client} said {told}{f': {report.description}' if report.description else ''}"


NOT_GENERALIZED = "Azure asks whether the image was generalized: its agent runs, but nothing provisioned the machine."
TIMED_OUT = "The deployment fails after 20 minutes; the machine keeps running, and may yet finish."
FAILED = "The deployment fails at once, with the guest's own words as details."

TABLE = (
    Row("Succeeded", "Ready is the first final report", "The deployment succeeds.", TROUBLESHOOTING, _ready),
    Row("OSProvisioningClientError", "no SSH host key could be made", FAILED, MESSAGES, _failure(HOST_KEY)),
    Row("OSProvisioningClientError", "the disc cannot be mounted or read", FAILED, SEEN, _failure(MEDIUM)),
    Row("OSProvisioningClientError", "the administrator's name is refused", FAILED, MESSAGES, _failure(USER_NAME)),
    Row("OSProvisioningInternalError", "any other failed provisioning", FAILED, INFERRED, _failure()),
    Row("OSProvisioningTimedOut", "a Ready of another machine", TIMED_OUT, INFERRED, _strange),
    Row("OSProvisioningTimedOut", "the first report came after 20 minutes", TIMED_OUT, MESSAGES, _late),
    Row("OSProvisioningTimedOut", "no report, but the agent's status", NOT_GENERALIZED, MESSAGES, _silent_with_agent),
    Row("OSProvisioningTimedOut", "no report at all", TIMED_OUT, MESSAGES, _silent),
    Row(
        "VM stuck",
        "nobody gets into a machine that reports to nobody",
        "Azure calls the deployment succeeded, since it waits for no report; the machine is out of reach.",
        INFERRED,
        _stuck,
    ),
    Row("Succeeded", "a specialized or attached disk", "Azure waits for no report.", TYPES, _unasked),
)
"""The rows of which the first that applies is the answer."""


def table() -> Iterator[Mapping[str, str]]:
    """The mapping for people to read."""
    for row in TABLE:
        yield {"outcome": row.outcome, "when": row.when, "text": row.text, "source": row.source}
    told = {"outcome": filerefusal.OUTCOME, "when": filerefusal.WHEN}
    yield {**told, "text": filerefusal.TEXT, "source": filerefusal.SOURCE}


def answer(chapters: tuple[Chapter, ...]) -> Answer | None:
    """What Azure would have said to the machines that were played: of several the first that did not succeed.

    None where Azure was not asked: a NoCloud machine stands before no Azure.
    """
    answers = [_decided(deployment) for deployment in _deployments(chapters)]
    return next((one for one in answers if one.outcome != "Succeeded"), answers[0] if answers else None)


def _deployments(chapters: tuple[Chapter, ...]) -> Iterator[Seen]:
    """The boots with which Azure made a machine: others are none of its provisioning."""
    for chapter in chapters:
        facts: Mapping[str, Any] = chapter.facts
        host: AzureHost | None = facts["host"]
        profile: Profile = facts["profile"]
        if host is not None and not {"earlier"} & set(facts):
            yield Seen(profile.kind, host.health, bool(host.status), facts["ending"])


def _decided(seen: Seen) -> Answer:
    for row in TABLE:
        if evidence := row.finds(seen):
            return Answer(row.outcome, row.text, evidence, row.source)
    raise AssertionError("the table's last rows cover every machine")
