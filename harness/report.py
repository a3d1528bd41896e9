"""A report: what one run found about one image. Values only; `harness.render` writes them down."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

UNREAD = "inspect."
"""What the ids of verdicts begin with that say: this was there, and could not be looked at."""


class Status(StrEnum):
    """How a check ended. A skipped check proves nothing; its reason says what it lacked. A waived one failed, and its
    reason says who lives with that, and until when."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    WAIVED = "waived"


@dataclass(frozen=True)
class Verdict:
    """One check's answer: `reason` says why it failed or was skipped, `evidence` is what was seen.

    `why` says why it matters on Azure, `repair` what the image's maker can do, `source` which document says so.
    """

    id: str
    title: str
    status: Status
    severity: str = "required"
    reason: str = ""
    evidence: tuple[str, ...] = ()
    source: str = ""
    why: str = ""
    repair: str = ""

    @property
    def findings(self) -> tuple[str, ...]:
        """What a reader must see, each once: a reason made from the first piece of evidence says nothing new."""
        if self.evidence and self.reason.startswith(self.evidence[0]):
            return self.evidence
        return (self.reason, *self.evidence) if self.reason else self.evidence


@dataclass(frozen=True)
class Event:
    """Something that happened during a run, `at` seconds after the machine was switched on."""

    at: float
    source: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What Azure would have answered to the deployment: an error code, or "Succeeded", "VM stuck" or "not asked".

    `evidence` is the line by which it was decided, `text` what it means for whoever deploys, and `source` the document
    that says so, or the word inferred.
    """

    outcome: str
    text: str = ""
    evidence: str = ""
    source: str = ""


@dataclass(frozen=True)
class NameSeen:
    """The machine's name at one place: `boot` says after which boot, `right` whether it is what it had to be."""

    boot: str
    where: str
    name: str
    right: bool


@dataclass(frozen=True)
class Report:
    """What one run of one scenario found about the image with this content digest.

    `machine` says what booted: generation, firmware, controller, accelerator and whatever else bounds what was proven.
    `files` maps what lies beside the report (console, journal, screenshot) to its name. `azure` is None where no
    deployment was played, `faults` names what the host did wrong on purpose.
    """

    image: str
    digest: str
    scenario: str
    seed: str
    machine: Mapping[str, str]
    verdicts: tuple[Verdict, ...]
    started: str
    seconds: float
    events: tuple[Event, ...] = ()
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    console_tail: str = ""
    azure: Answer | None = None
    names: tuple[NameSeen, ...] = ()
    faults: tuple[str, ...] = ()
    schema: int = 2

    @property
    def played(self) -> str:
        """What was played, on which machine and under what, in a few words; "" where nothing was."""
        if "machine" not in self.machine:
            return ""
        seed = "" if self.seed == "azure" else f", seed {self.seed}"
        under = f", under {' and '.join(self.faults)}" if self.faults else ""
        return f"{self.scenario} on {self.machine['machine']}{seed}{under}"

    @property
    def passed(self) -> bool:
        """Whether no required check that ran has failed but for what was waived, and at least one ran."""
        required = [verdict for verdict in self.verdicts if verdict.severity == "required"]
        ran = [verdict for verdict in required if verdict.status is not Status.SKIPPED]
        return bool(ran) and not any(verdict.status is Status.FAILED for verdict in ran)

    @property
    def unread(self) -> tuple[Verdict, ...]:
        """What could not be looked at: where there is such, the image is proven neither good nor bad."""
        return tuple(one for one in self.verdicts if one.id.startswith(UNREAD) and one.status is Status.FAILED)

    def as_dict(self) -> dict[str, object]:
        """The report as report.json holds it."""
        return {"passed": self.passed, **asdict(self)}
