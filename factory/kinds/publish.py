"""Publishing an image whose boots have passed. What refuses one that was not proven is `publish` itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build.progress import Progress
from factory.assembly import assembled
from factory.job import Outcome, Result
from factory.kinds import Bench
from publish import api


def run(order: Mapping[str, Any], bench: Bench) -> Result:
    """`to` is the target's file. Its facts name the versions that the image has by now."""
    image = assembled(bench, runs=True)
    outcome = api.publish(api.PublishRequest(image, Path(order["to"]), apply=True), Progress(), lambda plan: None)
    versions = [one.name for one in outcome.plan.actions if one.kind == "version"]
    return Result(Outcome.PASSED, facts={"versions": versions})
