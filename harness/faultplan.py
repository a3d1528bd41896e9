"""The faults of one run together: what they change, what is expected under them, and whether the guest did it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from build.errors import CallerError
from harness.azure.host import AzureHost
from harness.azure.journal import Entry
from harness.chapters import Chapter
from harness.faults import Chosen, choose_all
from harness.faults.fault import Expectation, Fault, Ready, Versions, parsed
from harness.faultscript import Script, read_script
from harness.injection import Injection, merged
from harness.profile import Profile
from harness.report import Status, Verdict

CLIENT = re.compile(r"^(Cloud-Init|WALinuxAgent)/(\d[\w.~]*)")
NAMES = {"Cloud-Init": "cloud-init", "WALinuxAgent": "waagent"}
WORST = tuple(Ready)


@dataclass(frozen=True)
class FaultPlan:
    """Faults by name and a script, either of which may be missing."""

    chosen: tuple[Chosen, ...] = ()
    script: Script | None = None

    @classmethod
    def of(cls, words: Iterable[str], script: str = "") -> "FaultPlan":
        """The plan of these words, each NAME or NAME=ARGUMENT, and of a script's text. Raises CallerError."""
        return cls(choose_all(",".join(words)), read_script(script) if script else None)

    def __bool__(self) -> bool:
        """Whether anything goes wrong at all."""
        return bool(self.chosen or self.script)

    @property
    def names(self) -> tuple[str, ...]:
        """The faults as a report names them."""
        return (*(one.word for one in self.chosen), *(("script",) if self.script else ()))

    @property
    def injection(self) -> Injection:
        """All that they change."""
        told = [one.injection for one in self.chosen]
        if self.script:
            return merged((*told, self.script.injection), self.script.injection.seed)
        return merged(told)

    def waits(self, profile: Profile) -> float:
        """The guest's seconds beyond a boot without faults: the most that any guest of this kind may need."""
        named = (case.expectation.waits for one in self.chosen for case in one.fault.cases if case.holds(profile, None))
        scripted = self.script.expectation.waits if self.script else 0.0
        return max((*named, scripted), default=0.0)

    def expectation(self, profile: Profile, versions: Versions) -> Expectation | None:
        """What a sound guest does under all of them: the worst of what each of them does to it.

        None where it depends on a version that the guest did not tell.
        """
        told = [_expected(one.fault, profile, versions) for one in self.chosen]
        told += [self.script.expectation] if self.script else []
        known = [one for one in told if one is not None]
        if len(known) < len(told) or not known:
            return None
        return Expectation(
            max((one.ready for one in known), key=WORST.index),
            all(one.log_in for one in known),
            "|".join(filter(None, (one.reason for one in known))),
            tuple(id for one in known for id in one.spoils),
            max(one.waits for one in known),
            min(one.patience for one in known),
        )

    def expected_of(self, profile: Profile, host: AzureHost) -> Expectation | None:
        """What a sound guest of the versions that this one has told does; None where it has not told enough yet."""
        return self.expectation(profile, versions_of(host))

    def check_scenario(self, scenario: str) -> None:
        """Raise CallerError where one of them needs another scenario."""
        for one in self.chosen:
            if one.fault.scenario and one.fault.scenario != scenario:
                raise CallerError(
                    f"the fault {one.fault.name} needs the scenario {one.fault.scenario}, not {scenario}",
                    f"say --scenario {one.fault.scenario}",
                )


def _expected(fault: Fault, profile: Profile, versions: Versions) -> Expectation | None:
    return next((case.expectation for case in fault.cases if case.holds(profile, versions)), None)


def versions_of(host: AzureHost) -> Versions:
    """The versions that the guest's clients named in their requests."""
    found: dict[str, tuple[int, ...]] = {}
    for entry in host.journal.find(event="exchange"):
        if match := CLIENT.match(str(entry.details.get("agent", ""))):
            found.setdefault(NAMES[match[1]], parsed(match[2]))
    return found


def under_faults(plan: FaultPlan, verdicts: Iterable[Verdict], chapters: tuple[Chapter, ...]) -> Iterator[Verdict]:
    """The verdicts of a run with faults: those on the guest's answer to them, then the others, where what the faults
    spoil proves nothing."""
    facts = chapters[0].facts
    expectation = plan.expected_of(facts["profile"], facts["host"])
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
