"""Judging an image by its files."""

import json
from collections.abc import Mapping
from typing import Any

from factory.job import Result
from factory.kinds import Bench
from factory.verdicts import facts, outcome
from harness.inspect import inspect


def run(order: Mapping[str, Any], bench: Bench) -> Result:
    """`known` are checks that may fail. The artefact `inspection` is a folder with report.json."""
    report = inspect(bench.given("image"))
    folder = bench.folder / "inspection"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(report.as_dict(), indent=1, default=str))
    ended, reason = outcome([report], order["known"])
    kept = bench.store.keep(folder)
    return Result(ended, reason, {"inspection": kept}, {"runs": [facts(report, order["known"])]}, content=ended.value)
