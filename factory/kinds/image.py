"""Building an image."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from build import api
from build.errors import MachineError
from build.progress import Progress
from factory.job import Outcome, Result
from factory.kinds import Bench
from factory.wishes import request


def run(order: Mapping[str, Any], bench: Bench) -> Result:
    """`request` is what to build, `plan` the id of the build that was planned.

    The artefact `image` is the image's folder. Raises MachineError where an archive has moved on since the plan.
    """
    built = api.build(request(order["request"], output=bench.folder), Progress())
    manifest = built.manifest
    if manifest.plan_id != order["plan"]:
        raise MachineError(
            "an archive has moved on since the night was planned", "the next night builds what it has now"
        )
    facts = {
        "name": manifest.name,
        "digest": manifest.digest,
        "kernel": manifest.kernel,
        "sizes": dict(manifest.sizes),
        "durations": dict(manifest.durations),
        "packages": [asdict(one) for one in manifest.packages],
        "stand_in": manifest.is_stand_in,
        "warnings": list(manifest.warnings),
    }
    return Result(
        Outcome.PASSED,
        artefacts={"image": bench.store.keep(built.folder)},
        facts=facts,
        content=f"{manifest.digest} {manifest.plan_id}",
    )
