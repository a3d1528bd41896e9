"""What the boots of an image have proven: its reports, read as a program of any other maker would.

Only what a report says itself counts: which content it judged (its digest), on which machine, under which faults, and
the verdicts one by one; its own word that it passed is not believed.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPORT = "report.json"
SCHEMA = 2
PROVING = {"generalized": ("first-boot", "reboot"), "specialized": ("first-boot", "reboot", "specialized-twins")}
"""Scenarios that prove that a machine comes up, by what the image is; others look at more, and must not fail either."""


@dataclass(frozen=True)
class Boot:
    """One report: `run` is the name of its folder; `failures` are the required verdicts that failed, with reasons."""

    run: str
    digest: str
    scenario: str
    seed: str
    faults: tuple[str, ...]
    generation: int
    controller: str
    trusted: bool
    with_loader: bool
    failures: tuple[str, ...]
    judged: int

    @property
    def passed(self) -> bool:
        """Whether required checks ran, and none failed."""
        return bool(self.judged) and not self.failures

    @property
    def is_plain(self) -> bool:
        """Whether the image booted as on Azure: its own boot loader, Azure's settings, a host without faults."""
        return self.with_loader and self.seed == "azure" and not self.faults


@dataclass(frozen=True)
class Need:
    """A machine that a definition promises: its generation, its disk controller, and Trusted Launch."""

    generation: int
    controller: str
    trusted: bool

    @property
    def machine(self) -> str:
        """The name that `verify --machine` has for it."""
        kind = "-trusted" if self.trusted else "-nvme" if self.controller == "NVMe" else ""
        return f"gen{self.generation}{kind}"

    def met_by(self, boot: Boot) -> bool:
        """Whether that boot was on such a machine."""
        mine = (self.generation, self.controller, self.trusted)
        return mine == (boot.generation, boot.controller, boot.trusted)


def boots(runs: Path) -> Iterator[Boot]:
    """Every boot that a report in this folder tells of; what is no report of a boot, or damaged, proves nothing."""
    for file in sorted(runs.glob(f"*/{REPORT}")):
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            if told["schema"] == SCHEMA and "generation" in told["machine"]:
                yield _boot(file.parent.name, told)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


def _boot(run: str, told: Mapping[str, Any]) -> Boot:
    machine = told["machine"]
    required = [one for one in told["verdicts"] if one["severity"] == "required" and one["status"] != "skipped"]
    failed = [one for one in required if one["status"] != "passed"]
    return Boot(
        run=run,
        digest=str(told["digest"]),
        scenario=str(told["scenario"]),
        seed=str(told["seed"]),
        faults=tuple(told["faults"]),
        generation=int(machine["generation"]),
        controller=str(machine["controller"]),
        trusted=machine["secure_boot"].startswith("on") and machine["vtpm"] != "none",
        with_loader=machine["boot_loader"] == "exercised",
        failures=tuple(f"{one['id']}: {one['reason'] or one['title']}" for one in failed),
        judged=len(required),
    )
