"""Booting an image on one machine: its scenarios, which share a boot where they can."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build.progress import Progress
from factory.assembly import assembled
from factory.job import Result
from factory.kinds import Bench
from factory.verdicts import facts, outcome
from harness.runs import VerifyRequest
from harness.verify import verify


def run(order: Mapping[str, Any], bench: Bench) -> Result:
    """`machine`, the `runs` as `verify --scenario` takes them, `known` checks that may fail, `ssh_key` of a specialized
    image's administrator. The artefact `runs` holds a folder for each run."""
    image = assembled(bench)
    asked = VerifyRequest(
        image=image,
        machine=order["machine"],
        scenario=",".join(order["runs"]),
        jobs=1,
        ssh_key=Path(order["ssh_key"]) if "ssh_key" in order else None,
    )
    reports = verify(asked, Progress()).reports
    ended, reason = outcome(reports, order["known"])
    runs = [facts(one, order["known"]) for one in reports]
    return Result(ended, reason, {"runs": bench.store.keep(image / "runs")}, {"runs": runs})
