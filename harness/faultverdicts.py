"""Whether a guest did under a run's faults what is expected of it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.azure.host import AzureHost
from harness.azure.journal import Entry
from harness.chapters import Chapter
from harness.faultplan import FaultPlan
from harness.faults.fault import Expectation, Ready
from harness.report import Status, Verdict


def under_faults(plan: FaultPlan, verdicts: Iterable[Verdict], chapters: tuple[Chapter, ...]) -> Iterator[Verdict]:
    """The verdicts of a run with faults: those on the guest's answer to them, then the others, where what the faults
    spoil proves nothing."""
    facts = chapters[0].facts
    expectation = plan.expected_of(facts["profile"], facts["host"].journal)
    names = " and ".join(plan.names)
    if expectation is None:
        reason = f"what a sound guest does under {names} depends on its version, which it did not tell"
        yield Verdict("fault.expectation", "it is known what a sound guest does", Status.FAILED, reason=reason)
        yield from verdicts
        return
    yield _met(plan, facts["host"], names)
    yield _reported(expectation, facts["host"], names)
    yield _logged_in(expectation, chapters[0], names)
    if expectation.patience:
        yield _tried(expectation.patience, chapters[0])
    spoiled = {*expectation.spoils}
    spoiled |= set() if expectation.ready in (Ready.SOON, Ready.LATE) else {"run.report-ready"}
    spoiled |= set() if expectation.log_in else {"run.boot-ssh"}
    for one in verdicts:
        if one.id in spoiled and one.status is Status.FAILED:
            one_reason = f"cannot pass under {names}: {one.findings[0] if one.findings else ''}"
            yield replace(one, status=Status.SKIPPED, reason=one_reason, evidence=())
        else:
            yield one


def _verdict(id: str, title: str, complaint: str, why: str) -> Verdict:
    status = Status.FAILED if complaint else Status.PASSED
    return Verdict(id, title, status, reason=complaint, why=why, source="the fault's expectation: `./kiln faults`")


def _met(plan: FaultPlan, host: AzureHost, names: str) -> Verdict:
    injection = plan.injection
    awaited = bool(injection.http or injection.dhcp or injection.moments)
    complaint = f"nothing of {names} was ever met" if awaited and not host.journal.find("fault") else ""
    if crashed := host.journal.find("fault", "crash"):
        complaint = f"it could not be done: {crashed[0].details.get('reason', '')}"
    return _verdict("fault.met", "the guest met the fault", complaint, "A fault that nobody meets proves nothing.")


def _reported(expectation: Expectation, host: AzureHost, names: str) -> Verdict:
    complaint = _complaint(expectation, host)
    why = f"Under {names} a sound guest is known by this: {expectation.text}."
    return _verdict("fault.report", "the guest reports what it should", complaint, why)


def _complaint(expectation: Expectation, host: AzureHost) -> str:
    heard = "; ".join(f"{one.client} said {one.substatus or one.state}" for one in host.health) or "nothing"
    if expectation.ready is Ready.NEVER:
        return f"it reported although it could not: {heard}" if host.ready else ""
    if expectation.ready is Ready.FAILED:
        if host.failure is None:
            return f"it should have reported failed provisioning, and the host heard {heard}"
        if expectation.reason and not re.search(expectation.reason, host.failure.description):
            return f"its failure tells another reason than {expectation.reason}: {host.failure.description}"
        return ""
    if host.failure:
        return f"it gave up: {host.failure.client} reported {host.failure.description}"
    if not host.ready:
        return f"no Ready came; the host heard {heard}"
    return _early(host) if expectation.ready is Ready.LATE else ""


def _early(host: AzureHost) -> str:
    """A guest that was ready before it met the fault has not waited it out."""
    told = [entry.source for entry in host.journal.entries if entry.source == "fault" or _is_ready(entry)]
    return "it was ready before it met the fault" if told[:1] == ["health"] and "fault" in told else ""


def _is_ready(entry: Entry) -> bool:
    return (entry.source, entry.event, entry.details.get("matches")) == ("health", "Ready", True)


def _logged_in(expectation: Expectation, first: Chapter, names: str) -> Verdict:
    facts: Mapping[str, Any] = first.facts
    complaint = ""
    if expectation.log_in and first.boot.facts is None:
        complaint = f"nobody got in: {facts['ending']}"
    elif not expectation.log_in and first.boot.facts is not None:
        complaint = "its administrator got in, which the expectation rules out: it is wrong, or the fault had no effect"
    title = "its administrator gets in" if expectation.log_in else "its administrator does not get in"
    return _verdict("fault.log-in", title, complaint, f"This is what is known of {names}.")


def _tried(patience: float, first: Chapter) -> Verdict:
    """By the clock of the guest, which may have run ahead of ours (`harness.warp`)."""
    seconds = first.boot.facts.asked_until if first.boot.facts else 0.0
    complaint = f"it asked until {seconds:.0f} s after its start" if seconds < patience else ""
    title = f"it has tried for {patience / 60:g} minutes by its own clock"
    return _verdict("fault.patience", title, complaint, "So long cloud-init asks before it gives up.")
