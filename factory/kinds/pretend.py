"""A job that does nothing but take its time and end as it is told, for trying the factory itself."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build.errors import MachineError
from factory.job import Outcome, Result
from factory.kinds import Bench


def run(order: Mapping[str, Any], bench: Bench) -> Result:
    """`seconds` to take; `outcome` to end with; `content` of the artefact `pretended`; `breaks` (a file that counts
    attempts, and how many of them break) and `dies` to end otherwise."""
    time.sleep(order.get("seconds", 0.0))
    if "breaks" in order:
        _break(**order["breaks"])
    if order.get("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    folder = bench.folder / "pretended"
    folder.mkdir()
    (folder / "content").write_text(order.get("content", ""))
    outcome = Outcome(order.get("outcome", "passed"))
    reason = "" if outcome is Outcome.PASSED else "it was told to"
    return Result(outcome, reason, {"pretended": bench.store.keep(folder)}, order.get("facts", {}))


def _break(counter: str, times: int) -> None:
    with Path(counter).open("a+") as file:
        file.write("x")
        file.seek(0)
        if len(file.read()) <= times:
            raise MachineError("it was told to break", "try it again")
