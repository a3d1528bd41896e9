"""The faults of one run together: what they change, and what is expected under them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from build.errors import CallerError
from harness.azure.journal import Journal
from harness.faults import Chosen, choose_all
from harness.faults.fault import Expectation, Fault, Ready, Versions, parsed
from harness.faultscript import Script, read_script
from harness.injection import Injection, merged
from harness.profile import Profile

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

    def expected_of(self, profile: Profile, journal: Journal) -> Expectation | None:
        """What a sound guest of the versions that this one has told does; None where it has not told enough yet."""
        return self.expectation(profile, versions_of(journal))

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


def versions_of(journal: Journal) -> Versions:
    """The versions that the guest's clients named in their requests."""
    found: dict[str, tuple[int, ...]] = {}
    for entry in journal.find(event="exchange"):
        if match := CLIENT.match(str(entry.details.get("agent", ""))):
            found.setdefault(NAMES[match[1]], parsed(match[2]))
    return found
