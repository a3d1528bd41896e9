"""Letting what was published be the latest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build.progress import Progress
from factory.job import Outcome, Result
from factory.kinds import Bench
from publish import api


def run(order: Mapping[str, Any], bench: Bench) -> Result:
    """`to` is the target's file; the versions are those that were published before."""
    versions = [name for one in bench.inputs.values() for name in one.facts["versions"]]
    for version in dict.fromkeys(name.rpartition("/")[2] for name in versions):
        api.promote(Path(order["to"]), version, Progress(), lambda plan: None, apply=True)
    return Result(Outcome.PASSED, facts={"versions": versions})
