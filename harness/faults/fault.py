"""What a fault is: what goes wrong, and what a sound guest does then. Values only."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.injection import Injection
from harness.profile import Profile

Versions = Mapping[str, tuple[int, ...]]
"""The versions of the guest's clients as they named them to the host, such as {"cloud-init": (25, 1, 4)}."""


class Ready(StrEnum):
    """What the host hears of the guest's provisioning; each is worse than the one before."""

    SOON = "it reports ready"
    LATE = "it reports ready once the fault is over"
    FAILED = "it reports failed provisioning"
    NEVER = "it reports nothing"


@dataclass(frozen=True)
class Expectation:
    """What a sound guest does: what it reports (`reason` is a pattern in a failure's description), and whether its
    administrator can `log_in`. `spoils` are the ids of checks that cannot pass then. `waits` are the guest's seconds
    beyond a boot without faults until all that has shown; for `patience` of them it asks again and again, whatever is
    answered and be it nothing, and then goes on."""

    ready: Ready
    log_in: bool = True
    reason: str = ""
    spoils: tuple[str, ...] = ()
    waits: float = 0.0
    patience: float = 0.0

    @property
    def text(self) -> str:
        """The expectation in words."""
        reason = f" ({self.reason.replace('|', ' or ')})" if self.reason else ""
        tried = f" and has tried for {self.patience / 60:g} minutes" if self.patience else ""
        log_in = "gets in" if self.log_in else "does not get in"
        return f"{self.ready.value}{reason}{tried}, and its administrator {log_in}"


@dataclass(frozen=True)
class Case:
    """Guests for which an expectation holds: those of a `provisioner`, "" for any, whose version is in a range."""

    expectation: Expectation
    provisioner: str = ""
    since: tuple[int, ...] = ()
    before: tuple[int, ...] = ()

    def holds(self, profile: Profile, versions: Versions | None) -> bool:
        """Whether this is such a guest; without `versions` whether it may be one."""
        if self.provisioner and self.provisioner != profile.provisioner:
            return False
        if versions is None or not (self.since or self.before):
            return True
        known = versions.get(self.provisioner)
        return known is not None and known >= self.since and (not self.before or known < self.before)

    @property
    def text(self) -> str:
        """Whom it is for."""
        since = f" from {_dotted(self.since)} on" if self.since else ""
        before = f" before {_dotted(self.before)}" if self.before else ""
        return f"{self.provisioner or 'any provisioner'}{since}{before}"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong on purpose. `inject` makes it of its argument, which is `default` in `unit` where none
    is given; one without unit takes none. Of `cases` the first that holds is the guest's. `scenario` is the one that it
    needs."""

    name: str
    title: str
    inject: Callable[[float], Injection]
    cases: tuple[Case, ...]
    default: float = 0.0
    unit: str = ""
    scenario: str = ""

    def as_dict(self) -> dict[str, object]:
        """The fault as `faults --json` lists it."""
        return {
            "name": self.name,
            "title": self.title,
            "argument": f"{self.default:g} {self.unit}" if self.unit else "",
            "scenario": self.scenario or "any",
            "expects": {case.text: case.expectation.text for case in self.cases},
        }


@dataclass(frozen=True)
class Elsewhere:
    """A fault of the catalogue that is not injected here, and the reason."""

    name: str
    title: str
    reason: str

    def as_dict(self) -> dict[str, object]:
        """The entry as `faults --json` lists it."""
        return {"name": self.name, "title": self.title, "not_here": self.reason}


CLOUD_INIT, WAAGENT, NONE = "cloud-init", "waagent", "none"


def cases(
    everywhere: Expectation | None = None,
    *,
    cloud_init: Expectation | None = None,
    waagent: Expectation | None = None,
    none: Expectation | None = None,
) -> tuple[Case, ...]:
    """The cases of a fault whose outcome depends on the provisioner at most; `everywhere` is for those not named."""
    named = ((CLOUD_INIT, cloud_init), (WAAGENT, waagent), (NONE, none))
    told = tuple(Case(one, who) for who, one in named if one is not None)
    return (*told, Case(everywhere)) if everywhere else told


def since(version: str, expectation: Expectation, provisioner: str = CLOUD_INIT) -> Case:
    """The case of this version and later ones."""
    return Case(expectation, provisioner, since=parsed(version))


def before(version: str, expectation: Expectation, provisioner: str = CLOUD_INIT) -> Case:
    """The case of versions older than this one."""
    return Case(expectation, provisioner, before=parsed(version))


def parsed(version: str) -> tuple[int, ...]:
    """A version's numbers, of "25.1.4-0ubuntu0" the first three."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0]))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


SOON = Expectation(Ready.SOON)
LOST = Expectation(Ready.NEVER, log_in=False)
UNREPORTED = Expectation(Ready.NEVER)


def late(seconds: float) -> Expectation:
    """Ready, once the fault that lasts so long is over."""
    return Expectation(Ready.LATE, waits=seconds)
